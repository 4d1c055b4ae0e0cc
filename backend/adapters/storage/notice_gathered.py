"""What repeats, gathered by channel: the first of a cause goes at once, the others after a pause."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, select

from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables_notices import notice_gathered
from backend.core.ids import ChannelId
from backend.core.notice_channels import InboxEntry, Routed
from backend.core.notice_repeats import QUIET_US, Repeat, told_in_chats

_G: Final = notice_gathered.c

#: Notice, channel, when, and for how many.
NewSend = tuple[str, ChannelId, int, int]
_Key = tuple[ChannelId, str]


@dataclass
class _Row:
    repeat: Repeat
    held: int = 0
    first_us: int | None = None
    last_id: str | None = None
    due_us: int | None = None

    def hold(self, entry: InboxEntry) -> None:
        """Count one more."""
        self.held += 1
        self.first_us = self.first_us if self.first_us is not None else entry.created_us
        self.last_id, self.due_us = entry.id, self.repeat.again_us


def take(connection: Connection, routed: Sequence[Routed], now_us: int) -> list[NewSend]:
    """Gather what repeats of *routed*; return what goes at once."""
    keys = {(channel_id, one.cause) for one in routed for channel_id in one.gathering}
    if not keys:
        return []
    rows, sends = _rows(connection, keys), list[NewSend]()
    for one in routed:
        for channel_id in one.gathering:
            key = (channel_id, one.cause)
            row = rows.get(key)
            if row is not None and (row.held or now_us < row.repeat.again_us):
                row.hold(one.entry)
                continue
            came_us = one.entry.created_us
            before = None if row is None else row.repeat
            rows[key] = _Row(told_in_chats(before, one.cause, came_us=came_us, now_us=now_us))
            sends.append((one.entry.id, channel_id, came_us, 1))
    _forget(connection, {channel_id for channel_id, _ in keys}, now_us)
    _save(connection, rows)
    return sends


def due(connection: Connection, now_us: int, limit: int) -> list[_Key]:
    """Return channels and causes whose pause is over, the first first."""
    found = connection.execute(
        select(_G.channel_id, _G.cause)
        .where(_G.due_us.is_not(None), _G.due_us <= now_us)
        .order_by(_G.due_us)
        .limit(limit)
    )
    return [(ChannelId(row.channel_id), row.cause) for row in found]


def released(connection: Connection, now_us: int, limit: int) -> list[NewSend]:
    """Return a message for each of `due`, and let a new pause begin."""
    rows = _rows(connection, due(connection, now_us, limit))
    sends: list[NewSend] = []
    for (channel_id, cause), row in rows.items():
        if row.last_id is not None and row.first_us is not None:
            sends.append((row.last_id, channel_id, now_us, row.held))
            told = told_in_chats(row.repeat, cause, came_us=row.first_us, now_us=now_us)
            rows[channel_id, cause] = _Row(told)
    _save(connection, rows)
    return sends


def _rows(connection: Connection, keys: Collection[_Key]) -> dict[_Key, _Row]:
    causes: defaultdict[ChannelId, list[str]] = defaultdict(list)
    for channel_id, cause in keys:
        causes[channel_id].append(cause)
    return {
        (channel_id, row.cause): _Row(
            repeat=Repeat(told=row.told, told_us=row.told_us),
            held=row.held,
            first_us=row.first_us,
            last_id=row.last_id,
            due_us=row.due_us,
        )
        for channel_id, some in causes.items()
        for row in connection.execute(
            select(notice_gathered).where(_G.channel_id == channel_id, _G.cause.in_(some))
        )
    }


def _forget(connection: Connection, channels: Collection[ChannelId], now_us: int) -> None:
    """Delete causes that would begin anew anyway."""
    connection.execute(
        delete(notice_gathered).where(
            _G.channel_id.in_(list(channels)),
            _G.due_us.is_(None),
            _G.told_us < now_us - 2 * QUIET_US,
        )
    )


def _save(connection: Connection, rows: dict[_Key, _Row]) -> None:
    values = [
        {
            "channel_id": channel_id,
            "cause": cause,
            "told": row.repeat.told,
            "told_us": row.repeat.told_us,
            "held": row.held,
            "first_us": row.first_us,
            "last_id": row.last_id,
            "due_us": row.due_us,
        }
        for (channel_id, cause), row in rows.items()
    ]
    if values:
        into = insert_on(connection, notice_gathered)
        new = {
            name: into.excluded[name] for name in values[0] if name not in ("channel_id", "cause")
        }
        keys = ["channel_id", "cause"]
        connection.execute(into.on_conflict_do_update(index_elements=keys, set_=new), values)
