"""The system's own jobs: looked at every so often, each with a row that tells its last run."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from backend.core.errors import AgentServerError
from backend.core.status import Status
from backend.ports.clock import Clock
from backend.ports.dispatch import Dispatcher, SignalKind
from backend.ports.storage import SystemStorage

log = structlog.get_logger()

#: A queued run that is older has been waiting for a slot, or for nobody.
LATE_S: Final = 60
#: A run that has committed nothing for so long deserves a look (spec/contract.md 19).
SILENT_S: Final = 24 * 3600
_AT_ONCE: Final = 100


@dataclass
class JobFigures:
    """What the process knows of a job, for /metrics."""

    ended_us: int = 0  #: of the last time
    took_s: float = 0.0  #: the last time
    failures: int = 0


@dataclass(frozen=True, kw_only=True)
class Job:
    """Something that is done every *every_s* seconds. *work* returns what it did, in words."""

    name: str
    every_s: float
    work: Callable[[], Awaitable[str]]


class Jobs:
    """Runs jobs, each at its pace. `serve` must run."""

    def __init__(self, storage: SystemStorage, clock: Clock, jobs: Sequence[Job]) -> None:
        self._storage = storage
        self._clock = clock
        self._jobs = jobs
        self.figures = {job.name: JobFigures() for job in jobs}

    async def serve(self) -> None:
        """Run all jobs, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for job in self._jobs:
                group.create_task(self._repeat(job), name=job.name)

    async def _repeat(self, job: Job) -> None:
        while True:
            await self.run_once(job)
            await asyncio.sleep(job.every_s)

    async def run_once(self, job: Job) -> str:
        """Run *job* now and note it; return what it did, or why it failed."""
        figures = self.figures.setdefault(job.name, JobFigures())
        started_us, started_s = self._clock.now_us(), self._clock.monotonic_s()
        try:
            result = await job.work()
        except AgentServerError as exc:
            result = f"failed: {exc}"
            figures.failures += 1
            log.warning("job_failed", job=job.name, error=str(exc))
        figures.took_s = self._clock.monotonic_s() - started_s
        figures.ended_us = self._clock.now_us()
        try:
            await self._storage.note_job(
                job.name, started_us=started_us, ended_us=figures.ended_us, result=result
            )
        except AgentServerError as exc:
            log.warning("job_not_noted", job=job.name, error=str(exc))
        return result


class StuckRunWatch:
    """Finds runs that do not move, wakes their executor, and says so in the log."""

    def __init__(self, storage: SystemStorage, dispatcher: Dispatcher, clock: Clock) -> None:
        self._storage = storage
        self._dispatcher = dispatcher
        self._clock = clock

    async def look(self) -> str:
        """Look once; return how many were found."""
        now_us = self._clock.now_us()
        found = await self._storage.stuck_runs(
            before_us=now_us - LATE_S * 1_000_000, limit=_AT_ONCE
        )
        late = 0
        for run in found:
            silent_us = now_us - max(run.created_us, run.started_us or 0)
            if run.status is Status.QUEUED:
                late += 1
                log.warning("run_late", execution=run.id, queued_s=silent_us // 1_000_000)
                self._dispatcher.signal(SignalKind.RUN, run.id, run.user_id)
            elif silent_us > SILENT_S * 1_000_000:
                late += 1
                log.warning("run_silent", execution=run.id, running_s=silent_us // 1_000_000)
        return f"{late} late runs"
