"""Alerts on agents on the wire. Ours, beside the contract."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from backend.api.wire.times import iso, iso_or_none
from backend.core.alerts import MAX_THRESHOLD, AlertKind, AlertRule

_Threshold = Annotated[int, Field(ge=1, le=MAX_THRESHOLD)]


class AlertBody(BaseModel):
    """An alert to set; what its threshold counts is said by its kind, and `failed` needs none."""

    # A misspelt name would else be no name at all.
    model_config = ConfigDict(extra="forbid")

    kind: AlertKind
    threshold: _Threshold | None = None
    names_block: bool = False


class AlertChangeBody(BaseModel):
    """What is to be different about an alert; what is missing stays."""

    model_config = ConfigDict(extra="forbid")

    threshold: _Threshold | None = None
    names_block: bool | None = None
    is_active: bool | None = None


def alert_form(rule: AlertRule) -> dict[str, Any]:
    """Return an alert and how it stands: ``AgentAlert``."""
    return {
        "id": rule.id,
        "graph_id": rule.graph_id,
        "kind": rule.kind.value,
        "threshold": rule.threshold,
        "names_block": rule.names_block,
        "is_active": rule.is_active,
        "description": rule.words(),
        "created_at": iso(rule.created_us),
        "fired_count": rule.fired,
        "last_fired_at": iso_or_none(rule.last_fired_us),
        "last_graph_exec_id": rule.last_run_id,
        "failures_in_row": rule.streak,
    }
