"""What users' agents asked of models, in sums by day, agent and model."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from backend.core.errors import BadRequest
from backend.core.ids import GraphId, UserId
from backend.core.node_steps import ModelUse
from backend.core.usage import MAX_DAYS, DayUse
from backend.ports.clock import Clock
from backend.ports.usage import Usage

_USUAL_DAYS: Final = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class UsagePage:
    """
    A page of sums.

    Attributes:
        first, last: The days (UTC) that were asked for, both included.
        count: How many sums there are on all pages.
        total: The sum of them.
    """

    first: date
    last: date
    sums: list[DayUse]
    count: int
    total: ModelUse


class UsageService:
    """Sums of all users; those of days stay when the runs are deleted."""

    def __init__(self, *, usage: Usage, clock: Clock) -> None:
        self._usage = usage
        self._clock = clock

    async def page(
        self,
        user_id: UserId,
        *,
        first: date | None = None,
        last: date | None = None,
        graph_id: GraphId | None = None,
        page: int,
        page_size: int,
    ) -> UsagePage:
        """
        Return a page (from 1) of a user's sums, newest day first.

        Args:
            first: None: so that there are thirty days.
            last: None: today, UTC.

        Raises:
            BadRequest: If that is no day, or more than `MAX_DAYS`.
        """
        if last is None:
            last = datetime.fromtimestamp(self._clock.now_us() / 1e6, UTC).date()
        if first is None:
            first = date.fromordinal(max(1, last.toordinal() - _USUAL_DAYS + 1))
        if not 1 <= (last - first).days + 1 <= MAX_DAYS:
            raise BadRequest(f"from first ({first}) to last ({last}) are 1 to {MAX_DAYS} days")
        days = {"first": first.isoformat(), "last": last.isoformat()}
        sums = await self._usage.of(
            user_id,
            **days,
            graph_id=graph_id,
            limit=page_size,
            offset=(page - 1) * page_size,
        )
        count, total = await self._usage.total(user_id, **days, graph_id=graph_id)
        return UsagePage(first=first, last=last, sums=sums, count=count, total=total)
