"""Shared runs on the wire."""

from typing import Any

from pydantic import BaseModel

from backend.api.wire.times import iso
from backend.ports.sharing import SharedRun


class ShareRequest(BaseModel):
    """How a run is shared; there is nothing to choose yet."""


def shared_execution(run: SharedRun) -> dict[str, Any]:
    """Return what strangers see of a run: ``SharedExecutionResponse``."""
    return {
        "id": run.id,
        "graph_name": run.graph_name,
        "graph_description": run.graph_description,
        "status": run.status.value,
        "created_at": iso(run.created_us),
        "outputs": run.outputs,
    }
