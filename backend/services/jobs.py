"""The server's own jobs, as administrators see them and ask for them. The scheduler runs them."""

from backend.core.errors import NotFound
from backend.ports.clock import Clock
from backend.ports.jobs import JobRun, JobState, SystemJobs


class JobService:
    """For administrators only: its caller sees to that."""

    def __init__(self, *, jobs: SystemJobs, clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock

    async def listed(self) -> list[JobState]:
        """Return how all jobs stand, by name; none before a scheduler was there."""
        return await self._jobs.states()

    async def runs(self, name: str, *, limit: int) -> list[JobRun]:
        """Return the newest runs of a job, newest first. Raises NotFound if there is no such job."""
        if all(state.name != name for state in await self._jobs.states()):
            raise NotFound(f"Job {name[:100]!r} not found.")
        return await self._jobs.runs(name, limit=limit)

    async def ask(self, name: str) -> JobState:
        """
        Have a job run at once, by the scheduler, and return how it stands; twice is one run.

        Raises:
            NotFound: If there is no such job.
        """
        state = await self._jobs.ask(name, now_us=self._clock.now_us())
        if state is None:
            raise NotFound(f"Job {name[:100]!r} not found.")
        return state
