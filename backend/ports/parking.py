"""Parked runs: those that took their executor down too often, and are not tried until somebody says so."""

from typing import Protocol

from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.records import ParkedRun


class UserParking(Protocol):
    """What their owner does with them."""

    async def retry(self, graph_id: GraphId, run_id: ExecutionId, *, now_us: int) -> None:
        """
        Queue a parked run of a graph again, with its attempts counted anew.

        Raises:
            NotFound: If there is none.
            Conflict: If it is not parked, or is nested: it goes on with the run that started it.
        """


class Parking(Protocol):
    """What an administrator sees of everybody's, and does."""

    async def parked(self, *, limit: int) -> list[ParkedRun]:
        """Return parked runs that no other run started, the last parked first."""

    async def retry(self, run_id: ExecutionId, *, now_us: int) -> UserId:
        """Queue a parked run again; return whose it is. Raises as UserParking.retry."""
