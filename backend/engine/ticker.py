"""Fires schedules when their time has come. The table is the truth; this is only its alarm clock.

A fire is a row with a unique (schedule, time), and its run's id is derived from both: any number of
schedulers, restarts and clock steps give one run a fire.
"""

import asyncio
from typing import Final, Protocol

import structlog

from backend.core.errors import AgentServerError, BadRequest, NotAllowed, NotFound, Unavailable
from backend.core.ids import ExecutionId, UserId, derived_id
from backend.core.records import MissedPolicy, NewExecution, OverlapPolicy, ScheduleRecord
from backend.ports.clock import Clock
from backend.ports.dispatch import Dispatcher, SignalKind
from backend.ports.storage import SystemStorage

log = structlog.get_logger()

#: Schedules are added by other processes: look again at least so often.
LOOK_S: Final = 1.0
#: A fire later than this counts as missed.
_LATE_US: Final = 60 * 1_000_000
#: Fires that come close together and are no later than this are all made, whatever the policy.
_BEHIND_US: Final = 5 * 1_000_000
#: Missed fires that are made up for, at most; the newest ones.
_MADE_UP: Final = 100
#: Four groups of a commit each: more would only let the first ones wait for the last.
_AT_ONCE: Final = 256
_HOUR_US: Final = 3600 * 1_000_000
#: How far back missed fires are looked for, step by step, until there are enough of them.
_WINDOWS_US: Final = (_HOUR_US, 24 * _HOUR_US, 35 * 24 * _HOUR_US, 100 * 366 * 24 * _HOUR_US)


class Firing(Protocol):
    """Tells the fires of a schedule, and what they do."""

    def next_fire(self, schedule: ScheduleRecord, after_us: int) -> int | None:
        """Return the first fire after *after_us*; None if there is none."""

    async def prepare(self, schedule: ScheduleRecord, run_id: ExecutionId) -> NewExecution:
        """Return the run of a fire, checked; raises BadRequest, NotAllowed or NotFound."""

    async def stop(self, user_id: UserId, run_id: ExecutionId) -> None:
        """Tell a run to stop, without waiting for its end."""


class Ticker:
    """See the module. `serve` must run."""

    def __init__(
        self, storage: SystemStorage, dispatcher: Dispatcher, clock: Clock, firing: Firing
    ) -> None:
        self._storage = storage
        self._dispatcher = dispatcher
        self._clock = clock
        self._firing = firing
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
        due = await self._storage.due_schedules(now_us=now_us, limit=_AT_ONCE)
        # Beside each other: fires that are asked for at once share a commit, which is what one
        # costs most.
        outcomes = await asyncio.gather(
            *(self._fire(schedule, now_us) for schedule in due), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return sum(outcome for outcome in outcomes if isinstance(outcome, int))

    async def _fire(self, schedule: ScheduleRecord, now_us: int) -> int:
        try:
            fires, next_us = self._fires(schedule, now_us)
        except BadRequest as exc:  # its times cannot be read
            await self._pause(schedule, exc, now_us)
            return 0
        last = schedule.last_run_id
        skipped = self._skips(schedule, fires, now_us)
        started = 0
        for fire_us in fires:
            after = self._firing.next_fire(schedule, fire_us) if fire_us != fires[-1] else next_us
            goes_on = await self._goes_on(schedule, last)
            is_skipped = fire_us in skipped or (goes_on and schedule.overlap is OverlapPolicy.SKIP)
            run_id = ExecutionId(derived_id("fire", schedule.id, fire_us))
            try:
                run = None if is_skipped else await self._firing.prepare(schedule, run_id)
                if run is not None and last is not None and goes_on:
                    await self._firing.stop(schedule.user_id, last)
                # Storage looks again: the agent may be archived, or have gone since.
                taken = await self._storage.fire(schedule, fire_us=fire_us, next_us=after, run=run)
            except (BadRequest, NotFound, NotAllowed) as exc:
                await self._pause(schedule, exc, now_us)
                return started
            if run is None or not taken:
                continue
            started += 1
            self.fired += 1
            last = run.id
            self._dispatcher.signal(SignalKind.RUN, run.id, run.user_id)
            log.info("schedule_fired", schedule=schedule.id, execution=run.id)
            if schedule.overlap is OverlapPolicy.QUEUE:
                break  # the others wait for its end
        return started

    async def _pause(
        self, schedule: ScheduleRecord, because: AgentServerError, now_us: int
    ) -> None:
        reason = because.in_full()
        if await self._storage.pause_schedule(schedule, reason=reason, now_us=now_us):
            log.warning("schedule_paused", schedule=schedule.id, error=reason)

    async def _goes_on(self, schedule: ScheduleRecord, last: ExecutionId | None) -> bool:
        """Say whether the last run is in the way of another one, as far as the policy asks."""
        if schedule.overlap not in (OverlapPolicy.SKIP, OverlapPolicy.STOP) or last is None:
            return False
        return await self._storage.run_end(last) is None

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
            fire_us = self._firing.next_fire(schedule, start_us)
        while fire_us is not None and fire_us <= now_us:
            due.append(fire_us)
            fire_us = self._firing.next_fire(schedule, fire_us)
        return due, fire_us

    def _skips(self, schedule: ScheduleRecord, fires: list[int], now_us: int) -> set[int]:
        """
        Return those of *fires* that are taken without a run, by the schedule's policy.

        It is the same to it whether nothing ran or the last run was in the way.
        """
        match schedule.missed:
            case MissedPolicy.ALL:
                return set()
            case MissedPolicy.LAST:
                return {fire_us for fire_us in fires[:-1] if now_us - fire_us > _BEHIND_US}
            case MissedPolicy.NONE:
                return {fire_us for fire_us in fires if now_us - fire_us > _LATE_US}
