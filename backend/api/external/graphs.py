"""Agents: start a run, and read what came of it."""

from typing import Any, Final

from fastapi import Request, Response
from pydantic import BaseModel, Field

from backend.api.answers import answer
from backend.api.auditing import RUNS
from backend.api.context import context_of
from backend.api.external.routing import ExternalRoutes, user_of
from backend.api.routes.executions import idempotency_key
from backend.api.wire.text import Version
from backend.core.ids import ExecutionId, GraphId
from backend.core.permissions import Permission
from backend.core.records import ExecutionRecord, NodeRecord
from backend.core.status import Status
from backend.services.executions import RunRequest

_TAGS: Final = ("graphs",)


class ExecuteGraphRequest(BaseModel):
    """What a run is started with, by the names of the agent's inputs."""

    node_input: dict[str, Any] = Field(default_factory=dict)


def add_graph_routes(routes: ExternalRoutes) -> None:
    """Add the routes of this noun."""
    routes.add(
        "POST",
        "/graphs/{graph_id}/execute/{graph_version}",
        execute_graph,
        permission=Permission.EXECUTE_GRAPH,
        tags=_TAGS,
        audit=RUNS,
    )
    routes.add(
        "GET",
        "/graphs/{graph_id}/executions/{graph_exec_id}/results",
        get_results,
        permission=Permission.READ_GRAPH,
        tags=_TAGS,
    )


async def execute_graph(
    request: Request,
    graph_id: str,
    graph_version: Version,
    body: ExecuteGraphRequest | None = None,
) -> Response:
    """Start a run; once, if the request has an Idempotency-Key."""
    executions, user_id = context_of(request).executions, user_of(request)
    asked = RunRequest(inputs=(body or ExecuteGraphRequest()).node_input)
    key = idempotency_key(request)
    if key is None:
        record = await executions.start(user_id, GraphId(graph_id), graph_version, asked)
        return answer({"id": record.id})
    record, known = await executions.start_once(
        user_id, GraphId(graph_id), graph_version, asked, key=key
    )
    response = answer({"id": record.id})
    if known:
        response.headers["Idempotency-Replayed"] = "true"
    return response


async def get_results(request: Request, graph_id: str, graph_exec_id: str) -> Response:
    """Return where a run stands, what its nodes did, and what it gave out once it is completed."""
    record, nodes = await context_of(request).executions.get_with_nodes(
        user_of(request), GraphId(graph_id), ExecutionId(graph_exec_id)
    )
    return answer(
        {
            "execution_id": record.id,
            "status": record.status.value,
            "nodes": [_node_form(node) for node in nodes],
            "output": _outputs(record),
        }
    )


def _node_form(node: NodeRecord) -> dict[str, Any]:
    return {"node_id": node.node_id, "input": node.inputs, "output": node.outputs}


def _outputs(record: ExecutionRecord) -> list[dict[str, Any]] | None:
    if record.status is not Status.COMPLETED:
        return None
    given = record.outputs or {}
    return [{name: value} for name, values in given.items() for value in values]
