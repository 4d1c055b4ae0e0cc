"""A node that runs in a task of its own: once its cause is on disk, within its time, again if need be.

What its policy says is in core/policy.py. A block that goes on after it was cancelled is left
alone and named: nobody waits for it, and nothing that it still yields counts.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import structlog

from backend.core.block import Effect
from backend.core.errors import StaleAttempt
from backend.core.policy import Failure
from backend.core.reviews import DecisionPending
from backend.core.step import NodeCancelled, NodeRetried
from backend.engine.block_run import BlockFailed, BlockRun
from backend.engine.tools import EngineTools

if TYPE_CHECKING:
    from backend.engine.run_loop import RunLoop

log = structlog.get_logger()

#: Outputs that a streaming node may be ahead of the disk.
OUTPUTS_AHEAD: Final = 500
#: How long a block that was cancelled may take to clean up.
GRACE_S: Final = 1.0


class NodeTask:
    """One node execution, from its start to its end."""

    def __init__(self, loop: "RunLoop", tools: EngineTools, run: BlockRun) -> None:
        self._loop = loop
        self._tools = tools
        self._run = run
        self._try: object = None
        self._left_alone: str | None = None

    async def run(self) -> None:
        """Run the block and tell the run how it ended."""
        loop, ordinal = self._loop, self._run.execution.ordinal
        try:
            failed = await self._outcome()
        except asyncio.CancelledError:
            loop.happened(NodeCancelled(ordinal=ordinal, at_us=loop.now(), error=self._left_alone))
        except StaleAttempt:
            return
        except DecisionPending as exc:
            if not loop.over:
                loop.ask(exc.question, ordinal)
                loop.pump()
        else:
            if not loop.over:
                loop.end_node(self._run, None if failed is None else str(failed))
                loop.pump()

    async def _outcome(self) -> BlockFailed | None:
        """Try as often as the policy says; return how it failed for good, if it did."""
        while True:
            failed = await self._one_try()
            if failed is None:
                return None
            wait_s = self._wait_before_retry_s(failed)
            if wait_s is None:
                return failed
            execution = self._run.execution
            log.info(
                "node_tried_again",
                execution=self._loop.execution.id,
                node=execution.node.id,
                failed=execution.tries + 1,
                wait_s=wait_s,
                error=str(failed)[:500],
            )
            self._loop.happened(
                NodeRetried(ordinal=execution.ordinal, error=str(failed), at_us=self._loop.now())
            )
            await asyncio.sleep(wait_s)
            self._run.again()

    def _wait_before_retry_s(self, failed: BlockFailed) -> float | None:
        execution = self._run.execution
        if self._loop.over or self._loop.execution.stop_as is not None:
            return None
        return execution.node.policy.wait_before_retry_s(
            execution.node.block, self._run.effect, failed=execution.tries + 1, kind=failed.kind
        )

    async def _one_try(self) -> BlockFailed | None:
        try:
            if self._run.effect is not Effect.PURE:
                await self._tools.journal.saved(self._loop)
            await self._in_time()
        except (StaleAttempt, DecisionPending):
            raise
        except BlockFailed as exc:
            return exc
        except Exception as exc:  # border: a defect of ours ends the node, not the server
            log.exception("node_task_broken", execution=self._loop.execution.id)
            return BlockFailed(f"internal error: {exc!r}", Failure.UNKNOWN)
        return None

    async def _in_time(self) -> None:
        """Run the block once. Raises BlockFailed; CancelledError only if this task is cancelled."""
        this_try = self._try = object()
        work = asyncio.get_running_loop().create_task(self._consume(this_try))
        limit_s, whose = self._time_limit()
        try:
            done, _ = await asyncio.wait({work}, timeout=limit_s or None)
            if not done:
                await self._cancel(work)
                title = self._run.execution.node.title
                words = [f"TimeLimit: {title} took longer than {limit_s:g} s ({whose})"]
                words += [self._left_alone] if self._left_alone else []
                raise BlockFailed("; ".join(words), Failure.TIMEOUT)
        except asyncio.CancelledError:
            await self._cancel(work)
            raise
        if work.cancelled():
            raise BlockFailed("the block cancelled itself", Failure.UNKNOWN)
        work.result()

    def _time_limit(self) -> tuple[float, str]:
        """Return the time for one try in seconds, 0 for none, and who set it."""
        node = self._run.execution.node
        if node.policy.time_limit_s is not None:
            return node.policy.time_limit_s, "the node's policy, time_limit_s"
        if node.block.time_limit_s is not None:
            return node.block.time_limit_s, "the block's own; a node's policy may set time_limit_s"
        return self._tools.limits.node_s, "setting MAX_NODE_TIME_S"

    async def _cancel(self, work: "asyncio.Task[None]") -> None:
        """Cancel *work* and wait until it has cleaned up, or leave it alone."""
        self._try = None
        work.cancel()
        # A node that runs an agent ends when that has: its blocks have their own grace.
        grace_s = None if self._run.execution.node.is_agent else GRACE_S
        done, _ = await asyncio.wait({work}, timeout=grace_s)
        if done:
            if not work.cancelled():
                work.exception()  # looked at: what it says after it was cancelled does not matter
            return
        block = self._run.execution.node.block.name
        self._left_alone = f"{block} did not stop when it was cancelled, and was left alone"
        self._tools.leave_alone(work)
        log.error(
            "block_ignores_cancellation",
            block=block,
            execution=self._loop.execution.id,
            node=self._run.execution.node.id,
        )

    async def _consume(self, this_try: object) -> None:
        run, loop = self._run, self._loop
        if run.is_inline:
            for name, value in run.outputs():
                loop.yielded(run, name, value)
            return
        outputs: AsyncIterator[tuple[str, Any]] = run.async_outputs()
        async for name, value in outputs:
            if loop.over or this_try is not self._try:
                return
            loop.yielded(run, name, value)
            loop.pump()
            if run.ahead >= OUTPUTS_AHEAD:
                run.ahead = 0
                await self._tools.journal.saved(loop)
