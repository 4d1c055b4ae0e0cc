"""Schedules on the wire."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from backend.api.wire.credentials import CredentialsMetaInput, meta_inputs
from backend.api.wire.text import FilledName, Id, Name, Version
from backend.core.fire_times import MAX_JITTER_S
from backend.core.records import MissedPolicy, OverlapPolicy, ScheduleRecord
from backend.services.schedules import Rules, ScheduleChange


class ScheduleRules(BaseModel):
    """
    Ours: what may be asked of a schedule beside its times.

    A time without an offset is in the schedule's zone.
    """

    missed: MissedPolicy | None = None
    overlap: OverlapPolicy | None = None
    jitter_s: int | None = Field(default=None, ge=0, le=MAX_JITTER_S)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    skipped_times: Literal["run", "skip"] | None = None

    def told(self) -> Rules:
        """Return what of it says when fires are, as far as it was sent."""
        names = {"jitter_s": "jitter_s", "starts_at": "starts_us", "ends_at": "ends_us"}
        told: dict[Any, Any] = {
            names[name]: getattr(self, name) for name in names if name in self.model_fields_set
        }
        if self.skipped_times is not None:
            told["skips_gaps"] = self.skipped_times == "skip"
        return told


class ScheduleCreationRequest(ScheduleRules):
    """A schedule to make."""

    graph_version: Version | None = None
    name: Name
    cron: Name
    inputs: dict[str, Any]
    credentials: dict[str, CredentialsMetaInput] = Field(default_factory=dict)
    timezone: Name | None = None


class ScheduleChangeRequest(ScheduleRules):
    """What is to be different about a schedule; what is missing stays."""

    graph_version: Version | None = None
    name: FilledName | None = None
    cron: FilledName | None = None
    inputs: dict[str, Any] | None = None
    credentials: dict[str, CredentialsMetaInput] | None = None
    timezone: FilledName | None = None
    is_paused: bool | None = None

    def change(self) -> ScheduleChange:
        """Return it as a service takes it."""
        return ScheduleChange(
            graph_version=self.graph_version,
            name=self.name,
            cron=self.cron,
            inputs=self.inputs,
            credentials=None if self.credentials is None else meta_inputs(self.credentials),
            timezone=self.timezone,
            missed=self.missed,
            overlap=self.overlap,
            rules=self.told(),
            is_paused=self.is_paused,
        )


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
        # Ours: those that are paused are listed only for who asks for them.
        "is_paused": schedule.paused_because is not None,
        "paused_because": schedule.paused_because,
    }


def whole_schedule(schedule: ScheduleRecord, words: str, upcoming: Sequence[int]) -> dict[str, Any]:
    """Return a schedule with what is ours: its rules, its next fires and why it is paused."""
    zone_name, rules = schedule.timezone, schedule.rules
    return {
        **schedule_job(schedule),
        "cron_description": words,
        "missed": schedule.missed,
        "overlap": schedule.overlap,
        "jitter_s": rules.jitter_s,
        "starts_at": _local_time(rules.starts_us, zone_name) or None,
        "ends_at": _local_time(rules.ends_us, zone_name) or None,
        "skipped_times": "skip" if rules.skips_gaps else "run",
        "last_run_time": _local_time(schedule.last_us, zone_name) or None,
        "last_execution_id": schedule.last_run_id,
        "next_run_times": [_local_time(at_us, zone_name) for at_us in upcoming],
    }


def _local_time(at_us: int | None, timezone: str) -> str:
    """Return a time with the offset that the zone has then; empty for none."""
    if at_us is None:
        return ""
    return (
        datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(ZoneInfo(timezone)).isoformat()
    )
