"""Fires schedules when their time has come. The table is the truth; this is only its alarm clock.

A fire is a row with a unique (schedule, time), and its run's id is derived from both: any number of
schedulers, restarts and clock steps give one run a fire.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog

from backend.core.errors import BadRequest, NotAllowed, NotFound, Unavailable
from backend.core.ids import ExecutionId, derived_id
from backend.core.records import MissedPolicy, NewExecution, ScheduleRecord
from backend.ports.clock import Clock
from backend.ports.dispatch import Dispatcher, SignalKind
from backend.ports.storage import SystemStorage

log = structlog.get_logger()

#: Schedules are added by other processes: look again at least so often.
LOOK_S: Final = 1.0
#: A fire later than this counts as missed.
_LATE_US: Final = 60 * 1_000_000
#: Missed fires that are made up for, at most; the newest ones.
_MADE_UP: Final = 100
_AT_ONCE: Final = 100
_HOUR_US: Final = 3600 * 1_000_000
#: How far back missed fires are looked for, step by step, until there are enough of them.
_WINDOWS_US: Final = (_HOUR_US, 24 * _HOUR_US, 35 * 24 * _HOUR_US, 100 * 366 * 24 * _HOUR_US)


class Calendar(Protocol):
    """Tells the fires of a schedule."""

    def next_fire(self, schedule: ScheduleRecord, after_us: int) -> int | None:
        """Return the first fire after *after_us*; None if there is none."""


Prepare = Callable[[ScheduleRecord, ExecutionId], Awaitable[NewExecution]]


class Ticker:
    """See the module. `serve` must run."""

    def __init__(
        self,
        storage: SystemStorage,
        dispatcher: Dispatcher,
        clock: Clock,
        calendar: Calendar,
        prepare: Prepare,
    ) -> None:
        """
        Take the parts.

        Args:
            prepare: Checks and returns the run of a fire; raises BadRequest or NotFound.
        """
        self._storage = storage
        self._dispatcher = dispatcher
        self._clock = clock
        self._calendar = calendar
        self._prepare = prepare
        self.fired = 0

    async def serve(self) -> None:
        """Fire what is due, until cancelled."""
        while True:
            try:
                await self.fire_due()
                pause_s = await self._until_next()
            except Unavailable as exc:
                log.warning("schedules_wait", error=str(exc))
                pause_s = LOOK_S
            await asyncio.sleep(pause_s)

    async def _until_next(self) -> float:
        next_us = await self._storage.next_fire()
        if next_us is None:
            return LOOK_S
        return min(max((next_us - self._clock.now_us()) / 1e6, 0.001), LOOK_S)

    async def fire_due(self) -> int:
        """Fire all schedules that are due; return how many runs were started."""
        now_us = self._clock.now_us()
        started = 0
        for schedule in await self._storage.due_schedules(now_us=now_us, limit=_AT_ONCE):
            started += await self._fire(schedule, now_us)
        return started

    async def _fire(self, schedule: ScheduleRecord, now_us: int) -> int:
        fires, next_us = self._fires(schedule, now_us)
        skipped = self._skips(schedule, fires, now_us)
        started = 0
        for fire_us in fires:
            run: NewExecution | None = None
            run_id = ExecutionId(derived_id("fire", schedule.id, fire_us))
            after = self._calendar.next_fire(schedule, fire_us) if fire_us != fires[-1] else next_us
            try:
                if fire_us not in skipped:
                    run = await self._prepare(schedule, run_id)
                # Storage looks again: the agent may be archived, or have gone since.
                taken = await self._storage.fire(schedule, fire_us=fire_us, next_us=after, run=run)
            except (BadRequest, NotFound, NotAllowed) as exc:
                log.warning("schedule_paused", schedule=schedule.id, error=str(exc))
                await self._storage.pause_schedule(schedule.id, reason=str(exc))
                return started
            if taken and run is not None:
                started += 1
                self.fired += 1
                self._dispatcher.signal(SignalKind.RUN, run.id, run.user_id)
                log.info("schedule_fired", schedule=schedule.id, execution=run.id)
        return started

    def _fires(self, schedule: ScheduleRecord, now_us: int) -> tuple[list[int], int | None]:
        """Return the fires that are due, oldest first, the newest hundred; and the one after."""
        first_us = schedule.next_us
        if first_us is None:
            return [], None
        # From near to far: a schedule of every minute that slept for a year has half a million.
        for window_us in _WINDOWS_US:
            start_us = max(first_us, now_us - window_us)
            due, next_us = self._fires_from(schedule, first_us, start_us, now_us)
            if start_us == first_us or len(due) >= _MADE_UP:
                break
        return due[-_MADE_UP:], next_us

    def _fires_from(
        self, schedule: ScheduleRecord, first_us: int, start_us: int, now_us: int
    ) -> tuple[list[int], int | None]:
        due: list[int] = []
        fire_us: int | None = first_us
        if start_us > first_us:
            fire_us = self._calendar.next_fire(schedule, start_us)
        while fire_us is not None and fire_us <= now_us:
            due.append(fire_us)
            fire_us = self._calendar.next_fire(schedule, fire_us)
        return due, fire_us

    def _skips(self, schedule: ScheduleRecord, fires: list[int], now_us: int) -> set[int]:
        """Return those of *fires* that are taken without a run, by the schedule's policy."""
        missed = {fire_us for fire_us in fires if now_us - fire_us > _LATE_US}
        match schedule.missed:
            case MissedPolicy.ALL:
                return set()
            case MissedPolicy.LAST:
                return set(fires[:-1])
            case MissedPolicy.NONE:
                return missed
