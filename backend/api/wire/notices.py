"""Notices on the wire, for whoever runs the server."""

from typing import Any

from pydantic import BaseModel, Field

from backend.api.wire.times import iso
from backend.core.preferences import Bounced
from backend.core.records import NoticeRecord


class RetryNotices(BaseModel):
    """Which notices are to be sent again; without an id all that were given up."""

    notice_id: str | None = Field(None, max_length=1_000)


def notice_form(notice: NoticeRecord) -> dict[str, Any]:
    """Return a notice of the queue: ``QueuedNotice``."""
    return {
        "id": notice.id,
        "user_id": notice.user_id,
        "type": notice.type,
        "status": notice.status.value,
        "attempts": notice.attempts,
        "error": notice.error,
        "letter": notice.letter,
        "created_at": iso(notice.created_us),
        "next_at": iso(notice.next_us) if notice.next_us else None,
        "sent_at": None if notice.sent_us is None else iso(notice.sent_us),
        "data": dict(notice.data),
    }


def bounce_form(one: Bounced) -> dict[str, Any]:
    """Return an address that has refused letters."""
    return {
        "address": one.address,
        "user_id": one.user_id,
        "refusals": one.count,
        "last_at": iso(one.last_us),
        "error": one.error,
        "gets_no_more": one.is_refused,
    }
