"""Sandboxes: code of users, run where it reaches nothing of this machine, of others, of the network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from backend.core.ids import UserId
from backend.core.json import Json

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class SandboxLimits:
    """How much code in a sandbox may take. Each names the setting that moves it when it bites."""

    count: int = 4  #: that work at once; further ones wait
    kept: int = 16  #: that wait for a further step
    time_s: float = 300.0  #: of one step, and of the life of a sandbox that is kept
    memory_bytes: int = 512 * _MEGABYTE  #: of all processes of one sandbox together
    disk_bytes: int = 64 * _MEGABYTE  #: of all files of one sandbox, which are held in memory
    output_bytes: int = _MEGABYTE  #: that one step prints or returns
    processes: int = 64  #: of one sandbox, threads included


@dataclass(frozen=True, kw_only=True)
class CodeStep:
    """A text to run; *language* is "python", "bash" or another word for which there is none here."""

    code: str = field(repr=False)
    language: str = "python"


@dataclass(frozen=True, kw_only=True)
class CodeOutcome:
    """
    What a step came to.

    Attributes:
        results: What its last expression is: by format (text, json, html, png …), at most one.
        error: What the code raised, with its lines; None: it came to its end.
    """

    stdout: str = ""
    stderr: str = ""
    results: tuple[Mapping[str, Json], ...] = ()
    error: str | None = None


class Sandboxes(Protocol):
    """
    Runs code of users: without network, files, environment or processes of this machine.

    What is raised:

    - NotConfigured, if there is no sandbox here, or not for this language; names the setting;
    - ProcessEnded, if a limit ended it; names the setting. Its sandbox is gone then;
    - TooManyRequests, if this user keeps too many of them;
    - NotFound, if this user has no sandbox of that id: any more, or at all;
    - Unavailable, if none can be started now.
    """

    async def run(
        self, user_id: UserId, steps: Sequence[CodeStep], *, time_s: float
    ) -> CodeOutcome:
        """
        Run *steps* in a sandbox of their own, one after the other; return what the last came to.

        What all of them printed is in the outcome. A step that fails is the last.

        Args:
            time_s: For all of them; the installation's limit counts where it is less.
        """

    async def open(
        self, user_id: UserId, steps: Sequence[CodeStep], *, keep_s: float
    ) -> tuple[str, CodeOutcome]:
        """Do as `run`, keep the sandbox for *keep_s* seconds, and return its id, too."""

    async def step(self, user_id: UserId, sandbox_id: str, step: CodeStep) -> CodeOutcome:
        """Run *step* where earlier ones left off. One at a time: a further one waits."""

    async def end(self, user_id: UserId, sandbox_id: str) -> None:
        """End a sandbox that is kept. One that is gone already is no error."""

    async def close(self) -> None:
        """End all of them and wait for that. Twice is harmless."""
