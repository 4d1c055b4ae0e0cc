"""Runs that runs start. A child is a run like any other, with rows and events of its own.

Its id is derived from the node execution that starts it: after a crash the same node finds the
same child, which goes on by itself, and takes up its outputs where it was.
"""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from backend.core.block import BlockType
from backend.core.errors import BadRequest, BlockExecutionError, Unavailable
from backend.core.execution import NodeExecution, RunStats
from backend.core.ids import ExecutionId, GraphId, run_below
from backend.core.records import ExecutionRecord, NewExecution
from backend.core.status import FINAL, Status
from backend.engine.context import Usage

if TYPE_CHECKING:
    from backend.engine.run_loop import RunLoop


T = TypeVar("T")

#: How long to wait for a database that does not answer.
_AGAIN_S: Final = 0.2


class Children(Protocol):
    """What the worker does for nested runs."""

    async def begin_child(self, run_id: ExecutionId) -> "RunLoop | None":
        """Return the loop of a child run, begun if it was not; None if it moves no more."""

    async def finished_child(
        self, run_id: ExecutionId
    ) -> tuple[ExecutionRecord, list[NodeExecution]] | None:
        """Return a run that has ended or is paused, with its node executions."""

    def watch_child(self, run_id: ExecutionId, attach: "Callable[[RunLoop], None] | None") -> None:
        """Call *attach* with each loop of a child, the present one too; with None no more."""

    def is_held(self, run_id: ExecutionId) -> bool:
        """Say whether a child run was wanted while an operator has paused it."""

    async def stop_child(self, run_id: ExecutionId) -> "RunLoop | None":
        """Stop a child, one that waits for people too; return its loop; None if it had ended."""


def child_id(parent: ExecutionId, execution: NodeExecution) -> ExecutionId:
    """Return the id of the run that a node execution starts; each of its tries has its own."""
    return run_below(parent, execution.id, execution.tries)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildEnd:
    """How a child ended."""

    status: Status
    stats: RunStats


class Nesting:
    """Starts child runs for nodes and hands their outputs on."""

    def __init__(
        self,
        children: Children,
        *,
        limit: int,
        stops_asked: Callable[[], Awaitable[Collection[ExecutionId]]],
    ) -> None:
        self._children = children
        self._limit = limit
        self._stops_asked = stops_asked

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
            id=child_id(stored.record.id, execution),
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
        watch = _Watch(child.id)
        try:
            await loop.add_child(child)
            await _patiently(lambda: self._watch(watch))
            while (output := await watch.outputs.get()) is not None:
                yield output
            end = watch.ended.result()
            if end.status is Status.TERMINATED:
                await self._hear_of_stop(loop)
            usage.cost += end.stats.cost
            usage.extra_steps += end.stats.node_count
            usage.below += end.stats.models
            self._settle(execution, child, end)
        finally:
            # Cancelled, or the parent failed: the child must not outlive it. Where the parent
            # was only given up, both go on elsewhere.
            self._children.watch_child(child.id, None)
            if not watch.ended.done() and not loop.over:
                await self._stop(loop, child)

    async def _hear_of_stop(self, loop: "RunLoop") -> None:
        """
        Stop *loop* now if somebody asked for it, which ends this very node.

        A stop is for a run and all below it, and those below may hear of it first: from their rows,
        when they are begun. Their end would look like a failure of this node.
        """
        if loop.stored.record.id in await _patiently(self._stops_asked):
            loop.stop()
        await asyncio.sleep(0)  # where it was stopped, the node is cancelled here

    async def _watch(self, watch: "_Watch") -> None:
        """Feed *watch* with all that its child gives, from its first output on, and its end."""
        self._children.watch_child(watch.child, watch.attach)
        # Looked for twice: a person may decide after the look at what moves, and before the one
        # at what stands still. What neither look found then, the next one sees move.
        for _ in range(2):
            await self._children.begin_child(watch.child)
            if watch.is_attached() or self._children.is_held(watch.child):
                return
            if await self._found_at_rest(watch):
                return
        watch.end(ChildEnd(status=Status.FAILED, stats=RunStats(error="the run is gone")))

    async def _found_at_rest(self, watch: "_Watch") -> bool:
        """Say whether its child has ended or waits for people, or goes on since; tell its end."""
        found = await self._children.finished_child(watch.child)
        if watch.is_attached():
            return True  # it has gone on while we were reading
        if found is None:
            return False
        record, executions = found
        if record.status is not Status.REVIEW:
            watch.replay(finished_outputs(executions))
            watch.end(ChildEnd(status=record.status, stats=record.stats or RunStats()))
        return True

    async def _stop(self, parent: "RunLoop", child: NewExecution) -> None:
        while True:
            # Cancelled while it was being added, it may still be on its way to the disk. Raises
            # StaleAttempt where others have both by now: they see to it.
            await parent.add_child(child)
            loop = await self._children.stop_child(child.id)
            if loop is None:
                return
            await ended(loop)
            if loop.execution.status in FINAL or parent.over:
                return
            # It was let go before its end: an operator pauses it, or its rows were not taken.
            await asyncio.sleep(_AGAIN_S)

    def _settle(self, execution: NodeExecution, child: NewExecution, end: ChildEnd) -> None:
        if end.status is Status.COMPLETED:
            return
        # The reference calls this a success of the parent node; people never learned of it.
        reason = f"agent run #{child.id} ended as {end.status.value}"
        if end.stats.error:
            reason += f": {end.stats.error}"
        spec = execution.node.block
        raise BlockExecutionError(reason, block_name=spec.name, block_id=spec.id)


