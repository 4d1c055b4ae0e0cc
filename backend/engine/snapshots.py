"""Copies of what a run is now: rows for the journal, records for those who watch."""

from dataclasses import replace
from typing import Any

from backend.core.execution import Execution, NodeExecution, RunStats
from backend.core.ids import NodeExecutionId
from backend.core.records import ExecutionRecord, NodeRecord
from backend.ports.storage import StoredRun


def run_values(execution: Execution, now_us: int) -> dict[str, Any]:
    """Return the columns of a run's row that change while it runs."""
    stats = execution.stats
    return {
        "status": execution.status.value,
        "revision": execution.revision,
        "updated_us": now_us,
        "started_us": execution.started_us,
        "ended_us": execution.ended_us,
        "stats": stats,
    }


def run_record(stored: StoredRun, execution: Execution, *, with_outputs: bool) -> ExecutionRecord:
    """Return the run as it is read back after the commit."""
    outputs = None
    if with_outputs:
        outputs = {name: list(values) for name, values in execution.outputs.items()}
    return replace(
        stored.record,
        status=execution.status,
        revision=execution.revision,
        started_us=execution.started_us,
        ended_us=execution.ended_us,
        stats=_copied(execution.stats),
        outputs=outputs,
    )


def _copied(stats: RunStats) -> RunStats:
    return replace(stats)


def node_record(execution: Execution, node: NodeExecution) -> NodeRecord:
    """Return a node execution as it is read back after the commit."""
    outputs: dict[str, list[Any]] = {}
    for pin, value in node.outputs:
        outputs.setdefault(pin, []).append(value)
    return NodeRecord(
        run_id=execution.id,
        ordinal=node.ordinal,
        id=NodeExecutionId(node.id),
        node_id=node.node.id,
        block_id=node.node.block_id,
        status=node.status,
        inputs=dict(node.received) if node.input is None else node.input,
        outputs=outputs,
        add_us=node.add_us,
        queue_us=node.queue_us,
        start_us=node.start_us,
        end_us=node.end_us,
        error=node.error,
        revision=node.revision,
    )
