"""The run semantics: what happens in a run when something happened. Pure and deterministic.

Rules: spec/semantics.md 3.6-3.8, 3.14 and appendix C. Where two attempts at the same run see the
same events they come to the same state, node execution ids included.
"""

from typing import Any, Final, assert_never

from backend.core import pins
from backend.core.calling import call_tool, leave_tool, note_end, wait_for_none
from backend.core.ending import end, note_open, pause
from backend.core.events import (
    CancelNode,
    Effect,
    Event,
    NodeCancelled,
    NodeEnded,
    NodePaused,
    NodeRetried,
    NodeStarted,
    NodeYielded,
    RunBroken,
    RunEnded,
    RunParked,
    RunPaused,
    RunStarted,
    StartNode,
    StopAsked,
    ToolCalled,
    ToolEnded,
    ToolLeft,
)
from backend.core.execution import Execution, NodeExecution, NodeState
from backend.core.node_steps import NO_USE
from backend.core.plan import Inputs, NodePlan, Refusal, Route
from backend.core.policy import OnError
from backend.core.starting import leave_work, queue, start_ready
from backend.core.status import FINAL, Status, advance

#: So many executions may be refused in one step: it must not hold up the other runs.
MAX_REFUSALS: Final = 10_000

__all__ = [
    "CancelNode",
    "Effect",
    "Event",
    "NodeCancelled",
    "NodeEnded",
    "NodePaused",
    "NodeRetried",
    "NodeStarted",
    "NodeYielded",
    "RunBroken",
    "RunEnded",
    "RunParked",
    "RunPaused",
    "RunStarted",
    "StartNode",
    "StopAsked",
    "ToolCalled",
    "ToolEnded",
    "ToolLeft",
    "step",
]


def step(run: Execution, event: Event) -> tuple[Execution, list[Effect]]:  # noqa: C901, PLR0912 - one case an event
    """
    Return the run after *event*, and what must be done about it.

    Takes the run over: the one passed in must not be used any more. Does nothing itself. Events
    about nodes that do not run any more are ignored: after a stop they are late, not wrong.
    """
    if run.status in FINAL:
        return run, []
    match event:
        case RunStarted():
            _start(run, event.at_us)
        case NodeStarted():
            _node_started(run, event)
        case NodeYielded():
            _node_yielded(run, event)
        case NodeEnded():
            _node_ended(run, event)
        case NodeRetried():
            _node_retried(run, event)
        case NodeCancelled():
            _node_cancelled(run, event)
        case NodePaused():
            _node_paused(run, event)
        case ToolCalled():
            call_tool(run, event)
        case ToolLeft():
            leave_tool(run, event)
        case StopAsked():
            return run, _stop(run, event.at_us, Status.TERMINATED)
        case RunBroken():
            run.stats.error = event.error
            return run, _stop(run, event.at_us, Status.FAILED)
        case RunParked():
            run.stats.error, run.parked = event.error, note_open(run)
            return run, _stop(run, event.at_us, Status.TERMINATED)
        case _:
            assert_never(event)
    return run, _follow_up(run, event.at_us)


def _start(run: Execution, at_us: int) -> None:
    if run.status is Status.RUNNING:
        # Picked up again after a crash: core/restore.py has rebuilt its state.
        run.phase_us = at_us if run.stats.duration_s else run.started_us
        return
    fresh = not run.next_ordinal  # else it was paused, and somebody has decided
    starting = run.plan.starting_nodes(run.inputs, run.masks, run.skipped) if fresh else []
    run.status = advance(run.status, Status.RUNNING)
    run.started_us = run.started_us or at_us
    run.phase_us = at_us
    run.changed = True
    for node, inputs in starting:
        queue(run, run.new_node_execution(node, at_us), inputs, at_us)


def _node_started(run: Execution, event: NodeStarted) -> None:
    execution = run.running.get(event.ordinal)
    if execution is None or execution.status is Status.RUNNING:
        return
    execution.advance(Status.RUNNING)
    execution.start_us = event.at_us
    run.touch(execution)


def _node_yielded(run: Execution, event: NodeYielded) -> None:
    execution = run.running.get(event.ordinal)
    if execution is None or run.stop_as is not None:
        return
    execution.outputs.append((event.name, event.value))
    run.touch(execution)
    if run.state_of(execution.node).in_flight[0] is execution:
        _route_outputs(run, execution, event.at_us)


