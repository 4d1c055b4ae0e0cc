"""Nodes that call other nodes of their graph as tools: the calls, their ends, who waits for whom.

A call is an execution like any other, with a row of its own: what it gives goes over its own links
too. Its id is derived from its caller's and the key of the call. So after a crash the caller, run
again, finds what it has called: what has ended is not done again.
"""

from typing import Any, Final

from backend.core.errors import BadRequest
from backend.core.events import ToolCalled, ToolLeft
from backend.core.execution import Execution, NodeExecution
from backend.core.ids import tool_call_id
from backend.core.plan import Inputs, NodePlan, Refusal
from backend.core.starting import queue, release_held
from backend.core.status import FINAL

#: Tools that call tools: so many may wait for one another.
MOST_DEEP: Final = 20


def call_tool(run: Execution, event: ToolCalled) -> None:
    """Begin what *event* asks for, or find what became of it. Raises BadRequest if it is no tool."""
    caller = run.running.get(event.ordinal)
    if caller is None or run.stop_as is not None:
        return
    sink, pins = caller.node.tools.get(event.node, (None, ()))
    if sink is None or event.node in run.skipped:
        raise BadRequest(f"node #{event.node} is no tool of node #{caller.node.id}")
    calls = run.calls
    id_ = tool_call_id(caller.id, event.key)
    execution = calls.by_id.get(id_)
    if calls.caller_of.setdefault(id_, caller.ordinal) == caller.ordinal:
        made = calls.made.setdefault(caller.ordinal, [])
        if id_ not in made:
            made.append(id_)
    if execution is None:
        execution = run.new_node_execution(sink, event.at_us, id_)
        calls.by_id[id_] = execution
        given = {pin: value for pin, value in event.inputs.items() if pin in pins}
        _begin(run, execution, given, pins, event.at_us)
    if execution.status in FINAL:
        calls.ended.append(execution)
        return
    calls.awaited.setdefault(caller.ordinal, set()).add(id_)
    _lend_place(run, caller.node)


def leave_tool(run: Execution, event: ToolLeft) -> None:
    """Note that a node waits no more for a call."""
    caller = run.running.get(event.ordinal)
    if caller is not None:
        _wait_no_more(run, caller.ordinal, tool_call_id(caller.id, event.key))


def note_end(run: Execution, execution: NodeExecution) -> None:
    """Note that *execution* has ended, for whoever has called it, or for what it has called."""
    calls = run.calls
    if execution.id in calls.by_id:
        calls.ended.append(execution)
        _wait_no_more(run, calls.caller_of.get(execution.id, -1), execution.id)
    calls.awaited.pop(execution.ordinal, None)
    for id_ in calls.made.pop(execution.ordinal, ()):
        calls.by_id.pop(id_, None)
        calls.caller_of.pop(id_, None)


def wait_for_none(run: Execution, ordinal: int) -> None:
    """Note that a node begins anew, or rests: what it waits for it will say again."""
    run.calls.awaited.pop(ordinal, None)


def _wait_no_more(run: Execution, caller: int, id_: str) -> None:
    awaited = run.calls.awaited.get(caller)
    if awaited is not None:
        awaited.discard(id_)
        if not awaited:
            del run.calls.awaited[caller]


def _lend_place(run: Execution, node: NodePlan) -> None:
    """Let go who is called while *node*'s own limit is used up by those that wait for tools."""
    if node.policy.concurrency is not None:
        release_held(run, run.state_of(node))


def _begin(
    run: Execution, execution: NodeExecution, given: Inputs, pins: tuple[str, ...], at_us: int
) -> None:
    execution.received = {**_from_elsewhere(run, execution.node, pins), **given}
    prepared: Inputs | Refusal
    if _depth(run, execution.id) > MOST_DEEP:
        prepared = Refusal(f"tools call tools over {MOST_DEEP} deep", may_heal=False)
    else:
        mask = run.masks.get(execution.node.id)
        prepared = execution.node.prepare(execution.received, mask, optional=pins)
    if isinstance(prepared, Refusal):
        # A row all the same: when the caller is run again, what was refused stays refused.
        execution.queue_no = run.next_queue_no
        run.next_queue_no += 1
        run.state_of(execution.node).in_flight.append(execution)
        run.refused.append((execution, prepared.reason))
        return
    queue(run, execution, prepared, at_us)


def _from_elsewhere(run: Execution, node: NodePlan, pins: tuple[str, ...]) -> dict[str, Any]:
    """Return the values of links that do not come from the caller: the newest, or those that wait."""
    others = [pin for pin in node.linked if pin not in pins]
    if not others:
        return {}
    state = run.state_of(node)
    newest = state.latest_input or {}
    found = {pin: newest[pin] for pin in others if pin in newest}
    for slot in state.waiting.values():
        for pin in others:
            if pin in slot.received:
                found[pin] = slot.received[pin]
    return found


def _depth(run: Execution, id_: str) -> int:
    """Return how many callers stand above a call, as far as they have asked since a crash."""
    depth, caller = 0, run.calls.caller_of.get(id_)
    while caller is not None and caller in run.running:
        depth += 1
        caller = run.calls.caller_of.get(run.running[caller].id)
    return depth
