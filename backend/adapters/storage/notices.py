"""The queue of notices."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from backend.adapters.storage import rows
from backend.adapters.storage.database import Prepared
from backend.adapters.storage.dialects import insert_for
from backend.adapters.storage.tables import notices
from backend.core import json
from backend.core.records import NoticeRecord, NoticeStatus

_C: Final = notices.c
_COLUMNS: Final = ("id", "user_id", "type", "data", "created_us", "status", "attempts", "next_us")
_VALUES: Final[dict[str, Any]] = {name: bindparam(name) for name in _COLUMNS}
#: The id is derived from the cause: what was queued before is not queued again.
_ADD: Final = Prepared(
    lambda dialect: insert_for(dialect, notices).values(_VALUES).on_conflict_do_nothing(),
    *_COLUMNS,
)


def add(connection: Connection, new: Sequence[NoticeRecord]) -> None:
    """Queue notices; those that are there already stay as they are."""
    _ADD.run(
        connection,
        [
            (
                notice.id,
                notice.user_id,
                notice.type,
                json.text(notice.data),
                notice.created_us,
                notice.status.value,
                notice.attempts,
                notice.next_us,
            )
            for notice in new
        ],
    )


def queued(connection: Connection, now_us: int, limit: int) -> list[NoticeRecord]:
    """Return due notices, oldest first."""
    found = connection.execute(
        select(notices)
        .where(_C.status == NoticeStatus.QUEUED.value, _C.next_us <= now_us)
        .order_by(_C.next_us, _C.created_us)
        .limit(limit)
    )
    return [rows.notice_record(row) for row in found]


def mark(
    connection: Connection,
    ids: Sequence[str],
    *,
    status: NoticeStatus,
    at_us: int,
    error: str | None,
    next_us: int,
) -> None:
    """Note what became of notices."""
    values: dict[str, Any] = {"status": status.value, "error": error, "next_us": next_us}
    if status is NoticeStatus.SENT:
        values["sent_us"] = at_us
    if error is not None:
        values["attempts"] = _C.attempts + 1
    connection.execute(update(notices).where(_C.id.in_(ids)).values(values))
