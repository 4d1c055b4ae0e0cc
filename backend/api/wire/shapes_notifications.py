"""Answers about notices, as OpenAPI shows them. Part of shapes.py, apart only for its size."""

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel

from backend.core.notice_channels import ChannelKind, RunsWanted


class NotificationChannel(BaseModel):
    """A channel as it stands; *signing_secret* only when it was made just now."""

    id: str
    kind: ChannelKind
    name: str
    hint: str
    types: list[str]
    runs: RunsWanted
    enabled: bool
    created_at: datetime
    updated_at: datetime
    last_sent_at: datetime | None
    waiting: int
    failures: int
    error: str | None
    signing_secret: str | None


class NotificationChannels(BaseModel):
    """All channels of somebody."""

    channels: list[NotificationChannel]


class NotificationChannelTest(BaseModel):
    """What became of a test, and what the service said."""

    delivered: bool
    status: int | None
    said: str


class Notification(BaseModel):
    """A notice in the app."""

    id: str
    kind: str
    title: str
    text: str
    graph_id: str | None
    graph_exec_id: str | None
    created_at: datetime
    read_at: datetime | None


class NotificationPage(BaseModel):
    """Notices, the newest first; *next_cursor* asks for those after them."""

    notifications: list[Notification]
    unread_count: int
    next_cursor: str | None


class UnreadCount(BaseModel):
    """How many notices were not read yet."""

    unread_count: int


#: By operation; see shapes.py.
ANSWERS: Final[dict[str, Any]] = {
    "getV1List notifications": NotificationPage,
    "postV1Mark notifications read": UnreadCount,
    "getV1List notification channels": NotificationChannels,
    "postV1Add notification channel": NotificationChannel,
    "getV1Get notification channel": NotificationChannel,
    "patchV1Change notification channel": NotificationChannel,
    "postV1Test notification channel": NotificationChannelTest,
}
