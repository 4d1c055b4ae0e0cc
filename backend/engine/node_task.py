"""A node that runs in a task of its own: once its cause is on disk, in its time, again if need be.

What its policy says is in core/policy.py. A block that goes on after it was cancelled is left
alone and named: nobody waits for it, and nothing that it still yields counts.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import structlog

from backend.core.block import Effect
from backend.core.budgets import BudgetPending
from backend.core.credits import Charge
from backend.core.errors import InsufficientBalance, StaleAttempt, Unavailable
from backend.core.policy import Failure
from backend.core.reviews import DecisionPending
from backend.core.step import NodeCancelled, NodeRetried
from backend.engine.block_run import BlockFailed, BlockRun
from backend.engine.paid_calls import PaidCall
from backend.engine.tools import EngineTools
from backend.ports.why import NodeWork, WorkState

if TYPE_CHECKING:
    from backend.engine.run_loop import RunLoop

log = structlog.get_logger()

#: Outputs that a streaming node may be ahead of the disk.
OUTPUTS_AHEAD: Final = 500
#: How long a block that was cancelled may take to clean up.
GRACE_S: Final = 1.0
#: In so many parts: where everything stood still for a while (a frozen process, a slow disk), one
#: part is gone at most, and the block still has the others to clean up in.
_LOOKS: Final = 4
#: The longest that a service may make a node wait before its next try.
_MOST_PATIENCE_S: Final = 3600.0
#: So old may be the last word that a run is ours when something is done for it outside; a silent
#: executor is missed after more than that.
FRESH_S: Final = 5.0
#: How often it is asked at the most, where each word takes that long.
_MOST_WORDS: Final = 3


class NodeTask:
    """
    One node execution in a task, from its start to its end.

    Attributes:
        task: Set by `start`.
    """

    task: "asyncio.Task[None]"

    def __init__(
        self,
        loop: "RunLoop",
        tools: EngineTools,
        run: BlockRun,
        *,
        failed: BlockFailed | None = None,
    ) -> None:
        """
        Make the task of *run*.

        Args:
            failed: How its last try ended, when that one's task was left alone.
        """
        self._loop = loop
        self._tools = tools
        self._run = run
        self._failed = failed
        self._is_late = False
        self._is_left_alone = False
        self._tried_s: float | None = None  # when the try under way began to work
        self._again_s: float | None = None  # when the next one begins
        self._sure_s = 0.0  # when it was asked last whether the run is ours

    def start(self) -> None:
        """Begin; from the event loop's thread."""
        self.task = self._tools.spawn(self._work())
        self.task.add_done_callback(self._tell_if_never_begun)

    def cancel(self) -> None:
        """Cancel the block; one that has not ended a little later is left alone."""
        self.task.cancel()
        # A node that runs an agent ends when that has: its blocks have their own grace.
        if not self._run.execution.node.is_agent:
            self._look_later(_LOOKS)

    def let_go(self) -> None:
        """End the block without a word about it: it is run again another time."""
        self._is_left_alone = True
        self.task.cancel()
        self._loop.forget_task(self)

    def _tell_if_never_begun(self, task: "asyncio.Task[None]") -> None:
        # A task that is cancelled before its first turn ends without entering `_work` at all.
        if task.cancelled():
            self._cancelled()

    def _cancelled(self) -> None:
        if self._is_left_alone:
            return
        loop, used = self._loop, self._run.usage.models
        if self._is_stopping():
            loop.happened(NodeCancelled(ordinal=self.ordinal, at_us=loop.now(), models=used))
        else:
            # Either the whole process ends, and its rows say where the run goes on, or the block
            # did it: who is still here a moment later knows. Nothing is passed over meanwhile.
            asyncio.get_running_loop().call_later(GRACE_S, self._fail_as_cancelled)

    def _fail_as_cancelled(self) -> None:
        loop, execution = self._loop, self._run.execution
        is_open = self.ordinal in loop.execution.running and loop.task_of(self.ordinal) is None
        if is_open and not loop.over:  # else it was stopped meanwhile, or others go on with it
            loop.end_node(self._run, f"{execution.node.block.name} cancelled its own task")
            loop.pump()

    async def _work(self) -> None:
        loop, ordinal = self._loop, self._run.execution.ordinal
        try:
            failed = await self._outcome()
        except asyncio.CancelledError:
            self._cancelled()
        except StaleAttempt:
            # A step was refused, maybe before the run itself was: its next commit tells.
            self._tools.journal.mark(loop)
        except (DecisionPending, BudgetPending) as exc:
            if not (loop.over or self._is_left_alone):
                loop.ask(exc.question if isinstance(exc, DecisionPending) else None, ordinal)
                loop.pump()
                self._tools.budgets.somebody_waits()
        else:
            if not (loop.over or self._is_left_alone):
                loop.end_node(self._run, None if failed is None else str(failed))
                loop.pump()

    async def _outcome(self) -> BlockFailed | None:
        """Try as often as the policy says; return how it failed for good, if it did."""
        failed, self._failed = self._failed, None
        while True:
            failed = failed or await self._one_try()
            if failed is None or self._is_left_alone:
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
            self._again_s = self._tools.clock.monotonic_s() + wait_s
            await asyncio.sleep(wait_s)
            self._again_s = None
            self._run.again()
            failed = None

    def _wait_before_retry_s(self, failed: BlockFailed) -> float | None:
        execution = self._run.execution
        if self._loop.over or self._is_stopping():
            return None
        wait_s = execution.node.policy.wait_before_retry_s(
            execution.node.block, self._run.effect, failed=execution.tries + 1, kind=failed.kind
        )
        if wait_s is None:
            return None
        # A try before the time that the service named would only be refused again.
        return max(wait_s, min(failed.retry_after_s, _MOST_PATIENCE_S))

    def _is_stopping(self) -> bool:
        return self._loop.execution.stop_as is not None

    async def _one_try(self) -> BlockFailed | None:
        try:
            if self._run.effect is not Effect.PURE or self._run.price:
                await self._make_sure(again=False)
            if self._run.call_price is not None:
                await self._with_paid_call(self._run.call_price)
            else:
                await self._paid_for_in_time()
        except asyncio.CancelledError:
            return self._after_cancel()
        except (StaleAttempt, DecisionPending, BudgetPending):
            raise
        except BlockFailed as exc:
            return self._too_late() or exc
        except Exception as exc:  # border: a defect of ours ends the node, not the server
            log.exception("node_task_broken", execution=self._loop.execution.id)
            return BlockFailed(f"internal error: {exc!r}", Failure.UNKNOWN)
        return self._too_late()

    async def _with_paid_call(self, micro_usd: int) -> None:
        """Do a try that makes a paid call: what it may take is reserved before, and settled after."""
        number = self._run.execution.tries + 1
        call = PaidCall(self._tools, self._loop, self._run, micro_usd, number)
        await call.begin()
        try:
            await self._paid_for_in_time()
        except BaseException as exc:
            await call.fail(exc)
            raise
        await call.end()

    async def _paid_for_in_time(self) -> None:
        if self._run.price:
            await self._pay()
        if self._run.effect is not Effect.PURE:
            await self._make_sure(again=True)
        await self._in_time()

    async def _make_sure(self, *, again: bool) -> None:
        """
        Wait until what is about to be done is on disk, and the run is known to be still ours.

        Who was frozen between that word and the deed, or waited for a database that was away, asks
        anew: others may have gone on meanwhile, and said that the outcome is not known.

        Args:
            again: Only if the last word is too old.

        Raises:
            StaleAttempt: If the run is somebody else's.
        """
        clock = self._tools.clock
        for _ in range(_MOST_WORDS):
            if again and clock.monotonic_s() - self._sure_s < FRESH_S:
                return
            again, asked_s = True, clock.monotonic_s()
            await self._tools.journal.saved(self._loop)
            self._sure_s = asked_s

    async def _pay(self) -> None:
        """
        Pay for the node, once for all its tries and for all attempts of its run.

        Its key is that of the effect ledger: whoever begins this execution again after a crash
        finds that it is paid. Raises BlockFailed if it cannot be.
        """
        run, record = self._run, self._loop.stored.record
        assert self._tools.ledger is not None
        charge = Charge(
            user_id=record.user_id,
            key=f"USAGE-{record.id}-{run.execution.id}",
            amount=run.price,
            block=run.execution.node.block.name,
            graph_id=record.graph_id,
            run_id=record.id,
            agent_name=self._loop.execution.plan.graph.name,
        )
        try:
            await self._tools.ledger.charge(charge, now_us=self._loop.now())
        except InsufficientBalance as exc:
            raise BlockFailed(str(exc), Failure.INPUT) from exc
        except Unavailable as exc:
            raise BlockFailed(f"it could not be paid for: {exc}", Failure.UNAVAILABLE) from exc
        run.usage.cost += run.price
        run.price = 0

    async def _in_time(self) -> None:
        limit_s, _ = self._time_limit()
        self._tried_s = self._tools.clock.monotonic_s()
        timer = None
        if limit_s:
            timer = asyncio.get_running_loop().call_later(limit_s, self._time_is_up)
        try:
            await self._consume()
        finally:
            self._tried_s = None
            if timer is not None:
                timer.cancel()

    def _after_cancel(self) -> BlockFailed:
        """Return what a cancelled try failed with; raise where all of the node was cancelled."""
        if self._is_late and not self._is_stopping():
            self.task.uncancel()
            return self._too_late() or self._time_failure()
        if self.task.cancelling():
            raise asyncio.CancelledError
        return BlockFailed("the block cancelled itself", Failure.UNKNOWN)

    def work(self) -> NodeWork:
        """Return what it does now."""
        now_s, node = self._tools.clock.monotonic_s(), self._run.execution.node
        retries = node.block.retries if node.policy.retries is None else node.policy.retries
        limit_s, whose = self._time_limit()
        state, for_s = WorkState.WAITS_FOR_DISK, 0.0
        if self._again_s is not None:
            state, for_s = WorkState.WAITS_TO_RETRY, max(0.0, self._again_s - now_s)
        elif self._tried_s is not None:
            state, for_s = WorkState.WORKS, now_s - self._tried_s
        return NodeWork(state=state, for_s=for_s, limit_s=limit_s, whose=whose, tries=retries + 1)

    # Time limits.

    def _time_limit(self) -> tuple[float, str]:
        """Return the time for one try in seconds, 0 for none, and who set it."""
        node = self._run.execution.node
        if node.policy.time_limit_s is not None:
            return node.policy.time_limit_s, "the node's policy, time_limit_s"
        if node.block.time_limit_s is not None:
            return node.block.time_limit_s, "the block's own; a node's policy may set time_limit_s"
        return self._tools.limits.node_s, "setting MAX_NODE_TIME_S"

    def _time_is_up(self) -> None:
        self._is_late = True
        self.cancel()

    def _too_late(self) -> BlockFailed | None:
        """Return the failure of a try that ended after its time, however it ended."""
        if not self._is_late:
            return None
        self._is_late = False
        return self._time_failure()

    def _time_failure(self, more: str = "") -> BlockFailed:
        limit_s, whose = self._time_limit()
        title = self._run.execution.node.title
        words = f"TimeLimit: {title} took longer than {limit_s:g} s ({whose})"
        return BlockFailed(f"{words}{more}", Failure.TIMEOUT)

    # Blocks that do not stop.

    def _look_later(self, looks: int) -> None:
        later = asyncio.get_running_loop().call_later
        later(GRACE_S / _LOOKS, self._look_whether_gone, looks - 1)

    def _look_whether_gone(self, looks: int) -> None:
        """Leave the block alone if it still works at the last of its *looks*."""
        if self.task.done() or self._is_left_alone or self._loop.over:
            return
        if not (self._is_late or self._is_stopping()):
            return  # it has stopped, and this is its next try
        if looks:
            self._look_later(looks)
            return
        self._is_left_alone = True
        execution = self._run.execution
        block = execution.node.block.name
        words = f"{block} did not stop when it was cancelled, and was left alone"
        self._tools.leave_alone(self.task)
        log.error(
            "block_ignores_cancellation",
            block=block,
            execution=self._loop.execution.id,
            node=execution.node.id,
        )
        if self._is_late and not self._is_stopping():
            failed = self._time_failure(f"; {words}")
            self._loop.start_task(NodeTask(self._loop, self._tools, self._run, failed=failed))
        else:
            self._loop.forget_task(self)
            self._loop.happened(
                NodeCancelled(ordinal=execution.ordinal, at_us=self._loop.now(), error=words)
            )

    @property
    def ordinal(self) -> int:
        """Which of the run's executions it is."""
        return self._run.execution.ordinal

    async def _consume(self) -> None:
        run, loop = self._run, self._loop
        if run.is_inline:
            for name, value in run.outputs():
                loop.yielded(run, name, value)
            return
        outputs: AsyncIterator[tuple[str, Any]] = run.async_outputs()
        async for name, value in outputs:
            if loop.over or self._is_left_alone:
                return
            loop.yielded(run, name, value)
            loop.pump()
            if run.ahead >= OUTPUTS_AHEAD:
                run.ahead = 0
                await self._tools.journal.saved(loop)
