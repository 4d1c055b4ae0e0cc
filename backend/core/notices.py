"""What owners are told: the kinds of notices, and what stands in them (spec/contract.md 8.2)."""

from enum import StrEnum
from typing import Any, Final

from backend.core import json
from backend.core.execution import Execution
from backend.core.ids import GraphId, UserId
from backend.core.records import NoticeRecord

#: Outputs in a notice are for a glance; the run has them whole.
_OUTPUT_BYTES: Final = 2_000


class NoticeType(StrEnum):
    """The kinds of notices that are sent today."""

    AGENT_RUN = "AGENT_RUN"


def agent_run(
    execution: Execution,
    *,
    user_id: UserId,
    graph_id: GraphId,
    now_us: int,
    delay_us: int,
) -> NoticeRecord:
    """
    Return the notice that a run has ended.

    Args:
        delay_us: Notices of this kind are gathered for so long, then told together.
    """
    stats = execution.stats
    return NoticeRecord(
        id=f"agent_run:{execution.id}",
        user_id=user_id,
        type=NoticeType.AGENT_RUN.value,
        data={
            "agent_name": execution.plan.graph.name,
            "graph_exec_id": execution.id,
            "status": execution.status.value,
            "error": stats.error,
            "credits_used": stats.cost,
            "execution_time": round(stats.duration_s, 3),
            "node_count": stats.node_count,
            "node_error_count": stats.node_error_count,
            "graph_id": graph_id,
            "outputs": [{name: _short(values)} for name, values in execution.outputs.items()],
        },
        created_us=now_us,
        next_us=now_us + delay_us,
    )


def _short(values: list[Any]) -> list[Any]:
    """Return the first of *values*, as many as fit; a long one is cut."""
    kept: list[Any] = []
    room = _OUTPUT_BYTES
    for value in values[:20]:
        text = json.text(value)
        if len(text) > room:
            kept.append(text[:room] + "…")
            break
        kept.append(value)
        room -= len(text)
    return kept
