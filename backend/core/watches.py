"""Triggers that the server itself watches: their kinds, where each stands, and when to look again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from backend.core.ids import UserId, WebhookId

#: Of the state of one watch, as JSON text.
MAX_STATE_BYTES: Final = 1024 * 1024
MAX_ERROR: Final = 500
_LONGEST_PAUSE_S: Final = 3_600.0
_MOST_DOUBLINGS: Final = 12
_SECOND_US: Final = 1_000_000


class WatchKind(StrEnum):
    """What is watched; the value is the provider of its webhook."""

    MAIL = "imap"
    FOLDER = "folder"
    FEED = "feed"
    PAGE = "page"
    AIRTABLE = "airtable"


#: Providers that tell at an address of ours only that there is something: it is looked at once.
RINGING: Final = frozenset({WatchKind.AIRTABLE.value})
#: All whose webhooks have a watch.
LOOKED_AT: Final = frozenset(kind.value for kind in WatchKind)
#: Providers of webhooks that have no address: nobody delivers to them.
WATCHED: Final = LOOKED_AT - RINGING


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """
    A watch that somebody holds.

    Attributes:
        state: What its last looks have found, as its kind writes it; empty before the first.
        failures: Looks in a row that failed.
    """

    webhook_id: WebhookId
    user_id: UserId
    state: Mapping[str, Any] = field(default_factory=dict, repr=False)
    failures: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How a watch does, as its owner is told. Times are microseconds since the epoch."""

    looked_us: int | None
    next_us: int
    failures: int
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """
    How a look ended.

    Attributes:
        state: None: as it was saved last.
        next_us: When to look again.
        error: None: as it was.
    """

    next_us: int
    looked_us: int
    state: Mapping[str, Any] | None = None
    failures: int = 0
    error: str | None = ""

    def __post_init__(self) -> None:
        """Cut what is told to a length that can be shown."""
        if self.error is not None:
            object.__setattr__(self, "error", self.error[:MAX_ERROR])


def key_of(kind: WatchKind, *parts: str | int) -> str:
    """Return by what an item is known again: its run is started once for each key."""
    return f"{kind.value}:{digest(*parts)}"


def digest(*parts: str | int) -> str:
    """Return what stands for *parts*, 64 characters."""
    return sha256("\x1f".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()


def pause_us(
    every_s: float, *, failures: int = 0, retry_after_s: float | None = None, spread: float = 0.5
) -> int:
    """
    Return how long to wait before the next look.

    Twice as long with each failure, an hour at the most unless the watch itself is slower; at
    least as long as the other side asked for. A tenth of it is chance, so that watches that were
    made together do not stay together.

    Args:
        spread: From 0 to 1, drawn by the caller.
    """
    doubled = every_s * 2.0 ** min(failures, _MOST_DOUBLINGS)
    pause_s = max(every_s, min(doubled, _LONGEST_PAUSE_S)) if failures else every_s
    pause_s *= 0.95 + 0.1 * spread
    # A day at the most: who asks for more means to be asked no more, and its owner sees that.
    return round(max(pause_s, min(retry_after_s or 0.0, 86_400.0)) * _SECOND_US)


def unseen(ids: Sequence[str], seen: Sequence[str], *, most: int) -> tuple[list[str], list[str]]:
    """
    Return those of *ids* that were not seen, in their order, and what is seen afterwards.

    Args:
        ids: Of what is there now, each once.
        seen: Oldest first.
        most: How many are remembered; those that are there now are never forgotten.
    """
    known = set(seen)
    new = [one for one in ids if one not in known]
    present = set(ids)
    gone = [one for one in seen if one not in present]
    room = max(0, most - len(ids))
    return new, [*(gone[-room:] if room else []), *ids]
