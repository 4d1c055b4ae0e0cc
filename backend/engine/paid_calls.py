"""The one paid call of a node whose block is no language model: held to budgets, and counted."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import structlog

from backend.core.budgets import BudgetPending, Estimate
from backend.core.errors import StaleAttempt
from backend.core.node_steps import CallMade, PlannedCall, StepBegun
from backend.core.policy import Failure
from backend.engine.block_run import BlockFailed, BlockRun
from backend.engine.node_steps import step_place
from backend.engine.tools import EngineTools

if TYPE_CHECKING:
    from backend.engine.run_loop import RunLoop

log = structlog.get_logger()

#: After these nobody knows whether the service has done its work.
_UNKNOWN: Final = frozenset({Failure.TIMEOUT, Failure.UNKNOWN, Failure.OUTPUT})


class PaidCall:
    """A try of a node that may cost *micro_usd*: `begin` before it, then `end`, or `fail`."""

    def __init__(
        self, tools: EngineTools, loop: "RunLoop", run: BlockRun, micro_usd: int, number: int
    ) -> None:
        self._tools = tools
        self._loop = loop
        self._run = run
        self._micro_usd = micro_usd
        self._place = step_place(tools, loop, run.execution)
        self._number = number
        self._begun: StepBegun | None = None

    async def begin(self) -> None:
        """
        Reserve what the call may take, and count it.

        Raises:
            BudgetPending: If a budget has no room for it.
            StaleAttempt: If the run is not ours any more.
        """
        call = PlannedCall(
            model=self._run.execution.node.block.name,
            most=Estimate(micro_usd=self._micro_usd),
            defaults=self._tools.limits.budgets,
        )
        begun = await self._begin(call)
        while begun.is_done:  # a crash came before the node's end: it is called, and paid, again
            self._number += 1
            begun = await self._begin(call)
        self._run.usage.asked = begun.used
        if begun.waits_for is not None:
            log.info("node_waits_for_budget", execution=self._loop.execution.id)
            raise BudgetPending(begun.waits_for)
        self._begun = begun

    async def _begin(self, call: PlannedCall) -> StepBegun:
        return await self._tools.steps.begin_step(
            self._place, self._key, repeatable=True, now_us=self._loop.now(), call=call
        )

    @property
    def _key(self) -> str:
        return f"paid call {self._number}"

    async def end(self) -> None:
        """Note that the call was made."""
        block = self._run.execution.node.block
        self._run.usage.asked = await self._tools.steps.finish_step(
            self._place,
            self._key,
            result=None,
            now_us=self._loop.now(),
            call=CallMade(model=block.name, cost_micro_usd=self._micro_usd),
        )

    async def fail(self, error: BaseException) -> None:
        """Give back what is reserved, or count all of it where nobody knows what was done."""
        if self._begun is None or not self._begun.is_reserved:
            return
        is_known = isinstance(error, BlockFailed) and error.kind not in _UNKNOWN
        giving = self._tools.steps.give_up_call(self._place, self._key, is_known=is_known)
        with contextlib.suppress(StaleAttempt):  # whoever has the run has settled it
            await asyncio.shield(giving)
