"""What is deleted when it is old, and how: in steps so small that nobody waits for them."""

from collections.abc import Collection
from typing import NamedTuple, Protocol

from backend.core.ids import ExecutionId, GraphId, UserId


class OldRun(NamedTuple):
    """A run that may go, in the order in which runs go: (ended_us, id)."""

    ended_us: int
    id: ExecutionId


class GraphOfUser(NamedTuple):
    """A graph and whose runs of it, in the order in which they are looked at."""

    graph_id: GraphId
    user_id: UserId


class RetentionStorage(Protocol):
    """
    Old rows.

    Each method that deletes is one short transaction; None of them touches a run that has not
    ended, or below which one has not. A run that another run started goes with that one.
    """

    async def not_before_us(self) -> int:
        """Return from when on anything may be deleted; 0: from the beginning."""

    async def runs_ended_before(
        self, before_us: int, *, after: OldRun | None, limit: int
    ) -> list[OldRun]:
        """Return runs that ended before *before_us* and belong to no other; those after *after*."""

    async def next_graph(self, after: GraphOfUser | None) -> GraphOfUser | None:
        """Return the graph after *after* that has runs, or None."""

    async def runs_beyond(self, graph: GraphOfUser, *, newest: int, limit: int) -> list[OldRun]:
        """Return ended runs of *graph* that belong to no other, but its *newest* ones."""

    async def delete_runs(self, ids: Collection[ExecutionId]) -> int:
        """
        Delete those of *ids* that may go, and return how many.

        They are gone for everybody at once. What belonged to them is left for `clear`.
        """

    async def clear(self, *, rows: int) -> int:
        """Delete up to *rows* rows of runs that are gone; return how many, 0 if none are left."""

    async def delete_notices(self, before_us: int, *, limit: int) -> int:
        """Delete notices made before *before_us* that wait for nothing; return how many."""

    async def delete_fires(self, before_us: int, *, limit: int) -> int:
        """Delete notes of fires before *before_us*; return how many."""

    async def delete_answers(self, now_us: int, *, limit: int) -> int:
        """Delete answers of models that nobody may take again any more; return how many."""

    async def fold_usage(self, before: str, *, limit: int) -> int:
        """
        Let sums of what was asked of models by graph go into those of their days; return how many.

        Those of days before *before*, as ``2026-01-31``. The sum of each user, day and model stays
        what it was.
        """

    async def delete_usage(self, before: str, *, limit: int) -> int:
        """Delete sums of days before *before*, which no graph has any more; return how many."""

    async def give_back(self, *, pages: int) -> int:
        """
        Give up to *pages* pages of the file that hold nothing back to the system.

        Some are kept for what is written next. Returns how many were given back; 0 also for a
        database that cannot.
        """
