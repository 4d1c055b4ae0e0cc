"""What summaries are made of: who there is, and what the runs of somebody came to."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.core.ids import UserId
from backend.core.summaries import RunTotals


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """An account, and the time zone that it has set; "not-set": none."""

    id: UserId
    timezone: str


class SummaryFacts(Protocol):
    """Facts of all users."""

    async def people(self, *, after: UserId | None, limit: int) -> Sequence[Person]:
        """Return accounts in the order of their ids, those behind *after*."""

    async def known(self, ids: Collection[str]) -> set[str]:
        """Return which of *ids* are those of notices that are there."""

    async def totals(
        self, user_id: UserId, *, start_us: int, end_us: int, agents: int
    ) -> RunTotals | None:
        """
        Return what the runs came to that began at *start_us* or later and before *end_us*.

        Runs below other runs count with those; runs of the copilot do not count.

        Args:
            agents: So many are named with their credits.

        Returns:
            None if there was no run.
        """
