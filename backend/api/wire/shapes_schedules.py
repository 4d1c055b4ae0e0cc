"""Answers about schedules, as OpenAPI shows them. Part of shapes.py, apart only for its size."""

from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from backend.api.wire.shapes import Credentials, GraphExecutionMeta, Values
from backend.core.records import MissedPolicy, OverlapPolicy


class GraphExecutionJobInfo(BaseModel):
    """A schedule."""

    schedule_id: str | None = None
    user_id: str
    graph_id: str
    graph_version: int
    agent_name: str | None = None
    cron: str
    input_data: Values
    input_credentials: Credentials = Field(default_factory=dict)
    id: str
    name: str
    next_run_time: str
    timezone: str = "UTC"
    cron_description: str | None = None
    is_paused: bool = False
    paused_because: str | None = None


class ScheduleDetails(GraphExecutionJobInfo):
    """A schedule with its rules and its next fires; times are in its zone."""

    cron_description: str
    missed: MissedPolicy
    overlap: OverlapPolicy
    jitter_s: int
    starts_at: str | None
    ends_at: str | None
    skipped_times: Literal["run", "skip"]
    last_run_time: str | None
    last_execution_id: str | None
    next_run_times: list[str]


#: By operation; see shapes.py.
ANSWERS: Final[dict[str, Any]] = {
    "postV1Create execution schedule": GraphExecutionJobInfo,
    "getV1List execution schedules for a graph": list[GraphExecutionJobInfo],
    "getV1List execution schedules for a user": list[GraphExecutionJobInfo],
    "getV1Get schedule": ScheduleDetails,
    "patchV1Change schedule": ScheduleDetails,
    "postV1Run schedule now": GraphExecutionMeta,
}
