"""Shapes of the queue of notices; see shapes.py."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel


class QueuedNotice(BaseModel):
    """A notice, and what became of it. *letter*: the key of the letter in which it leaves."""

    id: str
    user_id: str
    type: str
    status: str
    attempts: int
    error: str | None
    letter: str | None
    created_at: datetime
    next_at: datetime | None
    sent_at: datetime | None
    data: dict[str, Any]


class QueuedNotices(BaseModel):
    """A page of notices; *next_before* is null on the last."""

    notices: list[QueuedNotice]
    next_before: str | None


class RetriedNotices(BaseModel):
    """How many notices will be sent again."""

    queued: int


#: What is answered, by operation.
ANSWERS: dict[str, Any] = {
    "getV1List notices": QueuedNotices,
    "postV1Retry notices": RetriedNotices,
}
