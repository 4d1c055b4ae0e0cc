"""What this executor knows of runs, for those who ask why one does not move."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from backend.core.ids import ExecutionId
from backend.engine.tools import EngineTools
from backend.engine.worker import Worker
from backend.ports.why import EngineFacts, NodeWork

if TYPE_CHECKING:
    from backend.engine.engine import Engine

#: Runs of one question.
MOST: Final = 1_000


async def explained(engine: "Engine", body: Any) -> dict[str, Any]:
    """Answer the call ``why``: *body* is a list of ids; see `backend.ports.why.EngineFacts`."""
    ids = body if isinstance(body, list) else []
    found = engine.explain([ExecutionId(one) for one in ids[:MOST] if isinstance(one, str)])
    answer = asdict(found)
    answer["asked"] = list(found.asked)
    # The keys of JSON are text.
    answer["runs"] = {
        run_id: [{"ordinal": ordinal, **work} for ordinal, work in works.items()]
        for run_id, works in answer["runs"].items()
    }
    return answer


def facts(worker: Worker, tools: EngineTools, ids: Sequence[ExecutionId]) -> EngineFacts:
    """Return what is known of those of *ids* that are under way, and of what the others wait for."""
    return EngineFacts(
        admission=worker.limits(),
        parallel=tools.limits.parallel_nodes,
        asked=frozenset(ids),
        runs={run_id: _works(worker, run_id) for run_id in ids if run_id in worker.active_runs},
    )


def _works(worker: Worker, run_id: ExecutionId) -> dict[int, NodeWork]:
    loop = worker.active_runs[run_id]
    found = {ordinal: loop.task_of(ordinal) for ordinal in loop.execution.running}
    return {ordinal: task.work() for ordinal, task in found.items() if task is not None}
