"""A run put together again from its rows, after a crash or a restart."""

from collections.abc import Collection, Iterable

from backend.core.block import BlockType
from backend.core.execution import Execution, NodeExecution
from backend.core.status import FINAL, Status


def restore(
    run: Execution, executions: Iterable[NodeExecution], *, decided: Collection[str] = ()
) -> list[NodeExecution]:
    """
    Put *executions*, which are all of *run*'s, back into *run*.

    Every journal batch holds all that follows from an event, so rows are always a state the run
    was in. What was running goes on as running: its owner decides by its effect whether it may
    run again.

    Args:
        decided: Ids of executions that waited for a person who has decided since: they are queued.

    Returns:
        The executions that were running, oldest first. Each must be started again or ended.
    """
    interrupted: list[NodeExecution] = []
    ordered = sorted(executions, key=lambda execution: execution.ordinal)
    for execution in ordered:
        execution.changed = False
        if execution.status is Status.FAILED:
            run.note_failure(execution)  # the run had not ended yet
        run.next_ordinal = max(run.next_ordinal, execution.ordinal + 1)
        if execution.node.is_tool and execution.id != run.node_ids[execution.ordinal]:
            run.calls.by_id[execution.id] = execution  # its caller, if it still runs, asks for it
        if execution.status is Status.INCOMPLETE:
            run.live[execution.ordinal] = execution
            run.state_of(execution.node).wait(execution)
    queued = [execution for execution in ordered if execution.queue_no is not None]
    for execution in sorted(queued, key=lambda execution: execution.queue_no or 0):
        run.next_queue_no = max(run.next_queue_no, (execution.queue_no or 0) + 1)
        if execution.status is Status.REVIEW and execution.id in decided:
            execution.advance(Status.QUEUED)
            run.touch(execution)
        _restore_queued(run, execution, interrupted)
    return interrupted


def _restore_queued(
    run: Execution, execution: NodeExecution, interrupted: list[NodeExecution]
) -> None:
    state, inputs = run.state_of(execution.node), execution.input or {}
    if execution.queue_us is not None:  # else it was refused: nothing ran with these inputs
        state.latest_input = inputs
        if execution.node.block.block_type is BlockType.OUTPUT:
            run.outputs.setdefault(str(inputs.get("name")), []).append(inputs.get("value"))
    if execution.status is Status.QUEUED:
        run.live[execution.ordinal] = execution
        run.ready.append(execution)
        state.in_flight.append(execution)
    elif execution.status is Status.RUNNING:
        run.live[execution.ordinal] = execution
        run.running[execution.ordinal] = execution
        state.at_work += execution.node.policy.concurrency is not None
        state.in_flight.append(execution)
        interrupted.append(execution)
    elif execution.status is Status.REVIEW:
        run.live[execution.ordinal] = execution
        run.paused[execution.ordinal] = execution
    elif execution.status in FINAL and execution.routed < len(execution.outputs):
        # Ended before an older execution of its node: its outputs wait for that one.
        run.live[execution.ordinal] = execution
        state.in_flight.append(execution)
