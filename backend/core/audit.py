"""The audit log's words, and the chain that ties its rows: who did what to which thing, from where."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

#: What the first row of all follows.
FIRST: Final = "0" * 64
#: The row that retention leaves for those that it deletes.
EXPIRE: Final = "expire"
AUDIT: Final = "audit"

MAX_TEXT: Final = 200
MAX_FACTS: Final = 12

Fact = str | int | bool | None


class By(StrEnum):
    """By what somebody showed who they are."""

    TOKEN = "token"  # noqa: S105 #: of the local user, or of another issuer
    SESSION = "session"
    KEY = "api_key"
    OAUTH = "oauth_token"
    CLI = "cli"
    COPILOT = "copilot"  #: for its user, who asked for it in a session
    SYSTEM = "system"
    NOTHING = "nothing"


class Outcome(StrEnum):
    """What came of it."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"  #: something of it was done before


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """
    Who does something.

    Attributes:
        who: A user's id; an account of the machine for the command line; empty: nobody known.
        by_id: The id of the session or key, never itself.
        acting_for: The user whose things an administrator works with; else empty.
        address: From where the request came.
    """

    who: str
    by: By
    by_id: str = ""
    acting_for: str = ""
    address: str = ""
    request_id: str = ""


#: The server itself.
SYSTEM: Final = Actor(who="", by=By.SYSTEM)


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """Something that was done. *facts* are few and short, and never secrets."""

    at_us: int
    actor: Actor
    verb: str
    kind: str
    object_id: str = ""
    outcome: Outcome = Outcome.DONE
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The last row of the log at some time. Kept elsewhere, it shows that later ones were cut off."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Read what `str` wrote; raises ValueError if it is something else."""
        seq, _, digest = text.strip().partition(":")
        if not (seq.isascii() and seq.isdigit()) or len(seq) > 18 or len(digest) != len(FIRST):  # noqa: PLR2004 - 64 bits
            raise ValueError("a head is a number, a colon and 64 hexadecimal digits")
        return cls(seq=int(seq), hash=digest)


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRow:
    """A row of the log: *values* are its columns as they are kept, in the order of `COLUMNS`."""

    seq: int
    previous: str
    hash: str
    values: tuple[Any, ...]


#: What a row says, in the order in which it is hashed.
COLUMNS: Final = (
    "at_us",
    "who",
    "by",
    "by_id",
    "acting_for",
    "address",
    "request_id",
    "verb",
    "kind",
    "object_id",
    "outcome",
    "facts",
)


def chained(entry: AuditEntry, head: Head | None) -> AuditRow:
    """Return the row of *entry* that follows *head*; None: it is the first."""
    actor, kept = entry.actor, list(entry.facts.items())[:MAX_FACTS]
    values = (
        entry.at_us,
        short(actor.who),
        actor.by.value,
        short(actor.by_id),
        short(actor.acting_for),
        short(actor.address),
        short(actor.request_id),
        short(entry.verb),
        short(entry.kind),
        short(entry.object_id),
        entry.outcome.value,
        json.dumps({short(k): short(v) if isinstance(v, str) else v for k, v in kept}),
    )
    seq = 1 if head is None else head.seq + 1
    previous = FIRST if head is None else head.hash
    return AuditRow(seq=seq, previous=previous, hash=digest(seq, previous, values), values=values)


def short(text: str) -> str:
    """Return *text* so that it can be kept: of bounded length, and with nothing but Unicode."""
    return text[:MAX_TEXT].encode("utf-8", "replace").decode()


def digest(seq: Any, previous: Any, values: Iterable[Any]) -> str:
    """Return the hash of a row: SHA-256 of its columns as a JSON array without spaces."""
    text = json.dumps([seq, previous, *values], separators=(",", ":"), default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainBreak:
    """Where the chain does not hold, and how that shows."""

    seq: int
    detail: str


def breaks_of(
    rows: Iterable[AuditRow], head: Head | None, kept: Head | None = None
) -> Iterator[ChainBreak]:
    """
    Yield where the chain of *rows*, all there are in order, does not hold.

    Args:
        head: The last row as it was noted beside the log.
        kept: A head that somebody kept elsewhere, from any time before.
    """
    check = _Check(kept)
    for row in rows:
        yield from check.look(row)
    yield from check.end(head)


class _Check:
    def __init__(self, kept: Head | None) -> None:
        self._kept = kept
        self._first: AuditRow | None = None
        self._last: AuditRow | None = None
        self._anchors: set[tuple[Any, Any]] = set()

    def look(self, row: AuditRow) -> Iterator[ChainBreak]:
        before = self._last
        if before is None:
            self._first = row
            if row.seq <= 1 and row.previous != FIRST:
                yield ChainBreak(seq=row.seq, detail="it is the first, and follows another row")
        elif row.seq != before.seq + 1:
            gap = f"rows {before.seq + 1} to {row.seq - 1} are missing"
            yield ChainBreak(seq=row.seq, detail=gap)
        elif row.previous != before.hash:
            yield ChainBreak(seq=row.seq, detail="it does not follow the row before it")
        if digest(row.seq, row.previous, row.values) != row.hash:
            yield ChainBreak(seq=row.seq, detail="it was changed")
        if self._kept is not None and (row.seq, row.hash) == (self._kept.seq, self._kept.hash):
            self._kept = None
        self._note_anchor(row)
        self._last = row

    def _note_anchor(self, row: AuditRow) -> None:
        said = dict(zip(COLUMNS, row.values, strict=True))
        if (said["verb"], said["kind"]) != (EXPIRE, AUDIT):
            return
        try:
            facts = json.loads(said["facts"])
            self._anchors.add((facts["through"], facts["hash"]))
        except (ValueError, TypeError, KeyError):
            return  # then it anchors nothing, and the look at its hash has said why

    def end(self, head: Head | None) -> Iterator[ChainBreak]:
        first, last = self._first, self._last
        if first is not None and first.seq > 1:
            yield from self._beginning(first)
        end = Head(seq=0, hash=FIRST) if last is None else Head(seq=last.seq, hash=last.hash)
        if head is None and last is not None:
            yield ChainBreak(seq=end.seq, detail="the note of the last row is missing")
        elif head is not None and head != end:
            detail = f"the log ends here, but row {head.seq} was the last to be written"
            yield ChainBreak(seq=end.seq, detail=detail)
        if self._kept is not None and not self._is_expired(self._kept):
            detail = f"row {self._kept.seq} is not there as it was when its hash was kept"
            yield ChainBreak(seq=self._kept.seq, detail=detail)

    def _beginning(self, first: AuditRow) -> Iterator[ChainBreak]:
        if (first.seq - 1, first.previous) not in self._anchors:
            detail = f"rows 1 to {first.seq - 1} are missing, and retention has not deleted them"
            yield ChainBreak(seq=first.seq, detail=detail)

    def _is_expired(self, kept: Head) -> bool:
        """Say whether what was kept is older than what retention has left."""
        first = self._first
        if first is None or kept.seq >= first.seq:
            return False
        return kept.seq < first.seq - 1 or kept.hash == first.previous
