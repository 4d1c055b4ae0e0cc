"""One run: feeds events to core.step and does what it answers.

Pure blocks run inline, at memory speed, inside one commit. Everything else runs in a task of its
own, after what led to it is on disk.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, assert_never

import structlog

from backend.core.block import Effect
from backend.core.errors import AgentServerError
from backend.core.execution import Execution, NodeExecution
from backend.core.records import NewExecution, NoticeRecord
from backend.core.reviews import NONE_YET, DecisionPending, Question, ReviewRecord
from backend.core.status import Status
from backend.core.step import (
    CancelNode,
    Event,
    NodeCancelled,
    NodeEnded,
    NodePaused,
    NodeStarted,
    NodeYielded,
    RunBroken,
    RunEnded,
    RunPaused,
    RunStarted,
    StartNode,
    StopAsked,
    ToolEnded,
    step,
)
from backend.core.step import Effect as StepEffect
from backend.engine import block_run
from backend.engine.block_run import BlockRun, Inline
from backend.engine.handed_on import HandedOn
from backend.engine.nesting import Emitted
from backend.engine.node_task import GRACE_S, NodeTask
from backend.engine.recovery import question_of, unknown_outcome
from backend.engine.reviews import review_of
from backend.engine.run_time import watch_time
from backend.engine.tool_calls import OpenCalls
from backend.engine.tools import EngineTools
from backend.ports.storage import StoredRun

log = structlog.get_logger()

#: How long one run may keep the event loop to itself.
SLICE_S: Final = 0.005
#: Node executions that a run may be ahead of the disk. All of them go into one transaction, and
#: everybody else who writes waits for it: a loop of pure nodes must not make it a long one.
NODES_AHEAD: Final = 500
_GOING: Final = frozenset({Status.QUEUED, Status.RUNNING})


class RunLoop:
    """
    One run under way. All methods are called from the event loop's thread.

    Attributes:
        on_end: Called once, when the end of the run is on disk.
        held: Whether it starts no more nodes.
        emitted: What its output blocks gave, for the parent of a nested run; None elsewhere.
    """

    def __init__(
        self, stored: StoredRun, execution: Execution, tools: EngineTools, *, attempt: int
    ) -> None:
        self.stored = stored
        self.execution = execution
        self.attempt = attempt
        self.claimed = False
        self.blame: int | None = None
        self.new_runs: list[NewExecution] = []
        self.questions: list[ReviewRecord] = []
        self.decisions = NONE_YET
        self.waiters: list[asyncio.Future[None]] = []
        self.on_end: list[Callable[[RunLoop], None]] = []
        self.held = False
        self.emitted: Emitted | None = None
        self.open_calls = OpenCalls()
        self.handed_on = HandedOn(tools.limits.value_bytes)
        self._tools = tools
        self._effects: deque[StepEffect] = deque()
        self._inline: deque[Inline] = deque()
        self._tasks: dict[int, NodeTask] = {}
        self._pumping = False
        self._over = False  # ended on disk, taken by somebody else, or given up at shutdown

    # What the worker does with a run.

    def begin(self, interrupted: Sequence[NodeExecution]) -> None:
        """Start, or go on with what was *interrupted*."""
        if self.execution.broken is None:
            # What was interrupted comes before what waits: outputs leave in the order of the queue.
            self._effects.extend(StartNode(one) for one in interrupted if not unknown_outcome(one))
        self._apply(RunStarted(at_us=self.now()))
        for one in interrupted:
            if reason := unknown_outcome(one):
                self._after_unknown_outcome(one, reason)
        watch_time(self, self._tools.limits.run_s)
        self.pump()

    def _after_unknown_outcome(self, one: NodeExecution, reason: str) -> None:
        question = question_of(one, self.decisions)
        if question is None:
            self._apply(NodeEnded(ordinal=one.ordinal, at_us=self.now(), error=reason))
        else:
            self.ask(question, one.ordinal)

    def stop(self) -> None:
        """End the run as TERMINATED; its nodes are cancelled and awaited."""
        self.held = False
        self._inline.clear()
        self.happened(StopAsked(at_us=self.now()))

    def fail(self, reason: str) -> None:
        """End the run as FAILED."""
        self._inline.clear()
        self.happened(RunBroken(error=reason, at_us=self.now()))

    def hold(self) -> None:
        """Start no more nodes; what runs may end."""
        self.held = True

    def go_on(self) -> None:
        """Undo `hold`."""
        self.held = False
        self.pump()

    @property
    def over(self) -> bool:
        """Whether nothing more happens to the run here: ended, given up, or somebody else's."""
        return self._over

    @property
    def rests(self) -> bool:
        """Whether it waits for people: others write its row then, and only they number changes."""
        return self.execution.status is Status.REVIEW

    def moves(self) -> bool:
        """Whether it goes on here: no end, pause or stop of it is on its way."""
        run = self.execution
        return run.status in _GOING and run.stop_as is None and not self._over

    @property
    def busy(self) -> bool:
        """Whether nodes work in tasks. Those that wait for nested runs or for tools do nothing."""
        running, waiting = self.execution.running, self.execution.calls.awaited
        return any(
            n in running and n not in waiting and not running[n].node.is_agent for n in self._tasks
        )

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing to do by itself: what happens next comes from a node's task."""
        return not (self.held or self._pumping or self._inline or self._effects)

    def task_of(self, ordinal: int) -> NodeTask | None:
        """Return what works on a node execution; None if nothing does."""
        task = self._tasks.get(ordinal)
        return None if task is None or task.task.done() else task

    async def give_up(self) -> None:
        """Cancel what runs and forget the run here; its rows say where another may go on."""
        self._over = True
        for task in (tasks := [node.task for node in self._tasks.values()]):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE_S)
        if self.execution.status in _GOING:
            self.note_life()

    def note_life(self) -> None:
        """Let the disk have that no executor was lost up to here; see engine/poison.py."""
        self.execution.changed = True
        self._tools.journal.mark(self)

    # What the journal tells.

    def committed(self, *, over: bool) -> None:
        """See Journaled."""
        if over and not self._over:
            self._over = True
            self.tell_end()

    def taken(self) -> None:
        """See Journaled."""
        if self._inline or self._effects:
            asyncio.get_running_loop().call_soon(self.pump)

    def refused(self) -> None:
        """See Journaled."""
        log.warning("run_taken_over", execution=self.execution.id, attempt=self.attempt)
        self._over = True
        self._inline.clear()
        self._effects.clear()
        for node in self._tasks.values():
            node.task.cancel()
        self.tell_end()

    def end_notice(self) -> NoticeRecord | None:
        """See Journaled."""
        return self._tools.end_notice(self.stored, self.execution)

    def tell_end(self) -> None:
        """Tell, once, that nothing more happens to the run here."""
        told, self.on_end = self.on_end, []  # once, also where it was let go and then refused
        for tell in told:
            tell(self)

    # Events in, effects out.

    def now(self) -> int:
        """Return the time, microseconds since the epoch."""
        return self._tools.clock.now_us()

    def _apply(self, event: Event) -> None:
        self.execution, effects = step(self.execution, event)
        self._effects.extend(effects)
        self._tools.journal.mark(self)

    def happened(self, event: Event) -> None:
        """Take *event*, and do what follows from it; who rests is stopped by its row: see `rests`."""
        if self._over or (self.rests and isinstance(event, StopAsked | RunBroken)):
            return
        self._apply(event)
        self.pump()

    def pump(self) -> None:
        """Do what is to be done, a slice of time at most, and go on in the next turn."""
        if self._pumping or self._over:
            return
        self._pumping = True
        until = time.perf_counter() + SLICE_S
        try:
            while not (self.held or self._is_far_ahead()) and self._do_next(until):
                if time.perf_counter() > until:
                    asyncio.get_running_loop().call_soon(self.pump)
                    return
        except Exception as exc:
            # Border: a defect of ours must not leave a run that moves no more, nor hurt others.
            log.exception("run_broken", execution=self.execution.id)
            self._break(exc)
        finally:
            self._pumping = False

    def _is_far_ahead(self) -> bool:
        """Whether the disk has to catch up first; `taken` goes on then."""
        return len(self.execution.touched) >= NODES_AHEAD

    def _do_next(self, until: float) -> bool:
        """Do one thing; say whether there was one."""
        if self._inline:
            self._continue_inline(until)
        elif self._effects:
            self._do(self._effects.popleft())
        else:
            return False
        return True

    def _break(self, error: Exception) -> None:
        self._inline.clear()
        self._effects.clear()
        try:
            self._apply(RunBroken(error=f"internal error: {error!r}", at_us=self.now()))
            for execution in list(self.execution.running.values()):
                self._do(CancelNode(execution))
        except Exception:
            # The next sweep takes it up from its rows; if that goes wrong too often, it fails.
            log.exception("run_given_up", execution=self.execution.id)
            self._over = True
            self.tell_end()

    def _do(self, effect: StepEffect) -> None:
        match effect:
            case StartNode(execution):
                self._start_node(execution)
            case CancelNode(execution):
                task = self._tasks.get(execution.ordinal)
                if task is not None:
                    task.cancel()
                else:
                    self._apply(NodeCancelled(ordinal=execution.ordinal, at_us=self.now()))
            case ToolEnded(execution):
                self.open_calls.ended(execution)
            case RunPaused():
                # What waits for tools that wait for people is run again when they have decided.
                for waiting in list(self._tasks.values()):
                    waiting.let_go()
            case RunEnded():
                pass  # told when it is on disk
            case _:
                assert_never(effect)

    def _start_node(self, execution: NodeExecution) -> None:
        if execution.ordinal not in self.execution.running:
            return  # a stop came in between
        self._apply(NodeStarted(ordinal=execution.ordinal, at_us=self.now()))
        try:
            run = block_run.prepare(self._tools, self, execution)
        except DecisionPending as exc:
            self.ask(exc.question, execution.ordinal)
            return
        except AgentServerError as exc:
            self._apply(NodeEnded(ordinal=execution.ordinal, at_us=self.now(), error=str(exc)))
            return
        if run.effect is Effect.PURE and run.is_inline and not run.price:
            self._inline.append(Inline(run, run.outputs()))
            return
        self.start_task(NodeTask(self, self._tools, run))

    def start_task(self, task: NodeTask) -> None:
        """Let a node work in a task, in place of the one that it may have had."""
        self._tasks[task.ordinal] = task
        task.start()
        task.task.add_done_callback(lambda _: self.forget_task(task))

    def forget_task(self, task: NodeTask) -> None:
        """Wait no more for *task*."""
        if self._tasks.get(task.ordinal) is task:
            del self._tasks[task.ordinal]

    # Pure nodes.

    def _continue_inline(self, until: float) -> None:
        inline = self._inline[0]
        ordinal = inline.run.execution.ordinal
        # What runs inline has the processor to itself: its time is its CPU time. To ask the
        # kernel costs more than most of these nodes.
        began = time.perf_counter()
        error: str | None = None
        try:
            for name, value in inline.outputs:
                self.yielded(inline.run, name, value)
                if self.execution.stop_as is not None:
                    self._inline.clear()  # its end is told by CancelNode
                    return
                if time.perf_counter() > until or self._is_far_ahead():
                    inline.run.cpu_s += time.perf_counter() - began
                    return  # goes on in the next slice
        except block_run.BlockFailed as exc:
            error = str(exc)
        except DecisionPending as exc:
            self._inline.popleft()
            self.ask(exc.question, ordinal)
            return
        self._inline.popleft()
        inline.run.cpu_s += time.perf_counter() - began
        self.end_node(inline.run, error)

    def yielded(self, run: BlockRun, name: str, value: Any) -> None:
        """Take a value that a node gave."""
        if run.skip > 0:  # an earlier attempt's output, on disk already
            run.skip -= 1
            return
        self._apply(
            NodeYielded(ordinal=run.execution.ordinal, name=name, value=value, at_us=self.now())
        )
        run.ahead += 1

    def end_node(self, run: BlockRun, error: str | None) -> None:
        """Note the end of a node; *error* is None, or what it failed with."""
        self._apply(
            NodeEnded(
                ordinal=run.execution.ordinal,
                at_us=self.now(),
                error=error,
                cpu_s=run.cpu_s,
                cost=run.usage.cost,
                extra_steps=run.usage.extra_steps,
                models=run.usage.models,
            )
        )
        if self.emitted is not None and error is None:
            self.emitted.add(run.execution)

    def ask(self, question: Question | None, ordinal: int) -> None:
        """The node waits: for a person, with the question; or for a budget, as its rows say."""
        now_us = self.now()
        if question is not None:
            self.questions.append(review_of(self.stored, question, now_us))
        self._apply(NodePaused(ordinal=ordinal, at_us=now_us))

    # Nested runs hand their outputs to the node that runs them.

    def watch_outputs(self, before: Sequence[NodeExecution]) -> None:
        """Keep this run's outputs for a parent; *before* are its executions so far."""
        self.emitted = Emitted(before)

    async def add_child(self, child: NewExecution) -> None:
        """Add *child*'s row, if it is not there, together with this run's changes; wait for it."""
        self.new_runs.append(child)
        await self._tools.journal.saved(self)
