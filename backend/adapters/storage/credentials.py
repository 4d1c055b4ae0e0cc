"""Credentials on one `Database`. The owner's id goes into every query but those of the vault's keeper."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from backend.adapters.storage import webhooks as webhook_rows
from backend.adapters.storage.database import Database
from backend.adapters.storage.tables import presets, schedules, webhooks
from backend.adapters.storage.tables_credentials import credentials, sign_ins
from backend.adapters.storage.tables_notices import notice_channels
from backend.core import json
from backend.core.credentials import CredentialsKind, CredentialsRecord, SealedRow, SignIn, Uses
from backend.core.errors import BadRequest, Conflict
from backend.core.ids import CredentialsId, UserId

_C: Final = credentials.c
_S: Final = sign_ins.c
#: All that holds sealed values, in the order in which they are looked through: that of the names.
_WEBHOOKS: Final = "webhooks"
_SEALED: Final = {
    "credentials": (credentials, _C.sealed),
    "notice_channels": (notice_channels, notice_channels.c.sealed),
    "sign_ins": (sign_ins, _S.sealed),
    _WEBHOOKS: (webhooks, webhooks.c.secret),
}


class SqlCredentials:
    """See backend.ports.credentials.CredentialsStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, user_id: UserId) -> "SqlUserCredentials":
        return SqlUserCredentials(self._database, user_id)

    async def sealed(self, after: SealedRow | None, *, limit: int) -> list[SealedRow]:
        return await self._database.read(lambda c: sealed(c, after, limit))

    async def webhook_secrets(self, after: SealedRow | None, *, limit: int) -> list[SealedRow]:
        begin = after or SealedRow(place=_WEBHOOKS, user_id=UserId(""), id="", sealed="")
        return await self._database.read(lambda c: sealed(c, begin, limit))

    async def sealed_now(self, row: SealedRow) -> SealedRow | None:
        return await self._database.read(lambda c: sealed_now(c, row))

    async def seal_again(self, pairs: Sequence[tuple[SealedRow, str]]) -> list[SealedRow]:
        return await self._database.write(
            lambda c: [row for row, fresh in pairs if not seal_again(c, row, fresh)]
        )


class SqlUserCredentials:
    """See backend.ports.credentials.UserCredentials."""

    def __init__(self, database: Database, user_id: UserId) -> None:
        self._database = database
        self._user_id = user_id

    async def listed(self, provider: str | None = None) -> list[CredentialsRecord]:
        return await self._database.read(lambda c: listed(c, self._user_id, provider))

    async def get(self, credentials_id: CredentialsId) -> CredentialsRecord | None:
        return next(iter(await self.some([credentials_id])), None)

    async def some(self, ids: Sequence[CredentialsId]) -> list[CredentialsRecord]:
        return await self._database.read(lambda c: some(c, self._user_id, ids))

    async def add(self, record: CredentialsRecord, *, most: int) -> None:
        await self._database.write(lambda c: add(c, self._user_id, record, most), about=record.id)

    async def replace(self, record: CredentialsRecord) -> bool:
        return await self._database.write(
            lambda c: replace(c, self._user_id, record), incidental=True
        )

    async def remove(self, credentials_id: CredentialsId) -> bool:
        return await self._database.write(lambda c: remove(c, self._user_id, credentials_id))

    async def uses(self, credentials_id: CredentialsId) -> Uses:
        return await self._database.read(lambda c: uses(c, self._user_id, credentials_id))

    async def lease(
        self, credentials_id: CredentialsId, holder: str, *, now_us: int, until_us: int
    ) -> bool:
        mine = (_C.user_id == self._user_id, _C.id == credentials_id)
        is_free = or_(_C.leased_until_us.is_(None), _C.leased_until_us <= now_us)
        taken = update(credentials).where(*mine, is_free)
        values = {"leased_by": holder, "leased_until_us": until_us}
        return await self._database.write(
            lambda c: c.execute(taken.values(values)).rowcount > 0, incidental=True
        )

    async def end_lease(self, credentials_id: CredentialsId, holder: str) -> None:
        mine = (_C.user_id == self._user_id, _C.id == credentials_id, _C.leased_by == holder)
        ended = update(credentials).where(*mine).values(leased_by=None, leased_until_us=None)
        await self._database.write(lambda c: c.execute(ended), incidental=True)

    async def add_sign_in(self, sign_in: SignIn, *, now_us: int, most: int) -> None:
        await self._database.write(
            lambda c: add_sign_in(c, self._user_id, sign_in, now_us, most), about=sign_in.key
        )

    async def take_sign_in(self, key: str, provider: str, *, now_us: int) -> SignIn | None:
        return await self._database.write(
            lambda c: take_sign_in(c, self._user_id, key, provider, now_us), incidental=True
        )


