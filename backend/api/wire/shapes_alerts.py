"""Answers about alerts, as OpenAPI shows them. Part of shapes.py, apart only for its size."""

from typing import Any, Final

from pydantic import BaseModel

from backend.core.alerts import AlertKind


class AgentAlert(BaseModel):
    """An alert on an agent, and how it stands."""

    id: str
    graph_id: str
    kind: AlertKind
    threshold: int
    names_block: bool
    is_active: bool
    description: str
    created_at: str
    fired_count: int
    last_fired_at: str | None
    last_graph_exec_id: str | None
    failures_in_row: int


#: By operation; see shapes.py.
ANSWERS: Final[dict[str, Any]] = {
    "getV1List agent alerts": list[AgentAlert],
    "postV1Add agent alert": AgentAlert,
    "getV1Get agent alert": AgentAlert,
    "patchV1Change agent alert": AgentAlert,
}
