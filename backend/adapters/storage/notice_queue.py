"""The queue of notices on one `Database`. Changes come in small steps, each a transaction."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    func,
    literal_column,
    or_,
    select,
    text,
    tuple_,
    update,
)

from backend.adapters.storage import notices as rows_of_notices
from backend.adapters.storage.database import Database
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.notices import is_queued
from backend.adapters.storage.rows import notice_record
from backend.adapters.storage.tables import users
from backend.adapters.storage.tables_mail import mail_bounces, notice_repeats, notices
from backend.core.notice_repeats import QUIET_US, Repeat
from backend.core.records import NoticeRecord, NoticeStatus
from backend.ports.notices import Contents, Due, Group, NoticeQuery

_C: Final = notices.c
_R: Final = notice_repeats.c
_is_failed: Final = _C.status == literal_column("'FAILED'")


class SqlNoticeQueue:
    """See backend.ports.notices.NoticeQueue."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, new: Sequence[NoticeRecord]) -> None:
        await self._database.write(lambda c: rows_of_notices.add(c, new))

    async def due(self, *, now_us: int, limit: int) -> list[Due]:
        return await self._database.read(lambda c: rows_of_notices.due(c, now_us, limit))

    async def put_in_letter(
        self, letter: str, group: Group, *, due_us: int | None, limit: int
    ) -> int:
        values = {"letter": letter, "next_us": 0}
        return await self._change(_waiting(group, due_us), limit, values)

    async def postpone(self, group: Group, *, due_us: int, next_us: int, limit: int) -> int:
        return await self._change(_waiting(group, due_us), limit, {"next_us": next_us})

    async def drop(self, group: Group, *, due_us: int, because: str, limit: int) -> int:
        values = {"status": NoticeStatus.DROPPED.value, "error": because}
        return await self._change(_waiting(group, due_us), limit, values)

    async def contents(self, letter: str, *, limit: int) -> Contents:
        return await self._database.read(lambda c: contents(c, letter, limit))

    async def mark(
        self,
        letter: str,
        *,
        status: NoticeStatus,
        at_us: int,
        limit: int,
        error: str | None = None,
        next_us: int = 0,
    ) -> int:
        values: dict[str, Any] = {"status": status.value, "error": error, "next_us": next_us}
        if status is NoticeStatus.SENT:
            values["sent_us"] = at_us
        elif error is not None and status is not NoticeStatus.DROPPED:
            values["attempts"] = _C.attempts + 1
        # A letter that stays queued has notices that fit again: those that were marked are left
        # out by their time, as they are due no more.
        still = (
            [is_queued] if status is not NoticeStatus.QUEUED else [is_queued, _C.next_us < next_us]
        )
        return await self._change([_C.letter == letter, *still], limit, values)

    async def repeats(self, group: Group) -> Mapping[str, Repeat]:
        query = select(_R.cause, _R.told, _R.told_us).where(
            _R.user_id == group.user_id, _R.type == group.type
        )
        found = await self._database.read(lambda c: c.execute(query).all())
        return {row.cause: Repeat(told=row.told, told_us=row.told_us) for row in found}

    async def note_repeats(self, group: Group, new: Mapping[str, Repeat], *, now_us: int) -> None:
        await self._database.write(lambda c: note_repeats(c, group, new, now_us))

    async def failed(self) -> int:
        query = select(func.count()).select_from(notices).where(_is_failed)
        return await self._database.read(lambda c: int(c.execute(query).scalar() or 0))

    async def listed(self, query: NoticeQuery) -> list[NoticeRecord]:
        return await self._database.read(lambda c: listed(c, query))

    async def get(self, id_: str) -> NoticeRecord | None:
        query = select(notices).where(_C.id == id_)
        row = await self._database.read(lambda c: c.execute(query).one_or_none())
        return None if row is None else notice_record(row)

    async def retry(self, id_: str | None, *, now_us: int, limit: int) -> int:
        return await self._database.write(lambda c: retry(c, id_, now_us, limit))

    async def dismiss(self, id_: str | None, *, because: str, limit: int) -> int:
        values = {"status": NoticeStatus.DROPPED.value, "error": because}
        which = [_is_failed] if id_ is None else [_C.id == id_, or_(_is_failed, is_queued)]
        return await self._change(which, limit, values)

    async def _change(
        self, which: Sequence[ColumnElement[bool]], limit: int, values: Mapping[str, Any]
    ) -> int:
        some = select(_C.id).where(*which).order_by(_C.created_us, _C.id).limit(limit)
        change = update(notices).where(_C.id.in_(some)).values(values)
        return await self._database.write(lambda c: int(c.execute(change).rowcount))