def listed(
    connection: Connection, user_id: UserId, provider: str | None
) -> list[CredentialsRecord]:
    """Return a user's credentials; see UserCredentials.listed."""
    mine = [_C.user_id == user_id]
    if provider is not None:
        mine.append(_C.provider == provider)
    found = connection.execute(select(credentials).where(*mine).order_by(_C.created_us, _C.id))
    return [_record(row) for row in found]


def some(
    connection: Connection, user_id: UserId, ids: Sequence[CredentialsId]
) -> list[CredentialsRecord]:
    """Return some of a user's credentials."""
    found = connection.execute(select(credentials).where(_C.user_id == user_id, _C.id.in_(ids)))
    return [_record(row) for row in found]


def add(connection: Connection, user_id: UserId, record: CredentialsRecord, most: int) -> None:
    """Keep new credentials; see UserCredentials.add."""
    if some(connection, user_id, [record.id]):
        raise Conflict(f"There are credentials #{record.id} already.")
    count = connection.execute(
        select(func.count()).select_from(credentials).where(_C.user_id == user_id)
    ).scalar_one()
    if count >= most:
        raise BadRequest(f"there are {most} credentials already; delete some first")
    connection.execute(
        insert(credentials).values(
            user_id=user_id, id=record.id, created_us=record.created_us, **_values(record)
        )
    )


def replace(connection: Connection, user_id: UserId, record: CredentialsRecord) -> bool:
    """Put a record in place of the one before it; see UserCredentials.replace."""
    changed = connection.execute(
        update(credentials)
        .where(_C.user_id == user_id, _C.id == record.id, _C.revision == record.revision - 1)
        .values(leased_by=None, leased_until_us=None, **_values(record))
    )
    return changed.rowcount > 0


def remove(connection: Connection, user_id: UserId, credentials_id: CredentialsId) -> bool:
    """Delete credentials, and the webhooks that were registered with them."""
    named = select(webhooks.c.id).where(
        webhooks.c.user_id == user_id, webhooks.c.credentials_id == credentials_id
    )
    connection.execute(
        update(presets)
        .where(presets.c.user_id == user_id, presets.c.webhook_id.in_(named))
        .values(webhook_id=None, is_active=False)
    )
    # Their provider was told before, as far as that went: without them nobody can.
    connection.execute(
        delete(webhooks).where(
            webhooks.c.user_id == user_id, webhooks.c.credentials_id == credentials_id
        )
    )
    webhook_rows.prune(connection, user_id)
    gone = connection.execute(
        delete(credentials).where(_C.user_id == user_id, _C.id == credentials_id)
    )
    return gone.rowcount > 0


def uses(connection: Connection, user_id: UserId, credentials_id: CredentialsId) -> Uses:
    """Return who would miss credentials."""
    named = connection.execute(
        select(presets.c.name, presets.c.credentials)
        .where(
            presets.c.user_id == user_id,
            presets.c.is_deleted.is_(False),
            # Only a first look: the text may stand in it for something else.
            presets.c.credentials.contains(credentials_id, autoescape=True),
        )
        .order_by(presets.c.created_us, presets.c.id)
    )
    count = connection.execute(
        select(func.count())
        .select_from(webhooks)
        .where(webhooks.c.user_id == user_id, webhooks.c.credentials_id == credentials_id)
    ).scalar_one()
    fires = connection.execute(
        select(schedules.c.name, schedules.c.credentials)
        .where(
            schedules.c.user_id == user_id,
            # Of those that have ended nobody would miss anything.
            or_(schedules.c.next_us.is_not(None), schedules.c.paused_because.is_not(None)),
            schedules.c.credentials.contains(credentials_id, autoescape=True),
        )
        .order_by(schedules.c.created_us, schedules.c.id)
    )
    return Uses(
        presets=tuple(row.name for row in named if _names(row.credentials, credentials_id)),
        schedules=tuple(row.name for row in fires if _names(row.credentials, credentials_id)),
        webhooks=count,
    )


