"""Schedules on the wire."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from backend.api.wire.credentials import CredentialsMetaInput
from backend.api.wire.text import Id, Name, Version
from backend.core.records import ScheduleRecord


class ScheduleCreationRequest(BaseModel):
    """A schedule to make."""

    graph_version: Version | None = None
    name: Name
    cron: Name
    inputs: dict[str, Any]
    credentials: dict[str, CredentialsMetaInput] = Field(default_factory=dict)
    timezone: Name | None = None


class PlainScheduleRequest(BaseModel):
    """A schedule as older command lines send it."""

    graph_id: Id | None = None
    graph_version: Version | None = None
    name: Name | None = None
    cron: Name
    input_data: dict[str, Any] = Field(default_factory=dict)
    timezone: Name | None = None


def schedule_job(schedule: ScheduleRecord) -> dict[str, Any]:
    """Return a schedule: ``GraphExecutionJobInfo``."""
    return {
        "schedule_id": schedule.id,
        "user_id": schedule.user_id,
        "graph_id": schedule.graph_id,
        "graph_version": schedule.graph_version,
        "agent_name": schedule.agent_name,
        "cron": schedule.cron,
        "input_data": schedule.inputs,
        "input_credentials": schedule.credentials,
        "id": schedule.id,
        "name": schedule.name,
        "next_run_time": _local_time(schedule.next_us, schedule.timezone),
        "timezone": schedule.timezone,
    }


def _local_time(at_us: int | None, timezone: str) -> str:
    """Return a time with the offset that the zone has then; empty for none."""
    if at_us is None:
        return ""
    return (
        datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(ZoneInfo(timezone)).isoformat()
    )
