"""Where the server's own jobs are kept: when they are due, and what they did."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class JobState:
    """
    How a job stands.

    Attributes:
        requested_us: When an administrator asked for it; None: nobody did since it was begun.
        held_until_us: Until then somebody runs it, unless they say so again; 0: nobody.
    """

    name: str
    every_us: int
    due_us: int = 0
    requested_us: int | None = None
    held_until_us: int = 0
    started_us: int = 0  #: of the last time; 0: never
    ended_us: int = 0
    result: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRun:
    """What a job did once; *error* says why it failed."""

    job: str
    started_us: int
    ended_us: int
    ok: bool
    result: str
    error: str | None = None


class SystemJobs(Protocol):
    """The server's own jobs, for any number of schedulers."""

    async def declare(self, jobs: Mapping[str, int]) -> None:
        """Note which jobs there are, and every how many microseconds; others are no more."""

    async def states(self) -> list[JobState]:
        """Return how declared jobs stand, by name."""

    async def claim(self, name: str, *, now_us: int, held_until_us: int) -> bool:
        """
        Begin a job that is due or asked for, and that nobody holds.

        What was due before counts as one: after days without a server it is run once.

        Returns:
            False, with nothing done, if there is nothing to begin.
        """

    async def hold(self, name: str, *, held_until_us: int, until_us: int) -> bool:
        """Go on holding a job; False if it is somebody else's by now."""

    async def finish(
        self, run: JobRun, *, held_until_us: int, alert: str = "", keep: int = 100
    ) -> bool:
        """
        Note what a job did, let it go, and keep its newest *keep* runs.

        Args:
            alert: What administrators are told, with pauses that grow while it goes on: in the
                same transaction. Empty: all is well again.

        Returns:
            Whether administrators were told.
        """

    async def ask(self, name: str, *, now_us: int) -> JobState | None:
        """Ask for a job to be run at once; return how it stands, None if there is none."""

    async def runs(self, name: str, *, limit: int) -> list[JobRun]:
        """Return the newest runs of a job, newest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """How often something ended, and how often it failed."""

    id: str
    count: int
    failed: int


class JobReports(Protocol):
    """Sums over recent runs, of so many at most that a look stays short."""

    async def blocks(self, *, since_us: int, runs: int) -> list[Outcomes]:
        """Return how steps ended, by block, in the newest *runs* that ended since."""

    async def agents(self, *, since_us: int, until_us: int, runs: int) -> list[Outcomes]:
        """Return how runs ended, by graph, of the newest *runs* that ended in that time."""
