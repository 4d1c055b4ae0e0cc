"""Reports to administrators: blocks that fail often, and agents that fail more than they did."""

from collections.abc import Callable
from typing import Final

from backend.engine.jobs import Report
from backend.ports.clock import Clock
from backend.ports.jobs import JobReports, Outcomes

_DAY_US: Final = 24 * 3600 * 1_000_000
#: Of so many runs at most sums are made: they must not hold up what else is read.
_BLOCK_RUNS: Final = 5_000
_AGENT_RUNS: Final = 20_000
#: Fewer say nothing.
_ENOUGH: Final = 10
#: A block that fails at least so often is told of.
_BLOCK_RATE: Final = 0.5
#: An agent that completes so much less often than in the week before is told of.
_DROP: Final = 0.1
_NAMED: Final = 10


class OutcomeReports:
    """See the module."""

    def __init__(
        self, reports: JobReports, clock: Clock, *, block_name: Callable[[str], str]
    ) -> None:
        self._reports = reports
        self._clock = clock
        self._block_name = block_name

    async def block_error_rates(self) -> Report:
        """Return which blocks failed at least half the time in the last day."""
        since_us = self._clock.now_us() - _DAY_US
        found = await self._reports.blocks(since_us=since_us, runs=_BLOCK_RUNS)
        bad = [one for one in found if one.count >= _ENOUGH and _rate(one) >= _BLOCK_RATE]
        bad.sort(key=lambda one: (-_rate(one), one.id))
        said = [
            f"{self._block_name(one.id)} failed {one.failed} times of {one.count}"
            for one in bad[:_NAMED]
        ]
        return Report(
            result=f"{len(found)} blocks ran in the last day, {len(bad)} fail often",
            alert="; ".join(said),
        )

    async def accuracy(self) -> Report:
        """Return which agents completed less often in the last day than in the week before."""
        now_us = self._clock.now_us()
        day_us = now_us - _DAY_US
        new = await self._reports.agents(since_us=day_us, until_us=now_us, runs=_AGENT_RUNS)
        before = await self._reports.agents(
            since_us=day_us - 7 * _DAY_US, until_us=day_us, runs=_AGENT_RUNS
        )
        known = {one.id: one for one in before if one.count >= _ENOUGH}
        worse = [
            (one, known[one.id])
            for one in new
            if one.count >= _ENOUGH
            and one.id in known
            and _rate(one) - _rate(known[one.id]) >= _DROP
        ]
        said = [
            f"agent {now.id} completed {1 - _rate(now):.0%} of its runs in the last day,"
            f" {1 - _rate(then):.0%} in the week before"
            for now, then in worse[:_NAMED]
        ]
        return Report(
            result=f"{len(new)} agents ran in the last day, {len(worse)} do worse than before",
            alert="; ".join(said),
        )


def _rate(one: Outcomes) -> float:
    return one.failed / one.count
