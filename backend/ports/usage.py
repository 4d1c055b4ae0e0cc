"""What users' agents asked of models."""

from typing import Protocol

from backend.core.ids import GraphId, UserId
from backend.core.node_steps import ModelUse
from backend.core.usage import DayUse


class Usage(Protocol):
    """Sums by user. Those of days stay when runs are deleted, `MAX_DAYS` at least."""

    async def of(
        self,
        user_id: UserId,
        *,
        first: str,
        last: str,
        graph_id: GraphId | None = None,
        limit: int,
        offset: int = 0,
    ) -> list[DayUse]:
        """Return a user's sums from day *first* to day *last*, both included, newest first."""

    async def total(
        self, user_id: UserId, *, first: str, last: str, graph_id: GraphId | None = None
    ) -> tuple[int, ModelUse]:
        """Return how many sums `of` has for the same days, and the sum of them."""
