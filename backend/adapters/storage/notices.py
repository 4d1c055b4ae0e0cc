"""The rows of notices: queued with what causes them, and looked for when they are due."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, literal_column, select

from backend.adapters.storage.database import Prepared
from backend.adapters.storage.dialects import insert_for
from backend.adapters.storage.tables_mail import notices
from backend.core import json
from backend.core.ids import UserId
from backend.core.records import NoticeRecord
from backend.ports.notices import Due

_C: Final = notices.c
_COLUMNS: Final = (
    "id",
    "user_id",
    "type",
    "data",
    "created_us",
    "status",
    "attempts",
    "next_us",
    "cause",
)
_VALUES: Final[dict[str, Any]] = {name: bindparam(name) for name in _COLUMNS}
#: The id is derived from the cause: what was queued before is not queued again.
_ADD: Final = Prepared(
    lambda dialect: (
        insert_for(dialect, notices)
        .values({**_VALUES, "unrouted": literal_column("1")})
        .on_conflict_do_nothing()
    ),
    *_COLUMNS,
)
#: In words, not as a parameter: see tables.is_unfinished.
is_queued: Final = _C.status == literal_column("'QUEUED'")


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
                notice.cause,
            )
            for notice in new
        ],
    )


def due(connection: Connection, now_us: int, limit: int) -> list[Due]:
    """Return what is due, oldest first."""
    found = connection.execute(
        select(_C.id, _C.user_id, _C.type, _C.cause, _C.created_us, _C.next_us, _C.letter)
        .where(is_queued, _C.next_us <= now_us)
        .order_by(_C.next_us, _C.created_us)
        .limit(limit)
    )
    return [
        Due(
            id=row.id,
            user_id=UserId(row.user_id),
            type=row.type,
            cause=row.cause,
            created_us=row.created_us,
            letter=row.letter,
            was_gathered=row.next_us > row.created_us,
        )
        for row in found
    ]
