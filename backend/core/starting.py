"""Which queued executions of a run may start: so many at once, and so many of one node."""

from backend.core.events import Effect, StartNode
from backend.core.execution import Execution, NodeExecution


def start_ready(run: Execution) -> list[Effect]:
    """Take from the queue of *run* what may start now; note it as running."""
    effects: list[Effect] = []
    while run.ready and len(run.running) < run.parallel:
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
    if state.held:
        _queue_again(run, state.held.popleft())
    return execution


def _queue_again(run: Execution, execution: NodeExecution) -> None:
    """Put *execution* back where it stood; before it are only others that were put back."""
    number, place = execution.queue_no or 0, 0
    while place < len(run.ready) and (run.ready[place].queue_no or 0) < number:
        place += 1
    run.ready.insert(place, execution)