def _node_ended(run: Execution, event: NodeEnded) -> None:
    execution = leave_work(run, event.ordinal)
    if execution is None:
        return
    execution.error = None  # a try's that failed before
    if event.error is None:
        execution.advance(Status.COMPLETED)
    else:
        _fail(run, execution, event.error)
    execution.cpu_s = event.cpu_s
    run.stats.node_count += 1 + event.extra_steps
    run.stats.cost += event.cost
    if event.models is not NO_USE:
        run.stats.models += event.models
    run.stats.node_cpu_s += event.cpu_s
    if execution.start_us is not None:
        run.stats.node_time_s += (event.at_us - execution.start_us) / 1e6
    _leave_flight(run, execution, event.at_us)


def _fail(run: Execution, execution: NodeExecution, error: str) -> None:
    execution.advance(Status.FAILED)
    execution.error = error
    run.stats.node_error_count += 1
    if run.stop_as is not None:
        return
    if execution.node.policy.on_error is OnError.ERROR_PIN:
        execution.outputs.append(("error", error))
    run.note_failure(execution)


def _node_retried(run: Execution, event: NodeRetried) -> None:
    execution = run.running.get(event.ordinal)
    if execution is None or run.stop_as is not None:
        return
    wait_for_none(run, event.ordinal)
    execution.tries += 1
    execution.error = event.error
    run.touch(execution)


def _node_cancelled(run: Execution, event: NodeCancelled) -> None:
    execution = leave_work(run, event.ordinal)
    if execution is None:
        return
    execution.error = event.error
    if event.models is not NO_USE:
        run.stats.models += event.models
    execution.advance(Status.TERMINATED)
    _leave_flight(run, execution, event.at_us)


def _node_paused(run: Execution, event: NodePaused) -> None:
    execution = leave_work(run, event.ordinal)
    if execution is None:
        return
    execution.advance(Status.REVIEW)
    run.touch(execution)
    run.paused[execution.ordinal] = execution
    wait_for_none(run, event.ordinal)
    # Its turn comes again when somebody has decided; until then it holds up nobody.
    run.state_of(execution.node).in_flight.remove(execution)
    if run.stop_as is None:
        _route_ended(run, execution.node, event.at_us)


def _leave_flight(run: Execution, execution: NodeExecution, at_us: int) -> None:
    """Note the end of *execution* and route what waited for it."""
    execution.end_us = at_us
    run.touch(execution)
    if execution.node.is_tool or execution.node.tools:
        note_end(run, execution)
    if run.stop_as is not None:
        run.live.pop(execution.ordinal, None)
        return
    _route_ended(run, execution.node, at_us)


def _route_ended(run: Execution, node: NodePlan, at_us: int) -> None:
    """Route what *node*'s oldest executions have produced, up to the first that still works."""
    in_flight = run.state_of(node).in_flight
    while in_flight:
        head = in_flight[0]
        _route_outputs(run, head, at_us)
        if head.status not in FINAL:
            return
        in_flight.popleft()
        run.live.pop(head.ordinal, None)


def _route_outputs(run: Execution, execution: NodeExecution, at_us: int) -> None:
    while execution.routed < len(execution.outputs):
        name, value = execution.outputs[execution.routed]
        execution.routed += 1
        run.touch(execution)
        for route in execution.node.routes(name):
            read = value if route.whole else pins.read(value, route.path)
            if read is not None or route.whole:
                _deliver(run, route, read, at_us)


def _deliver(run: Execution, route: Route, value: Any, at_us: int) -> None:
    """Give *value* to the oldest waiting execution of the sink that lacks the pin, or a new one."""
    sink = route.sink
    if sink.id in run.skipped:
        return
    state = run.state_of(sink)
    slot = _slot_for(run, state, sink, route.sink_name, at_us)
    slot.received[route.sink_name] = value
    run.touch(slot)
    inputs = _try_input(run, slot, state.latest_input)
    if inputs is None:
        return
    del state.waiting[slot.ordinal]
    queue(run, slot, inputs, at_us)
    if route.is_static:
        _release_waiting(run, state, inputs, at_us)


def _slot_for(
    run: Execution, state: NodeState, sink: NodePlan, pin: str, at_us: int
) -> NodeExecution:
    lacking = state.lacking.get(pin)
    while lacking:
        slot = lacking.popleft()
        if slot.ordinal in state.waiting and pin not in slot.received:
            return slot
    slot = run.new_node_execution(sink, at_us)
    state.wait(slot)
    state.lacking[pin].pop()
    return slot


