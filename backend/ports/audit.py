"""The audit log, and how a change says that it is one: recordings, which storage writes with it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from backend.core.audit import (
    Actor,
    AuditEntry,
    By,
    ChainBreak,
    Fact,
    Head,
    Outcome,
    short,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditQuery:
    """Which rows are wanted; empty fields do not matter. *before* is a number of a row."""

    who: str = ""
    verb: str = ""
    kind: str = ""
    object_id: str = ""
    before: int | None = None
    limit: int = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Audited:
    """A row of the log, read back."""

    seq: int
    hash: str
    entry: AuditEntry


class AuditLog(Protocol):
    """
    What people and keys changed, and which secrets they read. Rows are added, never changed.

    Several processes write one chain.
    """

    async def append(self, entry: AuditEntry) -> None:
        """Add *entry* by itself; what goes with a change is added by its transaction."""

    async def listed(self, wanted: AuditQuery) -> list[Audited]:
        """Return the newest rows that match, newest first."""

    async def head(self) -> Head | None:
        """Return the last row; None if there is none."""

    async def verify(self, kept: Head | None = None) -> list[ChainBreak]:
        """Read all of the log; return where its chain does not hold, the first hundred places."""

    async def expire(self, *, before_us: int, now_us: int, limit: int) -> int:
        """
        Delete up to *limit* of the oldest rows, those made before *before_us*; return how many.

        A row that says so is added in the same transaction: the chain begins at what it names.
        """


@dataclass(kw_only=True)
class Recording:
    """
    What is being done just now, until it is on disk. Storage adds its row to the first change.

    Attributes:
        verb: Empty for a mere look, which is recorded only if it shows secrets.
        always: It is kept also where storage changed nothing: what changes lies elsewhere.
        is_saved: Its row is on disk.
        is_over: Nothing belongs to it any more, though a task that began in it may still run.
    """

    at_us: int
    actor: Actor
    verb: str
    kind: str
    object_id: str = ""
    facts: dict[str, Fact] = field(default_factory=dict)
    revealed: dict[tuple[str, str], float] = field(default_factory=dict)
    always: bool = False
    is_saved: bool = False
    is_over: bool = False

    @property
    def is_wanted(self) -> bool:
        """Whether the next change is to carry the row."""
        return bool(self.verb) and not self.is_saved and not self.is_over

    def entry(self, outcome: Outcome = Outcome.DONE, *, object_id: str = "") -> AuditEntry:
        """Return what is to be kept of it."""
        return AuditEntry(
            at_us=self.at_us,
            actor=self.actor,
            verb=self.verb,
            kind=self.kind,
            object_id=self.object_id or object_id,
            outcome=outcome,
            facts=dict(self.facts),
        )


_CURRENT: Final[ContextVar[Recording | None]] = ContextVar("agpt_recording", default=None)


def current() -> Recording | None:
    """Return what is recorded just now; None outside of any."""
    return _CURRENT.get()


@contextmanager
def under(recording: Recording) -> Iterator[Recording]:
    """Let changes made inside carry the row of *recording*."""
    token = _CURRENT.set(recording)
    try:
        yield recording
    finally:
        recording.is_over = True
        _CURRENT.reset(token)


def name_object(object_id: str, **facts: Fact) -> None:
    """Say what is made or changed just now, where its id is not in the request."""
    recording = current()
    if recording is not None:
        recording.object_id = short(object_id)
        recording.facts.update(facts)


def add_facts(**facts: Fact) -> None:
    """Say more of what is changed just now, before it is: few words, and no secret."""
    recording = current()
    if recording is not None:
        recording.facts.update(facts)


def name_actor(who: str, by: By, by_id: str = "") -> None:
    """Say who it turned out to be, where a request brings no token."""
    recording = current()
    if recording is not None:
        recording.actor = replace(recording.actor, who=who, by=by, by_id=by_id)


def reveal(kind: str, object_id: str, *, again_after_s: float = 0) -> None:
    """
    Say that the answer being made shows a secret.

    Args:
        again_after_s: The same reader's further reads within so many seconds are not recorded.
    """
    recording = current()
    if recording is not None:
        recording.revealed[kind, short(object_id)] = again_after_s


def made_id(result: Any) -> str:
    """Return the id of what a change returned, if it has one."""
    if isinstance(result, Sequence) and not isinstance(result, str) and result:
        result = result[0]
    found = result if isinstance(result, str) else getattr(result, "id", "")
    return found if isinstance(found, str) else ""
