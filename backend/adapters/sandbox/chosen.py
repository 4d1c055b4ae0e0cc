"""The sandbox of this machine: found out when somebody first needs it, by running something in it."""

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import structlog

from backend.adapters.sandbox.rooms import Maker, SandboxRooms
from backend.core.errors import AgentServerError, NotConfigured, Unavailable
from backend.core.ids import UserId
from backend.ports.sandbox import CodeOutcome, CodeStep, SandboxLimits

log = structlog.get_logger()

_TRIAL: Final = CodeStep(code="6 * 7")
_TRIAL_S: Final = 10.0
_NOBODY: Final = UserId("trial")


class Kind(StrEnum):
    """What the setting CODE_SANDBOX can say."""

    AUTO = "auto"
    BUBBLEWRAP = "bubblewrap"
    MONTY = "monty"
    OFF = "off"


class ChosenSandboxes:
    """
    See backend.ports.sandbox.Sandboxes.

    Attributes:
        kind: What was chosen, once something was.
        reason: Why bubblewrap was not, if it was tried.
    """

    def __init__(self, kind: Kind, limits: SandboxLimits) -> None:
        self._asked = kind
        self._limits = limits
        self._choosing = asyncio.Lock()
        self._rooms: SandboxRooms | None = None
        self._refusal = ""
        self._closed = False
        self.kind: Kind | None = None
        self.reason = ""

    async def run(
        self, user_id: UserId, steps: Sequence[CodeStep], *, time_s: float
    ) -> CodeOutcome:
        """See the port."""
        return await (await self._chosen()).run(user_id, steps, time_s=time_s)

    async def open(
        self, user_id: UserId, steps: Sequence[CodeStep], *, keep_s: float
    ) -> tuple[str, CodeOutcome]:
        """See the port."""
        return await (await self._chosen()).open(user_id, steps, keep_s=keep_s)

    async def step(self, user_id: UserId, sandbox_id: str, step: CodeStep) -> CodeOutcome:
        """See the port."""
        return await (await self._chosen()).step(user_id, sandbox_id, step)

    async def end(self, user_id: UserId, sandbox_id: str) -> None:
        """See the port."""
        if self._rooms is not None:
            await self._rooms.end(user_id, sandbox_id)

    async def close(self) -> None:
        """See the port."""
        self._closed = True
        if self._rooms is not None:
            await self._rooms.close()

    async def _chosen(self) -> SandboxRooms:
        async with self._choosing:
            if self._rooms is None and not self._refusal:
                await self._choose()
        if self._rooms is None:
            raise NotConfigured(self._refusal)
        return self._rooms

    async def _choose(self) -> None:
        if self._closed:
            raise Unavailable("the server is stopping: no sandbox is started any more")
        for kind in (Kind.BUBBLEWRAP, Kind.MONTY):
            if self._asked not in (Kind.AUTO, kind):
                continue
            rooms = SandboxRooms(self._maker(kind), self._limits)
            problem = await _problem(rooms)
            if problem is None:
                self._rooms, self.kind = rooms, kind
                log.info("sandbox_chosen", kind=kind, instead_of_bubblewrap=self.reason or None)
                return
            await rooms.close()
            self.reason = self.reason or problem
        if self._asked is Kind.OFF:
            self._refusal = "code is not run on this server (setting CODE_SANDBOX is off)"
        else:
            self._refusal = (
                f"code is not run on this server: no sandbox works here ({self.reason}; "
                f"setting CODE_SANDBOX is {self._asked})"
            )

    def _maker(self, kind: Kind) -> Maker:
        if kind is Kind.BUBBLEWRAP:
            from backend.adapters.sandbox.bubblewrap import Bubblewrap  # noqa: PLC0415

            return Bubblewrap(self._limits)
        from backend.adapters.sandbox.monty import Monty  # noqa: PLC0415 - on first use

        return Monty(self._limits)


async def _problem(rooms: SandboxRooms) -> str | None:
    """Return why nothing runs in *rooms*; None if it does."""
    try:
        outcome = await rooms.run(_NOBODY, [_TRIAL], time_s=_TRIAL_S)
    except (AgentServerError, ImportError, OSError) as exc:
        return str(exc)
    if outcome.error is None and outcome.results and outcome.results[0].get("text") == "42":
        return None
    return f"it answered {outcome.error or outcome.results}"