def _try_input(run: Execution, slot: NodeExecution, kept: Inputs | None) -> Inputs | None:
    """
    Return the whole input of *slot*; None when it has to wait on.

    A pin of a static link that is missing takes its value from *kept*, the input of an execution
    of the same node, if there is one: None where that lacks it. A slot whose pins all have values
    that the block can never take is refused: it would wait for ever, and nobody would know why.
    """
    received = slot.received
    if kept is not None:
        missing = [pin for pin in slot.node.static if pin not in received]
        if missing:
            received = {**received, **{pin: kept.get(pin) for pin in missing}}
    prepared = slot.node.prepare(received, run.masks.get(slot.node.id))
    if not isinstance(prepared, Refusal):
        return prepared
    if not prepared.may_heal:
        _set_aside(run, slot, prepared.reason)
    return None


def _set_aside(run: Execution, slot: NodeExecution, reason: str) -> None:
    """
    Note that *slot* is refused; it fails when all that this event led to is delivered.

    It has its place in line from now on, so that its error is routed in turn: whether several
    values arrive in one event or in several makes no difference, nor does a crash.
    """
    slot.queue_no = run.next_queue_no
    run.next_queue_no += 1
    state = run.state_of(slot.node)
    del state.waiting[slot.ordinal]
    state.in_flight.append(slot)
    run.refused.append((slot, reason))


def _release_waiting(run: Execution, state: NodeState, kept: Inputs, at_us: int) -> None:
    """A static pin has a value now, in *kept*: let all go that waited for nothing else."""
    for slot in list(state.waiting.values()):
        # From this input, not the newest: those released here may have values of their own.
        inputs = _try_input(run, slot, kept)
        if inputs is not None:
            del state.waiting[slot.ordinal]
            queue(run, slot, inputs, at_us)


def _refuse_all(run: Execution, at_us: int) -> str | None:
    """Fail what was refused; return what is wrong if that does not come to an end."""
    count = 0
    while run.refused and run.next_ordinal <= run.max_executions:
        # An error that leads back to the node it came from would go round here for ever.
        if count >= MAX_REFUSALS:
            return f"more than {MAX_REFUSALS} inputs at once did not fit their nodes"
        count += 1
        slot, reason = run.refused.popleft()
        _refuse(run, slot, reason, at_us)
    return None


def _refuse(run: Execution, slot: NodeExecution, reason: str, at_us: int) -> None:
    slot.input = dict(slot.received)
    _fail(run, slot, reason)
    run.stats.node_count += 1
    _leave_flight(run, slot, at_us)


def _stop(run: Execution, at_us: int, status: Status) -> list[Effect]:
    if run.stop_as is None:
        run.stop_as = status
        run.ready.clear()
    if run.running:
        return [CancelNode(run.running[ordinal]) for ordinal in sorted(run.running)]
    return _follow_up(run, at_us)


def _follow_up(run: Execution, at_us: int) -> list[Effect]:
    """Start what is ready; end the run when nothing is left."""
    effects: list[Effect] = []
    if run.stop_as is None:
        problem = (_refuse_all(run, at_us) if run.refused else None) or run.broken
        if run.next_ordinal > run.max_executions:
            problem = _too_many(run)
        if problem is not None:
            run.stats.error = problem
            return _stop(run, at_us, Status.FAILED)
        if run.ready and run.has_room:  # mostly there is nothing to start
            effects += start_ready(run)
    if run.calls.made:
        _tell_callers(run, effects)
    if run.running and not _all_wait(run):
        return effects
    if run.paused and run.stop_as is None:
        effects.append(pause(run, at_us))
    else:
        effects.append(end(run, run.stop_as or Status.COMPLETED, at_us))
    return effects


def _tell_callers(run: Execution, effects: list[Effect]) -> None:
    if run.stop_as is None:
        effects += map(ToolEnded, run.calls.ended)
    run.calls.ended.clear()


def _all_wait(run: Execution) -> bool:
    """Whether all that runs waits for tools, and none of those works: they wait for people."""
    at_work = len(run.running) - len(run.calls.awaited)
    return not at_work and bool(run.paused) and run.stop_as is None


def _too_many(run: Execution) -> str:
    return (
        f"the run reached its limit of {run.max_executions} node executions "
        "(setting MAX_NODE_EXECUTIONS_PER_RUN)"
    )