async def ended(loop: "RunLoop") -> None:
    """Wait until nothing more happens to *loop* here."""
    if not loop.over:
        over = asyncio.Event()
        loop.on_end.append(lambda _: over.set())
        await over.wait()


async def _patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Do *work*; a database that is away for a while only delays it."""
    while True:
        try:
            return await work()
        except Unavailable:
            await asyncio.sleep(_AGAIN_S)


class _Watch:
    """What one node hears of its child, over all pauses of the child."""

    def __init__(self, child: ExecutionId) -> None:
        self.child = child
        self.outputs: asyncio.Queue[tuple[str, Any] | None] = asyncio.Queue()
        self.ended: asyncio.Future[ChildEnd] = asyncio.get_running_loop().create_future()
        self.ended.add_done_callback(lambda _: self.outputs.put_nowait(None))
        self._told = 0
        self._attached = False

    def is_attached(self) -> bool:
        """Whether a loop of the child was seen."""
        return self._attached

    def attach(self, loop: "RunLoop") -> None:
        """Hear of *loop*'s outputs, from the first on, and of its end."""
        self._attached = True
        seen = 0

        def hear(name: str, value: Any) -> None:
            nonlocal seen
            seen += 1
            if seen > self._told:  # else it was told before the child paused
                self._told += 1
                self.outputs.put_nowait((name, value))

        if loop.emitted is not None:
            loop.emitted.attach(hear)
        loop.on_end.append(
            lambda over: self.end(
                ChildEnd(status=over.execution.status, stats=over.execution.stats)
            )
        )

    def replay(self, outputs: Iterator[tuple[str, Any]]) -> None:
        """Tell what the child gave while nobody listened."""
        for output in outputs:
            self._told += 1
            self.outputs.put_nowait(output)

    def end(self, end: ChildEnd) -> None:
        """
        Take *end*.

        A pause is none, and a loop that was let go before its run's end neither (the database did
        not take its rows, or somebody else has them): the child's next loop goes on.
        """
        if end.status in FINAL and not self.ended.done():
            self.ended.set_result(end)


class Emitted:
    """What the output blocks of a nested run gave, for its parent."""

    def __init__(self, before: Sequence[NodeExecution]) -> None:
        self._outputs = list(finished_outputs(before))
        self._tell: Callable[[str, Any], None] | None = None

    def attach(self, tell: Callable[[str, Any], None]) -> None:
        """Tell *tell* all outputs so far, and each further one."""
        for name, value in self._outputs:
            tell(name, value)
        self._tell = tell

    def add(self, execution: NodeExecution) -> None:
        """Take what *execution*, which has completed, gave."""
        for output in outputs_of(execution):
            self._outputs.append(output)
            if self._tell is not None:
                self._tell(*output)


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
