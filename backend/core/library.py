"""An agent as it stands in its owner's library, and what its last runs say of it (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from backend.core.graph import Graph
from backend.core.ids import LibraryAgentId, UserId
from backend.core.status import Status

#: From so many of its newest runs an agent's standing is told (spec/contract.md 13).
RECENT_RUNS: Final = 10
#: For so long the output of a run counts as new.
NEW_FOR_US: Final = 7 * 24 * 3600 * 1_000_000

COPY_SUFFIX: Final = " (copy)"


class LibrarySort(StrEnum):
    """The order of a list."""

    CREATED = "createdAt"  #: the oldest first
    UPDATED = "updatedAt"  #: what changed last first


class LibraryStatus(StrEnum):
    """How an agent does, by its newest runs."""

    COMPLETED = "COMPLETED"
    HEALTHY = "HEALTHY"  #: one of them is running
    WAITING = "WAITING"  #: one of them waits for its turn
    ERROR = "ERROR"  #: one of them failed


@dataclass(frozen=True, kw_only=True, slots=True)
class RecentRun:
    """One of an agent's newest runs."""

    status: Status
    created_us: int
    ended_us: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryAgent:
    """
    An entry of somebody's library.

    Attributes:
        graph: In the version that the entry stands for, without sub-graphs.
        follows_active: Whether another active version of the graph becomes the entry's too.
        newest_version: The highest one there is of the graph.
        owner_name: None if the account has none.
        recent: At most `RECENT_RUNS`, the newest first.
    """

    id: LibraryAgentId
    user_id: UserId
    graph: Graph
    is_favorite: bool
    is_archived: bool
    follows_active: bool
    settings: Mapping[str, bool] = field(default_factory=dict)
    created_us: int
    updated_us: int
    newest_version: int
    owner_name: str | None = None
    recent: Sequence[RecentRun] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryChanges:
    """What is to be different about an entry; None leaves it."""

    graph_version: int | None = None
    follows_active: bool | None = None
    is_favorite: bool | None = None
    is_archived: bool | None = None
    settings: Mapping[str, bool] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What the newest runs say. *success_rate* is a percentage; None without runs."""

    status: LibraryStatus
    new_output: bool
    success_rate: float | None


def standing(recent: Sequence[RecentRun], *, now_us: int) -> Standing:
    """Return what *recent* runs say of their agent (spec/contract.md 13)."""
    statuses = [run.status for run in recent]
    done = [run for run in recent if run.status is Status.COMPLETED]
    return Standing(
        status=_status(statuses),
        new_output=any((run.ended_us or run.created_us) > now_us - NEW_FOR_US for run in done),
        success_rate=round(100 * len(done) / len(recent), 2) if recent else None,
    )


def _status(statuses: Sequence[Status]) -> LibraryStatus:
    # The first that fits: one failure among them is what its owner must hear of.
    for status, said in (
        (Status.FAILED, LibraryStatus.ERROR),
        (Status.QUEUED, LibraryStatus.WAITING),
        (Status.RUNNING, LibraryStatus.HEALTHY),
    ):
        if status in statuses:
            return said
    return LibraryStatus.COMPLETED


def name_of_copy(name: str, *, most: int) -> str:
    """Return the name of a copy of what is called *name*, of at most *most* characters."""
    return name[: most - len(COPY_SUFFIX)] + COPY_SUFFIX
