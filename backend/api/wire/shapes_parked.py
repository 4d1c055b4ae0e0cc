"""Answers about parked runs, as OpenAPI shows them. Part of shapes.py."""

from typing import Any, Final

from pydantic import BaseModel


class ParkedRun(BaseModel):
    """A run that took its executor down too often, and is not tried until it is retried."""

    id: str
    user_id: str
    graph_id: str
    graph_version: int
    graph_name: str
    created_at: str
    parked_at: str
    reason: str


class ParkedRuns(BaseModel):
    """Those of everybody, the last parked first."""

    runs: list[ParkedRun]


#: By operation; see shapes.py.
ANSWERS: Final[dict[str, Any]] = {"getV1List parked runs": ParkedRuns}
