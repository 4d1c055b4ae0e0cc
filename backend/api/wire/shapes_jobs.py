"""Answers about the server's own jobs, as OpenAPI shows them. Part of shapes.py."""

from typing import Any, Final

from pydantic import BaseModel


class SystemJob(BaseModel):
    """A job of the server, and how it stands."""

    name: str
    every_s: float
    due_at: str | None
    requested_at: str | None
    is_running: bool
    last_started_at: str | None
    last_ended_at: str | None
    last_result: str


class SystemJobs(BaseModel):
    """All of them."""

    jobs: list[SystemJob]


class SystemJobRun(BaseModel):
    """What a job did once."""

    started_at: str
    ended_at: str
    ok: bool
    result: str
    error: str | None


class SystemJobRuns(BaseModel):
    """The newest runs of a job."""

    runs: list[SystemJobRun]


#: By operation; see shapes.py.
ANSWERS: Final[dict[str, Any]] = {
    "getV1List system jobs": SystemJobs,
    "getV1List runs of system job": SystemJobRuns,
    "postV1Run system job": SystemJob,
}
