"""Runs and node executions on the wire (spec/contract.md 4.4 and 6, semantics.md 3.13, 3.16).

The functions that write are plain and fast: every event and every answer passes through them.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from backend.api.wire.credentials import CredentialsMetaInput, meta_inputs
from backend.api.wire.times import iso, iso_or_none
from backend.core.execution import RunStats
from backend.core.json import Json
from backend.core.node_steps import NO_USE
from backend.core.records import ExecutionRecord, NodeRecord

__all__ = [
    "ExecuteBody",
    "graph_execution",
    "graph_execution_event",
    "graph_execution_meta",
    "graph_execution_with_nodes",
    "node_execution_event",
    "node_execution_result",
    "pagination",
    "stats",
]

Values = dict[str, Any]


class ExecuteBody(BaseModel):
    """What a run is started with."""

    model_config = ConfigDict(title="Body_postV1Execute_graph_agent")

    inputs: Values = Field(default_factory=dict)
    credentials_inputs: dict[str, CredentialsMetaInput] = Field(default_factory=dict)
    source: Literal["builder", "library", "onboarding"] | None = None

    def credentials(self) -> dict[str, Any]:
        """Return the credentials as plain values, without those fields that are None."""
        return meta_inputs(self.credentials_inputs)


def stats(value: RunStats | None) -> dict[str, Any] | None:
    """Return what a run used, by the names of the contract; seconds and US cents."""
    if value is None:
        return None
    found = {
        "cost": value.cost,
        "duration": value.duration_s,
        "duration_cpu_only": value.cpu_s,
        "node_exec_time": value.node_time_s,
        "node_exec_time_cpu_only": value.node_cpu_s,
        "node_exec_count": value.node_count,
        "node_error_count": value.node_error_count,
        "error": value.error,
        # Written by a model in the reference, when a feature is on that is off by default.
        "activity_status": None,
        "correctness_score": None,
    }
    used = value.models
    if used != NO_USE:
        found |= {
            "llm_call_count": used.calls,
            "llm_retry_count": used.retries,
            "llm_cached_count": used.cached_calls,
            "llm_estimated_count": used.estimated_calls,
            "input_token_count": used.input_tokens,
            "output_token_count": used.output_tokens,
            "model_cost_micro_usd": used.cost_micro_usd,
        }
    return found


def graph_execution_meta(record: ExecutionRecord) -> dict[str, Any]:
    """Return a run without its outputs: ``GraphExecutionMeta``."""
    return {
        "id": record.id,
        "user_id": record.user_id,
        "graph_id": record.graph_id,
        "graph_version": record.graph_version,
        "inputs": record.inputs,
        "credential_inputs": record.credential_inputs,
        "nodes_input_masks": record.masks,
        "preset_id": record.preset_id,
        "status": record.status.value,
        "started_at": iso_or_none(record.started_us),
        "ended_at": iso_or_none(record.ended_us),
        "is_shared": record.is_shared,
        "share_token": record.share_token,
        "stats": stats(record.stats),
    }


def graph_execution(record: ExecutionRecord) -> dict[str, Any]:
    """Return a run with its outputs: ``GraphExecution``."""
    return {**graph_execution_meta(record), "outputs": record.outputs or {}}


def graph_execution_with_nodes(
    record: ExecutionRecord, nodes: Iterable[NodeRecord]
) -> dict[str, Any]:
    """Return a run with its outputs and node executions: ``GraphExecutionWithNodes``."""
    return {
        **graph_execution(record),
        "node_executions": [node_execution_result(record, node) for node in nodes],
    }


def node_execution_result(run: ExecutionRecord, node: NodeRecord) -> dict[str, Any]:
    """Return one execution of a node of *run*: ``NodeExecutionResult``."""
    return {
        "user_id": run.user_id,
        "graph_id": run.graph_id,
        "graph_version": run.graph_version,
        "graph_exec_id": node.run_id,
        "node_exec_id": node.id,
        "node_id": node.node_id,
        "block_id": node.block_id,
        "status": node.status.value,
        "input_data": node.inputs,
        "output_data": node.outputs,
        "add_time": iso(node.add_us),
        "queue_time": iso_or_none(node.queue_us),
        "start_time": iso_or_none(node.start_us),
        "end_time": iso_or_none(node.end_us),
    }


def graph_execution_event(record: ExecutionRecord) -> dict[str, Any]:
    """Return the data of a frame that says that a run changed; *sequence* numbers the change."""
    return {
        **graph_execution(record),
        "event_type": "graph_execution_update",
        "sequence": record.revision,
    }


def node_execution_event(run: ExecutionRecord, node: NodeRecord) -> dict[str, Any]:
    """Return the data of a frame that says that a node execution of *run* changed."""
    return {
        **node_execution_result(run, node),
        "event_type": "node_execution_update",
        "sequence": node.revision,
    }


def pagination(*, total: int, page: int, page_size: int) -> dict[str, Json]:
    """Return what the contract says beside a page of a list."""
    return {
        "total_items": total,
        "total_pages": -(-total // page_size),
        "current_page": page,
        "page_size": page_size,
    }


# The answers as OpenAPI shows them. They are never used to write an answer: the functions above
# are, and the contract tests hold both together.

DateTime = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
