"""What people read in the app."""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select, tuple_, update

from backend.adapters.storage.database import Database
from backend.adapters.storage.tables_notices import notice_inbox
from backend.core.ids import UserId
from backend.core.notice_channels import InboxEntry
from backend.ports.notice_channels import InboxPlace

_I: Final = notice_inbox.c
_COUNTED: Final = 10_000


class SqlInbox:
    """See backend.ports.notice_channels.Inbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, user_id: UserId) -> "SqlUserInbox":
        return SqlUserInbox(self._database, user_id)


class SqlUserInbox:
    """See backend.ports.notice_channels.UserInbox."""

    def __init__(self, database: Database, user_id: UserId) -> None:
        self._database = database
        self._user_id = user_id

    async def listed(
        self, *, before: InboxPlace | None, unread_only: bool, limit: int
    ) -> list[InboxEntry]:
        return await self._database.read(
            lambda c: listed(c, self._user_id, before, limit, unread_only=unread_only)
        )

    async def unread(self) -> int:
        return await self._database.read(lambda c: unread(c, self._user_id))

    async def mark(self, ids: Collection[str], *, now_us: int) -> int:
        return await self._database.write(lambda c: mark(c, self._user_id, ids, now_us))

    async def mark_until(self, until_us: int, *, now_us: int) -> int:
        return await self._database.write(lambda c: mark_until(c, self._user_id, until_us, now_us))


def entry_of(row: Row[Any]) -> InboxEntry:
    """Return the entry of *row*."""
    return InboxEntry(
        id=row.id,
        user_id=UserId(row.user_id),
        kind=row.kind,
        title=row.title,
        text=row.text,
        created_us=row.created_us,
        graph_id=row.graph_id,
        run_id=row.run_id,
        read_us=row.read_us,
    )


def listed(
    connection: Connection,
    user_id: UserId,
    before: InboxPlace | None,
    limit: int,
    *,
    unread_only: bool,
) -> list[InboxEntry]:
    """Return entries of a user; see UserInbox.listed."""
    query = select(notice_inbox).where(_I.user_id == user_id)
    if unread_only:
        query = query.where(_I.read_us.is_(None))
    if before is not None:
        query = query.where(tuple_(_I.created_us, _I.id) < tuple_(before.created_us, before.id))
    found = connection.execute(query.order_by(_I.created_us.desc(), _I.id.desc()).limit(limit))
    return [entry_of(row) for row in found]


def unread(connection: Connection, user_id: UserId) -> int:
    """Return how many entries of a user were not read; see UserInbox.unread."""
    mine = select(_I.created_us).where(_I.user_id == user_id, _I.read_us.is_(None))
    some = mine.limit(_COUNTED).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def mark(connection: Connection, user_id: UserId, ids: Collection[str], now_us: int) -> int:
    """Note that entries were read; see UserInbox.mark."""
    mine = (_I.id.in_(list(ids)), _I.user_id == user_id, _I.read_us.is_(None))
    return connection.execute(update(notice_inbox).where(*mine).values(read_us=now_us)).rowcount


def mark_until(connection: Connection, user_id: UserId, until_us: int, now_us: int) -> int:
    """Note that entries were read; see UserInbox.mark_until."""
    mine = (_I.user_id == user_id, _I.read_us.is_(None), _I.created_us <= until_us)
    return connection.execute(update(notice_inbox).where(*mine).values(read_us=now_us)).rowcount
