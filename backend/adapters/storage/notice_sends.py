"""Notices on their way to the app and through channels."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, exists, null, select, update

from backend.adapters.storage import notice_gathered, rows
from backend.adapters.storage.database import Database, Prepared
from backend.adapters.storage.dialects import insert_for, insert_on
from backend.adapters.storage.notice_channels import channel_of
from backend.adapters.storage.tables_mail import notices
from backend.adapters.storage.tables_notices import notice_channels, notice_inbox, notice_sends
from backend.core.ids import ChannelId, UserId
from backend.core.notice_channels import Channel, InboxEntry, Routed, Send, SendStatus
from backend.core.records import NoticeRecord

_N: Final = notices.c
_C: Final = notice_channels.c
_S: Final = notice_sends.c

# Once for each run that ends: past what a statement costs that is made anew.
_COLUMNS: Final = (
    "id", "user_id", "kind", "title", "text", "graph_id", "run_id", "created_us",
)  # fmt: skip
_ENTER: Final = Prepared(
    lambda name: insert_for(name, notice_inbox).on_conflict_do_nothing(), *_COLUMNS
)
_ROUTED: Final = Prepared(
    update(notices).where(_N.id == bindparam("notice")).values(unrouted=null()), "notice"
)


class SqlSendQueue:
    """See backend.ports.notice_channels.SendQueue."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unrouted(self, limit: int) -> list[NoticeRecord]:
        return await self._database.read(lambda c: unrouted(c, limit))

    async def channels_of(self, users: Collection[UserId]) -> list[Channel]:
        return await self._database.read(lambda c: channels_of(c, users))

    async def route(self, routed: Sequence[Routed], *, now_us: int) -> None:
        await self._database.write(lambda c: route(c, routed, now_us))

    async def release(self, *, now_us: int, limit: int) -> int:
        # Most times there is nothing: a look costs no commit.
        if not await self._database.read(lambda c: notice_gathered.due(c, now_us, 1)):
            return 0
        return await self._database.write(lambda c: release(c, now_us, limit))

    async def due(self, *, now_us: int, limit: int, but: Collection[ChannelId]) -> list[Channel]:
        return await self._database.read(lambda c: due(c, now_us, limit, but))

    async def first(self, channel_id: ChannelId) -> Send | None:
        return await self._database.read(lambda c: first(c, channel_id))

    async def note_sent(self, send: Send, *, now_us: int) -> None:
        await self._database.write(lambda c: note_sent(c, send, now_us))

    async def note_delay(self, send: Send, *, error: str, next_us: int) -> None:
        await self._database.write(lambda c: note_delay(c, send, error, next_us))

    async def note_failed(
        self, send: Send, *, error: str, now_us: int, off_after: int, off: InboxEntry
    ) -> bool:
        return await self._database.write(
            lambda c: note_failed(c, send, error, now_us, off_after, off)
        )

    async def drop(
        self, channel_id: ChannelId, *, error: str, now_us: int, limit: int, lost_only: bool = False
    ) -> int:
        return await self._database.write(
            lambda c: drop(c, channel_id, error, now_us, limit, lost_only=lost_only)
        )


def unrouted(connection: Connection, limit: int) -> list[NoticeRecord]:
    """Return notices that are not on their way yet; see SendQueue.unrouted."""
    waiting = select(notices).where(_N.unrouted == 1).order_by(_N.created_us).limit(limit)
    return [rows.notice_record(row) for row in connection.execute(waiting)]


def channels_of(connection: Connection, users: Collection[UserId]) -> list[Channel]:
    """Return channels that are turned on; see SendQueue.channels_of."""
    query = select(notice_channels).where(_C.user_id.in_(list(users)), _C.enabled == 1)
    return [channel_of(row) for row in connection.execute(query)]


def route(connection: Connection, routed: Sequence[Routed], now_us: int) -> None:
    """Put notices on their way; see SendQueue.route."""
    _enter(connection, [one.entry for one in routed])
    sends = [
        (one.entry.id, channel_id, one.entry.created_us, 1)
        for one in routed
        for channel_id in one.channels
    ]
    _queue(connection, [*sends, *notice_gathered.take(connection, routed, now_us)], now_us)
    _ROUTED.run(connection, [(one.entry.id,) for one in routed])


def release(connection: Connection, now_us: int, limit: int) -> int:
    """Queue what was gathered long enough; see SendQueue.release."""
    sends = notice_gathered.released(connection, now_us, limit)
    _queue(connection, sends, now_us)
    return len(sends)


