"""What this executor knows of runs, for those who ask why one does not move."""

from collections.abc import Sequence
from typing import Any

from backend.core.ids import ExecutionId
from backend.engine.tools import EngineTools
from backend.engine.worker import Worker
from backend.ports.why import EngineFacts, NodeWork

#: Runs of one question.
MOST = 1_000


def facts(worker: Worker, tools: EngineTools, ids: Sequence[ExecutionId]) -> EngineFacts:
    """Return what is known of those of *ids* that are under way, and of what the others wait for."""
    return EngineFacts(
        admission=worker.limits(),
        parallel=tools.limits.parallel_nodes,
        runs={run_id: _works(worker, run_id) for run_id in ids if run_id in worker.active_runs},
    )


def asked_ids(body: Any) -> list[ExecutionId]:
    """Return the ids in a question; none where it is no list of them."""
    if not isinstance(body, list):
        return []
    return [ExecutionId(one) for one in body[:MOST] if isinstance(one, str)]


def _works(worker: Worker, run_id: ExecutionId) -> dict[int, NodeWork]:
    loop = worker.active_runs[run_id]
    found = {ordinal: loop.task_of(ordinal) for ordinal in loop.execution.running}
    return {ordinal: task.work() for ordinal, task in found.items() if task is not None}
