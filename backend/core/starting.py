"""The line of what is to run, and who of it may start: so many at once, and so many of one node."""

from backend.core.block import BlockType
from backend.core.events import Effect, StartNode
from backend.core.execution import Execution, NodeExecution, NodeState
from backend.core.plan import Inputs
from backend.core.status import Status


def queue(run: Execution, execution: NodeExecution, inputs: Inputs, at_us: int) -> None:
    """Put *execution*, which has all its *inputs*, at the end of the line."""
    execution.input = inputs
    execution.queue_us = at_us
    execution.queue_no = run.next_queue_no
    run.next_queue_no += 1
    execution.advance(Status.QUEUED)
    run.touch(execution)
    node = execution.node
    if node.block.block_type is BlockType.OUTPUT:
        run.outputs.setdefault(str(inputs.get("name")), []).append(inputs.get("value"))
    state = run.state_of(node)
    state.latest_input = inputs
    state.in_flight.append(execution)
    run.ready.append(execution)


def start_ready(run: Execution) -> list[Effect]:
    """Take from the queue of *run* what may start now; note it as running."""
    effects: list[Effect] = []
    while run.ready and run.has_room:
        execution = run.ready.popleft()
        if _may_work(run, execution):
            run.running[execution.ordinal] = execution
            effects.append(StartNode(execution))
    return effects


def _may_work(run: Execution, execution: NodeExecution) -> bool:
    limit = execution.node.policy.concurrency
    if limit is None:
        return True
    state = run.state_of(execution.node)
    # Those that wait for tools lend their places, but only to tools: two nodes that are each
    # other's tools must not wait for one another for ever.
    if execution.node.tools and execution.id in run.calls.by_id:
        limit += sum(run.running[who].node is execution.node for who in run.calls.awaited)
    if state.at_work < limit:
        state.at_work += 1
        return True
    state.held.append(execution)  # `leave_work` puts it back
    return False


def leave_work(run: Execution, ordinal: int) -> NodeExecution | None:
    """Return the execution that works no more and let go who waited for it; None if none did."""
    execution = run.running.pop(ordinal, None)
    if execution is None or execution.node.policy.concurrency is None:
        return execution
    state = run.state_of(execution.node)
    state.at_work -= 1
    if execution.node.tools:
        release_held(run, state)  # who may go is not always who is first
    elif state.held:
        _queue_again(run, state.held.popleft())
    return execution


def release_held(run: Execution, state: NodeState) -> None:
    """Let all that were held up for their node's limit ask again, in their order."""
    while state.held:
        _queue_again(run, state.held.popleft())


def _queue_again(run: Execution, execution: NodeExecution) -> None:
    """Put *execution* back where it stood; before it are only others that were put back."""
    number, place = execution.queue_no or 0, 0
    while place < len(run.ready) and (run.ready[place].queue_no or 0) < number:
        place += 1
    run.ready.insert(place, execution)