def _queue(connection: Connection, sends: Sequence[notice_gathered.NewSend], now_us: int) -> None:
    if not sends:
        return
    values = [
        {
            "notice_id": notice_id,
            "channel_id": channel_id,
            "status": SendStatus.QUEUED.value,
            "created_us": created_us,
            "told": told,
        }
        for notice_id, channel_id, created_us, told in sends
    ]
    connection.execute(insert_on(connection, notice_sends).on_conflict_do_nothing(), values)
    wake = {channel_id for _, channel_id, _, _ in sends}
    resting = (_C.id.in_(list(wake)), _C.next_us.is_(None))
    connection.execute(update(notice_channels).where(*resting).values(next_us=now_us))


def _enter(connection: Connection, entries: Sequence[InboxEntry]) -> None:
    values = [
        (
            entry.id,
            entry.user_id,
            entry.kind,
            entry.title,
            entry.text,
            entry.graph_id,
            entry.run_id,
            entry.created_us,
        )
        for entry in entries
    ]
    _ENTER.run(connection, values)


def due(
    connection: Connection, now_us: int, limit: int, but: Collection[ChannelId]
) -> list[Channel]:
    """Return channels with work; see SendQueue.due."""
    wanted = select(notice_channels).where(_C.next_us.is_not(None), _C.next_us <= now_us)
    if but:
        wanted = wanted.where(_C.id.not_in(list(but)))
    found = connection.execute(wanted.order_by(_C.next_us).limit(limit))
    return [channel_of(row) for row in found]


def first(connection: Connection, channel_id: ChannelId) -> Send | None:
    """Return the oldest message that waits; see SendQueue.first."""
    row = connection.execute(
        select(notices, _S.attempts.label("tries"), _S.told)
        .select_from(notice_sends)
        .join(notices, _N.id == _S.notice_id)
        .where(_S.channel_id == channel_id, _S.status == SendStatus.QUEUED.value)
        .order_by(_S.created_us, _S.notice_id)
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return Send(
        notice=rows.notice_record(row), channel_id=channel_id, attempts=row.tries, told=row.told
    )


def note_sent(connection: Connection, send: Send, now_us: int) -> None:
    """Note that a message was delivered; see SendQueue.note_sent."""
    _mark(connection, send, status=SendStatus.SENT.value, error=None, sent_us=now_us)
    _go_on(connection, send.channel_id, now_us, failures=0, error=None, sent_us=now_us)


def note_delay(connection: Connection, send: Send, error: str, next_us: int) -> None:
    """Note a try in vain; see SendQueue.note_delay."""
    _mark(connection, send, error=error)
    mine = _C.id == send.channel_id
    connection.execute(update(notice_channels).where(mine).values(next_us=next_us, error=error))


def note_failed(
    connection: Connection, send: Send, error: str, now_us: int, off_after: int, off: InboxEntry
) -> bool:
    """Give a message up; see SendQueue.note_failed."""
    _mark(connection, send, status=SendStatus.FAILED.value, error=error)
    mine = _C.id == send.channel_id
    row = connection.execute(select(_C.failures, _C.enabled).where(mine)).one_or_none()
    if row is None:
        return False
    failures = row.failures + 1
    _go_on(connection, send.channel_id, now_us, failures=failures, error=error)
    if not row.enabled or failures < off_after:
        return False
    connection.execute(update(notice_channels).where(mine).values(enabled=0, updated_us=now_us))
    _enter(connection, [off])
    return True


def drop(
    connection: Connection,
    channel_id: ChannelId,
    error: str,
    now_us: int,
    limit: int,
    *,
    lost_only: bool,
) -> int:
    """Give up messages that cannot go; see SendQueue.drop."""
    waiting = [_S.channel_id == channel_id, _S.status == SendStatus.QUEUED.value]
    some = select(_S.notice_id).where(*waiting)
    if lost_only:
        some = some.where(~exists().where(_N.id == _S.notice_id))
    some = some.order_by(_S.created_us, _S.notice_id).limit(limit)
    gone = connection.execute(
        update(notice_sends)
        .where(*waiting, _S.notice_id.in_(some.scalar_subquery()))
        .values(status=SendStatus.FAILED.value, error=error)
    ).rowcount
    _go_on(connection, channel_id, now_us)
    return gone


def _mark(connection: Connection, send: Send, **values: Any) -> None:
    mine = (_S.notice_id == send.notice.id, _S.channel_id == send.channel_id)
    tries = {"attempts": _S.attempts + 1}
    connection.execute(update(notice_sends).where(*mine).values(**tries, **values))


def _go_on(connection: Connection, channel_id: ChannelId, now_us: int, **values: Any) -> None:
    """Let the next message of a channel be due, if there is one."""
    more = connection.execute(
        select(_S.notice_id)
        .where(_S.channel_id == channel_id, _S.status == SendStatus.QUEUED.value)
        .limit(1)
    ).first()
    values["next_us"] = None if more is None else now_us
    connection.execute(update(notice_channels).where(_C.id == channel_id).values(**values))
