"""The system's own jobs: each at its pace, once however many schedulers there are, with a history."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from backend.core.errors import AgentServerError
from backend.core.records import HoldKind
from backend.core.status import Status
from backend.ports.clock import Clock
from backend.ports.dispatch import Dispatcher, SignalKind
from backend.ports.jobs import JobRun, JobState, SystemJobs
from backend.ports.storage import Storage

log = structlog.get_logger()

#: A queued run that is older has been waiting for a slot, or for nobody.
LATE_S: Final = 60
#: One that is older still is told to administrators (spec/contract.md 7.5).
ALARMING_S: Final = 300
#: A run that has committed nothing for so long deserves a look (spec/contract.md 19).
SILENT_S: Final = 24 * 3600
_AT_ONCE: Final = 100
#: What is due, or asked for by an administrator, is seen so soon.
LOOK_S: Final = 1.0
#: A job is held for so long, again and again; another scheduler takes over from one that died.
_LEASE_S: Final = 60.0
_RENEW_S: Final = 20.0
#: A second at most until a job that was cancelled, or let go of, is given up.
_S_US: Final = 1_000_000


@dataclass
class JobFigures:
    """What the process knows of a job, for /metrics."""

    ended_us: int = 0  #: of the last time
    took_s: float = 0.0  #: the last time
    failures: int = 0


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a job did, in words; *alert* is what administrators must hear of it."""

    result: str
    alert: str = ""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Something that is done every *every_s* seconds. *work* returns what it did."""

    name: str
    every_s: float
    work: Callable[[], Awaitable[Report | str]]


class Jobs:
    """Runs jobs, each at its pace. `serve` must run."""

    def __init__(self, kept: SystemJobs, clock: Clock, jobs: Sequence[Job]) -> None:
        self._kept = kept
        self._clock = clock
        self._jobs = {job.name: job for job in jobs}
        self._running: set[str] = set()
        self.figures = {job.name: JobFigures() for job in jobs}

    async def serve(self) -> None:
        """Run what is due and what is asked for, until cancelled."""
        async with asyncio.TaskGroup() as group:
            is_declared = False
            while True:
                try:
                    if not is_declared:
                        await self.declare()
                        is_declared = True
                    for name in await self._due():
                        self._running.add(name)
                        group.create_task(self._run(name), name=name)
                except AgentServerError as exc:
                    log.warning("jobs_wait", error=str(exc))
                await asyncio.sleep(LOOK_S)

    async def declare(self) -> None:
        """Say which jobs there are."""
        await self._kept.declare(
            {name: int(job.every_s * _S_US) for name, job in self._jobs.items()}
        )

    async def run_due(self) -> int:
        """Run what is due and what is asked for, one after the other; return how many were run."""
        return sum([await self._run(name) for name in await self._due()])

    async def _due(self) -> list[str]:
        now_us = self._clock.now_us()
        return [
            state.name
            for state in await self._kept.states()
            if state.name in self._jobs
            and state.name not in self._running
            and _is_due(state, now_us)
        ]

    async def _run(self, name: str) -> bool:
        """Run a job if it can be claimed; say whether it was."""
        held_us = self._clock.now_us() + int(_LEASE_S * _S_US)
        try:
            started_us = self._clock.now_us()
            if not await self._kept.claim(name, now_us=started_us, held_until_us=held_us):
                return False
            await self._work(self._jobs[name], started_us, held_us)
        except AgentServerError as exc:
            log.warning("job_not_noted", job=name, error=str(exc))
        finally:
            self._running.discard(name)
        return True

    async def _work(self, job: Job, started_us: int, held_us: int) -> None:
        figures, began_s = self.figures[job.name], self._clock.monotonic_s()
        report, error = Report(result=""), None
        working = asyncio.ensure_future(job.work())
        try:
            while not (await asyncio.wait([working], timeout=_RENEW_S))[0]:
                held_us = await self._held_longer(job.name, held_us)
            said = working.result()
            report = said if isinstance(said, Report) else Report(result=said)
        except Exception as exc:  # noqa: BLE001 - border: a job that fails stops no other
            error = str(exc) or type(exc).__name__
            figures.failures += 1
            log.warning("job_failed", job=job.name, error=error)
        finally:
            if not working.done():
                working.cancel()
                with suppress(asyncio.CancelledError):
                    await working
        figures.took_s = self._clock.monotonic_s() - began_s
        figures.ended_us = self._clock.now_us()
        run = JobRun(
            job=job.name,
            started_us=started_us,
            ended_us=figures.ended_us,
            ok=error is None,
            result=report.result,
            error=error,
        )
        alert = report.alert if error is None else f"it failed: {error}"
        if await self._kept.finish(run, held_until_us=held_us, alert=alert):
            log.warning("administrators_told", job=job.name, alert=alert)

    async def _held_longer(self, name: str, held_us: int) -> int:
        until_us = self._clock.now_us() + int(_LEASE_S * _S_US)
        try:
            is_ours = await self._kept.hold(name, held_until_us=held_us, until_us=until_us)
        except AgentServerError as exc:
            log.warning("job_not_held", job=name, error=str(exc))
            return held_us
        return until_us if is_ours else held_us


def _is_due(state: JobState, now_us: int) -> bool:
    """Say whether it is worth trying: claiming it decides."""
    # Nothing is due so much later, unless the clock was set back.
    wait_us = state.due_us - now_us
    is_late = wait_us <= 0 or 2 * wait_us > 3 * state.every_us
    return is_late or state.requested_us is not None


class StuckRunWatch:
    """Finds runs that do not move, wakes their executor, and says so."""

    def __init__(self, storage: Storage, dispatcher: Dispatcher, clock: Clock) -> None:
        self._storage = storage
        self._dispatcher = dispatcher
        self._clock = clock

    async def look(self) -> Report:
        """Look once; return how many were found."""
        now_us = self._clock.now_us()
        found = await self._storage.stuck_runs(
            before_us=now_us - LATE_S * 1_000_000, limit=_AT_ONCE
        )
        held = {(hold.kind, hold.id) for hold in await self._storage.holds()} if found else set()
        late = alarming = 0
        for run in found:
            if (HoldKind.SERVER, "") in held or (
                {(HoldKind.GRAPH, run.graph_id), (HoldKind.RUN, run.id)} & held
            ):
                continue  # an operator has paused it
            silent_us = now_us - max(run.created_us, run.started_us or 0)
            if run.status is Status.QUEUED:
                late += 1
                alarming += silent_us > ALARMING_S * _S_US
                log.warning("run_late", execution=run.id, queued_s=silent_us // _S_US)
                self._dispatcher.signal(SignalKind.RUN, run.id, run.user_id)
            elif silent_us > SILENT_S * _S_US:
                late += 1
                alarming += 1
                log.warning("run_silent", execution=run.id, running_s=silent_us // _S_US)
        alert = ""
        if alarming:
            alert = f"{alarming} runs have not moved for a long time; `agpt why RUN` says why"
        return Report(result=f"{late} late runs", alert=alert)
