"""Parked runs on the wire, as administrators see them. Ours, beside the contract."""

from typing import Any

from backend.api.wire.times import iso
from backend.core.records import ParkedRun


def parked_form(run: ParkedRun) -> dict[str, Any]:
    """Return whose run it is, and why it is not tried again: ``ParkedRun``."""
    return {
        "id": run.id,
        "user_id": run.user_id,
        "graph_id": run.graph_id,
        "graph_version": run.graph_version,
        "graph_name": run.graph_name,
        "created_at": iso(run.created_us),
        "parked_at": iso(run.parked_us),
        "reason": run.reason,
    }