def _names(text: str, credentials_id: CredentialsId) -> bool:
    return any(
        isinstance(one, dict) and one.get("id") == credentials_id
        for one in json.loads(text).values()
    )


def add_sign_in(
    connection: Connection, user_id: UserId, sign_in: SignIn, now_us: int, most: int
) -> None:
    """Keep a sign-in; see UserCredentials.add_sign_in."""
    connection.execute(delete(sign_ins).where(_S.expires_us <= now_us))
    newest = (
        select(_S.id)
        .where(_S.user_id == user_id)
        .order_by(_S.expires_us.desc(), _S.id)
        .limit(most - 1)
    )
    connection.execute(delete(sign_ins).where(_S.user_id == user_id, _S.id.not_in(newest)))
    connection.execute(
        insert(sign_ins).values(
            user_id=user_id,
            id=sign_in.key,
            provider=sign_in.provider,
            scopes=json.text(sign_in.scopes),
            sealed=sign_in.sealed,
            expires_us=sign_in.expires_us,
        )
    )


def take_sign_in(
    connection: Connection, user_id: UserId, key: str, provider: str, now_us: int
) -> SignIn | None:
    """Return a sign-in and forget it; see UserCredentials.take_sign_in."""
    row = connection.execute(
        delete(sign_ins)
        .where(
            _S.user_id == user_id,
            _S.id == key,
            _S.provider == provider,
            _S.expires_us > now_us,
        )
        .returning(sign_ins)
    ).one_or_none()
    if row is None:
        return None
    return SignIn(
        key=row.id,
        user_id=UserId(row.user_id),
        provider=row.provider,
        scopes=tuple(json.loads(row.scopes)),
        sealed=row.sealed,
        expires_us=row.expires_us,
    )


def sealed(connection: Connection, after: SealedRow | None, limit: int) -> list[SealedRow]:
    """Return sealed values of everybody, place by place."""
    found: list[SealedRow] = []
    for place, (table, value) in _SEALED.items():
        if after is not None and place < after.place:
            continue
        rows = select(table.c.user_id, table.c.id, value.label("sealed"))
        if after is not None and place == after.place:
            # Spelled out: not every SQLite uses an index for a pair that is compared as one.
            rows = rows.where(
                or_(
                    table.c.user_id > after.user_id,
                    and_(table.c.user_id == after.user_id, table.c.id > after.id),
                )
            )
        rows = rows.order_by(table.c.user_id, table.c.id).limit(limit - len(found))
        found += [
            SealedRow(place=place, user_id=UserId(row.user_id), id=row.id, sealed=row.sealed)
            for row in connection.execute(rows)
        ]
        if len(found) >= limit:
            break
    return found


def sealed_now(connection: Connection, row: SealedRow) -> SealedRow | None:
    """Return a sealed value as it is now."""
    table, value = _SEALED[row.place]
    text = connection.execute(
        select(value).where(table.c.user_id == row.user_id, table.c.id == row.id)
    ).scalar_one_or_none()
    if text is None:
        return None
    return SealedRow(place=row.place, user_id=row.user_id, id=row.id, sealed=text)


def seal_again(connection: Connection, row: SealedRow, fresh: str) -> bool:
    """Put *fresh* in the place of what *row* says; False if something else stands there now."""
    table, value = _SEALED[row.place]
    changed = connection.execute(
        update(table)
        .where(table.c.user_id == row.user_id, table.c.id == row.id, value == row.sealed)
        .values({value: fresh})
    )
    return changed.rowcount > 0


def _values(record: CredentialsRecord) -> dict[str, Any]:
    return {
        "provider": record.provider,
        "kind": record.kind.value,
        "title": record.title,
        "username": record.username,
        "host": record.host,
        "scopes": None if record.scopes is None else json.text(record.scopes),
        "sealed": record.sealed,
        "revision": record.revision,
        "updated_us": record.updated_us,
    }


def _record(row: Row[Any]) -> CredentialsRecord:
    return CredentialsRecord(
        id=CredentialsId(row.id),
        user_id=UserId(row.user_id),
        provider=row.provider,
        kind=CredentialsKind(row.kind),
        title=row.title,
        username=row.username,
        host=row.host,
        scopes=None if row.scopes is None else tuple(json.loads(row.scopes)),
        sealed=row.sealed,
        revision=row.revision,
        created_us=row.created_us,
        updated_us=row.updated_us,
    )
