"""The server's own jobs on the wire. Ours, beside the contract."""

from typing import Any

from backend.api.wire.times import iso, iso_or_none
from backend.ports.jobs import JobRun, JobState


def job_form(state: JobState) -> dict[str, Any]:
    """Return how a job stands: ``SystemJob``."""
    return {
        "name": state.name,
        "every_s": state.every_us / 1_000_000,
        "due_at": iso(state.due_us) if state.due_us else None,
        "requested_at": iso_or_none(state.requested_us),
        "is_running": state.held_until_us > 0,
        "last_started_at": iso(state.started_us) if state.started_us else None,
        "last_ended_at": iso(state.ended_us) if state.ended_us else None,
        "last_result": state.result,
    }


def run_form(run: JobRun) -> dict[str, Any]:
    """Return what a job did once: ``SystemJobRun``."""
    return {
        "started_at": iso(run.started_us),
        "ended_at": iso(run.ended_us),
        "ok": run.ok,
        "result": run.result,
        "error": run.error,
    }
