"""Channels of notices, as their owners see and change them."""

from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from backend.adapters.storage.database import Database
from backend.adapters.storage.tables_notices import notice_channels, notice_gathered, notice_sends
from backend.core import json
from backend.core.errors import TooLarge
from backend.core.ids import ChannelId, UserId
from backend.core.notice_channels import Channel, ChannelChanges, ChannelKind, RunsWanted

_C: Final = notice_channels.c
_S: Final = notice_sends.c
_G: Final = notice_gathered.c
_COUNTED: Final = 1_000


class SqlNoticeChannels:
    """See backend.ports.notice_channels.NoticeChannels."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, user_id: UserId) -> "SqlUserChannels":
        return SqlUserChannels(self._database, user_id)


class SqlUserChannels:
    """See backend.ports.notice_channels.UserChannels."""

    def __init__(self, database: Database, user_id: UserId) -> None:
        self._database = database
        self._user_id = user_id

    async def listed(self) -> list[Channel]:
        return await self._database.read(lambda c: listed(c, self._user_id))

    async def get(self, channel_id: ChannelId) -> Channel | None:
        return await self._database.read(lambda c: get(c, self._user_id, channel_id))

    async def add(self, channel: Channel, *, most: int) -> None:
        await self._database.write(lambda c: add(c, self._user_id, channel, most), about=channel.id)

    async def change(
        self, channel_id: ChannelId, changes: ChannelChanges, *, now_us: int
    ) -> Channel | None:
        return await self._database.write(
            lambda c: change(c, self._user_id, channel_id, changes, now_us), about=channel_id
        )

    async def remove(self, channel_id: ChannelId) -> bool:
        return await self._database.write(
            lambda c: remove(c, self._user_id, channel_id), about=channel_id
        )

    async def waiting(self, channel_id: ChannelId) -> int:
        return await self._database.read(lambda c: waiting(c, self._user_id, channel_id))


def channel_of(row: Row[Any]) -> Channel:
    """Return the channel of *row*."""
    return Channel(
        id=ChannelId(row.id),
        user_id=UserId(row.user_id),
        kind=ChannelKind(row.kind),
        name=row.name,
        hint=row.hint,
        sealed=row.sealed,
        types=tuple(json.loads(row.types)),
        runs=RunsWanted(row.runs),
        enabled=bool(row.enabled),
        created_us=row.created_us,
        updated_us=row.updated_us,
        sent_us=row.sent_us,
        failures=row.failures,
        error=row.error,
        next_us=row.next_us,
    )


def listed(connection: Connection, user_id: UserId) -> list[Channel]:
    """Return a user's channels; see UserChannels.listed."""
    query = select(notice_channels).where(_C.user_id == user_id)
    found = connection.execute(query.order_by(_C.created_us, _C.id))
    return [channel_of(row) for row in found]


def get(connection: Connection, user_id: UserId, channel_id: ChannelId) -> Channel | None:
    """Return one channel of a user; see UserChannels.get."""
    mine = (_C.id == channel_id, _C.user_id == user_id)
    row = connection.execute(select(notice_channels).where(*mine)).one_or_none()
    return None if row is None else channel_of(row)


def add(connection: Connection, user_id: UserId, channel: Channel, most: int) -> None:
    """Keep a channel; see UserChannels.add."""
    mine = select(func.count()).select_from(notice_channels).where(_C.user_id == user_id)
    if connection.execute(mine).scalar_one() >= most:
        raise TooLarge(f"There are {most} channels already, and no more; remove one first.")
    connection.execute(
        insert(notice_channels).values(
            id=channel.id,
            user_id=user_id,
            kind=channel.kind.value,
            name=channel.name,
            hint=channel.hint,
            sealed=channel.sealed,
            types=json.text(list(channel.types)),
            runs=channel.runs.value,
            enabled=int(channel.enabled),
            created_us=channel.created_us,
            updated_us=channel.updated_us,
        )
    )


def change(
    connection: Connection,
    user_id: UserId,
    channel_id: ChannelId,
    changes: ChannelChanges,
    now_us: int,
) -> Channel | None:
    """Change a channel; see UserChannels.change."""
    values: dict[str, Any] = {
        "name": changes.name,
        "types": None if changes.types is None else json.text(list(changes.types)),
        "runs": None if changes.runs is None else changes.runs.value,
        "enabled": None if changes.enabled is None else int(changes.enabled),
        "hint": changes.hint,
        "sealed": changes.sealed,
    }
    kept = {name: value for name, value in values.items() if value is not None}
    if changes.enabled or changes.sealed is not None:
        kept |= {"failures": 0, "error": None}
        if _has_waiting(connection, channel_id):
            kept["next_us"] = now_us
    mine = (_C.id == channel_id, _C.user_id == user_id)
    connection.execute(update(notice_channels).where(*mine).values(**kept, updated_us=now_us))
    return get(connection, user_id, channel_id)


def _has_waiting(connection: Connection, channel_id: ChannelId) -> bool:
    return connection.execute(_waiting(channel_id).limit(1)).first() is not None


def _waiting(channel_id: ChannelId) -> Any:
    return select(_S.notice_id).where(_S.channel_id == channel_id, _S.status == "QUEUED")


def remove(connection: Connection, user_id: UserId, channel_id: ChannelId) -> bool:
    """Take a channel away; see UserChannels.remove."""
    mine = (_C.id == channel_id, _C.user_id == user_id)
    if get(connection, user_id, channel_id) is not None:
        connection.execute(delete(notice_gathered).where(_G.channel_id == channel_id))
    # Its messages stay until they are old: nobody looks for those of a channel that is not there.
    return connection.execute(delete(notice_channels).where(*mine)).rowcount > 0


def waiting(connection: Connection, user_id: UserId, channel_id: ChannelId) -> int:
    """Return how many messages wait; see UserChannels.waiting."""
    if get(connection, user_id, channel_id) is None:
        return 0
    some = _waiting(channel_id).limit(_COUNTED).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()