def _waiting(group: Group, due_us: int | None) -> list[ColumnElement[bool]]:
    which = [is_queued, _C.letter.is_(None), _C.user_id == group.user_id, _C.type == group.type]
    if group.cause is not None:
        which.append(_C.cause == group.cause)
    if due_us is not None:
        which.append(_C.next_us <= due_us)
    return which


def contents(connection: Connection, letter: str, limit: int) -> Contents:
    """Return what is in a letter that has not left."""
    which = (_C.letter == letter, is_queued)
    found = connection.execute(
        select(notices).where(*which).order_by(_C.created_us, _C.id).limit(limit)
    )
    first = [notice_record(row) for row in found]
    if len(first) < limit:
        return Contents(notices=first, count=len(first))
    count = connection.execute(select(func.count()).select_from(notices).where(*which)).scalar()
    return Contents(notices=first, count=int(count or 0))


def note_repeats(
    connection: Connection, group: Group, new: Mapping[str, Repeat], now_us: int
) -> None:
    """Note how often causes were told; forget those that begin anew anyway."""
    mine = (_R.user_id == group.user_id, _R.type == group.type)
    connection.execute(delete(notice_repeats).where(*mine, _R.told_us < now_us - 2 * QUIET_US))
    for cause, repeat in new.items():
        values = {"told": repeat.told, "told_us": repeat.told_us}
        connection.execute(
            insert_on(connection, notice_repeats)
            .values(user_id=group.user_id, type=group.type, cause=cause, **values)
            .on_conflict_do_update(index_elements=["user_id", "type", "cause"], set_=values)
        )


def listed(connection: Connection, query: NoticeQuery) -> list[NoticeRecord]:
    """Return notices, newest first: of those that wait and of all others, each by its index."""
    ended: list[Any] = [text("status <> 'QUEUED'")]
    match query.status:
        case None:
            wanted: list[list[Any]] = [[is_queued], ended]
        case NoticeStatus.QUEUED:
            wanted = [[is_queued]]
        case NoticeStatus.FAILED:
            wanted = [[_is_failed]]
        case _:
            wanted = [[*ended, _C.status == query.status.value]]
    found = [
        notice_record(row)
        for part in wanted
        for row in connection.execute(_page(query, part)).all()
    ]
    found.sort(key=lambda one: (one.created_us, one.id), reverse=True)
    return found[: query.limit]


def _page(query: NoticeQuery, which: Sequence[Any]) -> Select[Any]:
    page = select(notices).where(*which)
    if query.type:
        page = page.where(_C.type == query.type)
    if query.user_id:
        page = page.where(_C.user_id == query.user_id)
    if query.before:
        page = page.where(tuple_(_C.created_us, _C.id) < query.before)
    return page.order_by(_C.created_us.desc(), _C.id.desc()).limit(query.limit)


def retry(connection: Connection, id_: str | None, now_us: int, limit: int) -> int:
    """Queue notices again; their addresses count as ones that take letters."""
    ended = or_(_is_failed, _C.status == NoticeStatus.DROPPED.value)
    if id_ is None:
        which: list[Any] = [_is_failed]
    else:
        letter = connection.execute(select(_C.letter).where(_C.id == id_)).scalar()
        which = [_C.id == id_, ended]
        if letter is not None:
            which = [or_(_C.id == id_, and_(_C.letter == letter, _is_failed)), ended]
    some = connection.execute(select(_C.id, _C.user_id).where(*which).limit(limit)).all()
    people = select(users.c.email).where(users.c.id.in_({row.user_id for row in some}))
    connection.execute(delete(mail_bounces).where(mail_bounces.c.address.in_(people)))
    values = {"status": NoticeStatus.QUEUED.value, "error": None, "attempts": 0, "next_us": now_us}
    connection.execute(update(notices).where(_C.id.in_([row.id for row in some])).values(values))
    return len(some)
