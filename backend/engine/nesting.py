"""Runs that runs start. A child is a run like any other, with rows and events of its own.

Its id is derived from the node execution that starts it: after a crash the same node finds the
same child, which goes on by itself, and takes up its outputs where it was.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from backend.core.block import BlockType
from backend.core.errors import BadRequest, BlockExecutionError
from backend.core.execution import NodeExecution, RunStats
from backend.core.ids import ExecutionId, GraphId, derived_id
from backend.core.records import ExecutionRecord, NewExecution
from backend.core.status import Status
from backend.engine.context import Usage

if TYPE_CHECKING:
    from backend.engine.run_loop import RunLoop


class Children(Protocol):
    """What the worker does for nested runs."""

    async def child_loop(self, run_id: ExecutionId) -> "RunLoop | None":
        """Return the loop of a child run, begun if it was not; None if it has ended."""

    async def finished_child(
        self, run_id: ExecutionId
    ) -> tuple[ExecutionRecord, list[NodeExecution]] | None:
        """Return a run that has ended, with its node executions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildEnd:
    """How a child ended."""

    status: Status
    stats: RunStats


class Nesting:
    """Starts child runs for nodes and hands their outputs on."""

    def __init__(self, children: Children, *, limit: int) -> None:
        self._children = children
        self._limit = limit

    async def run(
        self,
        loop: "RunLoop",
        execution: NodeExecution,
        usage: Usage,
        graph_id: str,
        graph_version: int,
        inputs: Mapping[str, Any],
    ) -> AsyncIterator[tuple[str, Any]]:
        """
        Run a graph inside a run; yield (output name, value) as they come.

        Raises:
            BlockExecutionError: If the child failed, was stopped, or is nested too deeply.
        """
        stored = loop.stored
        if stored.depth + 1 > self._limit:
            raise BadRequest(
                f"agents are nested over {self._limit} deep (setting MAX_AGENT_NESTING)"
            )
        child = NewExecution(
            id=ExecutionId(derived_id(stored.record.id, execution.id, "child")),
            user_id=stored.record.user_id,
            graph_id=GraphId(graph_id),
            graph_version=graph_version,
            inputs=dict(inputs),
            masks=stored.record.masks,
            parent_id=stored.record.id,
            root_id=stored.root_id,
            depth=stored.depth + 1,
            trigger="agent",
            created_us=execution.start_us or execution.add_us,
        )
        outputs: asyncio.Queue[tuple[str, Any] | None] = asyncio.Queue()
        ended: asyncio.Future[ChildEnd] = asyncio.get_running_loop().create_future()
        ended.add_done_callback(lambda _: outputs.put_nowait(None))
        try:
            await loop.add_child(child)
            await self._watch(child.id, outputs, ended)
            while (output := await outputs.get()) is not None:
                yield output
            end = ended.result()
            usage.cost += end.stats.cost
            usage.extra_steps += end.stats.node_count
            self._settle(execution, child, end)
        finally:
            # Cancelled, or the parent failed: the child must not outlive it. Where the parent
            # was only given up, both go on elsewhere.
            if not ended.done() and not loop.over:
                await self._stop(loop, child)

    async def _watch(
        self,
        child: ExecutionId,
        outputs: "asyncio.Queue[tuple[str, Any] | None]",
        ended: "asyncio.Future[ChildEnd]",
    ) -> None:
        """Feed *outputs* with all that *child* gives, from its first on, and set *ended*."""
        loop = await self._children.child_loop(child)
        if loop is None:
            await self._replay(child, outputs, ended)
            return
        loop.attach(lambda name, value: outputs.put_nowait((name, value)))

        def note_end(over: "RunLoop") -> None:
            if not ended.done():
                run = over.execution
                ended.set_result(ChildEnd(status=run.status, stats=run.stats))

        loop.on_end.append(note_end)

    async def _replay(
        self,
        child: ExecutionId,
        outputs: "asyncio.Queue[tuple[str, Any] | None]",
        ended: "asyncio.Future[ChildEnd]",
    ) -> None:
        """The child came to its end while its parent was away."""
        found = await self._children.finished_child(child)
        if found is None:
            lost = RunStats(error="the run is gone")
            ended.set_result(ChildEnd(status=Status.FAILED, stats=lost))
            return
        record, executions = found
        for output in finished_outputs(executions):
            outputs.put_nowait(output)
        ended.set_result(ChildEnd(status=record.status, stats=record.stats or RunStats()))

    async def _stop(self, parent: "RunLoop", child: NewExecution) -> None:
        # Cancelled while it was being added, it may still be on its way to the disk.
        await parent.add_child(child)
        loop = await self._children.child_loop(child.id)
        if loop is not None:
            over = asyncio.Event()
            loop.on_end.append(lambda _: over.set())
            loop.stop()
            await over.wait()

    def _settle(self, execution: NodeExecution, child: NewExecution, end: ChildEnd) -> None:
        if end.status is Status.COMPLETED:
            return
        # The reference calls this a success of the parent node; people never learned of it.
        reason = f"agent run #{child.id} ended as {end.status.value}"
        if end.stats.error:
            reason += f": {end.stats.error}"
        spec = execution.node.block
        raise BlockExecutionError(reason, block_name=spec.name, block_id=spec.id)


def outputs_of(execution: NodeExecution) -> Iterator[tuple[str, Any]]:
    """Yield what an output block gave: its name and each value on its pin ``output``."""
    if execution.node.block.block_type is not BlockType.OUTPUT:
        return
    name = str((execution.input or {}).get("name"))
    for pin, value in execution.outputs:
        if pin == "output":
            yield name, value


def finished_outputs(executions: Sequence[NodeExecution]) -> Iterator[tuple[str, Any]]:
    """Yield a run's outputs so far, in the order in which its output blocks ran."""
    # Output blocks run one after the other, in the order in which they were queued.
    for execution in sorted(executions, key=lambda one: one.queue_no or 0):
        if execution.status is Status.COMPLETED:
            yield from outputs_of(execution)
