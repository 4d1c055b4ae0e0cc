"""Answers about sessions of the copilot, as OpenAPI shows them. Part of shapes.py."""

from typing import Any, Final

from pydantic import BaseModel


class CreateSessionResponse(BaseModel):
    """A session that has just begun."""

    id: str
    created_at: str
    user_id: str | None


class SessionSummaryResponse(BaseModel):
    """A session as lists show it."""

    id: str
    created_at: str
    updated_at: str
    title: str | None = None


class ListSessionsResponse(BaseModel):
    """A page of sessions, and how many there are."""

    sessions: list[SessionSummaryResponse]
    total: int


class SessionDetailResponse(BaseModel):
    """A session with what was said."""

    id: str
    created_at: str
    updated_at: str
    user_id: str | None
    messages: list[dict[str, Any]]


#: By operation; see shapes.py. What is streamed has no shape of its own.
ANSWERS: Final[dict[str, Any]] = {
    "getV2ListSessions": ListSessionsResponse,
    "postV2CreateSession": CreateSessionResponse,
    "getV2GetSession": SessionDetailResponse,
}
