"""API keys: one row each, with what they were before they were last rotated."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from backend.adapters.storage.database import Database
from backend.adapters.storage.tables_api_keys import api_keys
from backend.core import json
from backend.core.api_keys import ApiKeyRecord, ApiKeyStatus, KeySecret, advance
from backend.core.errors import Conflict, NotFound
from backend.core.ids import ApiKeyId, UserId
from backend.core.permissions import Permission, as_permissions

_K: Final = api_keys.c
_AT_ONCE: Final = 20


class SqlApiKeys:
    """See backend.ports.api_keys.ApiKeys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, user_id: UserId) -> "SqlUserApiKeys":
        return SqlUserApiKeys(self._database, user_id)

    async def with_head(self, head: str) -> list[ApiKeyRecord]:
        return await self._database.read(lambda c: with_head(c, head))

    async def note_uses(self, used_us: Mapping[ApiKeyId, int]) -> None:
        await self._database.write(lambda c: note_uses(c, used_us), incidental=True)


class SqlUserApiKeys:
    """See backend.ports.api_keys.UserApiKeys."""

    def __init__(self, database: Database, user_id: UserId) -> None:
        self._database = database
        self._user_id = user_id

    async def add(self, key: ApiKeyRecord, *, most: int) -> None:
        await self._database.write(lambda c: add(c, self._user_id, key, most), about=key.id)

    async def listed(self, *, limit: int) -> list[ApiKeyRecord]:
        return await self._database.read(lambda c: listed(c, self._user_id, limit))

    async def get(self, key_id: ApiKeyId) -> ApiKeyRecord | None:
        return await self._database.read(lambda c: get(c, self._user_id, key_id))

    async def set_scopes(self, key_id: ApiKeyId, scopes: tuple[Permission, ...]) -> ApiKeyRecord:
        changes = {"scopes": json.text(list(scopes))}
        return await self._database.write(lambda c: _changed(c, self._user_id, key_id, changes))

    async def set_status(
        self, key_id: ApiKeyId, status: ApiKeyStatus, *, now_us: int
    ) -> ApiKeyRecord:
        return await self._database.write(
            lambda c: set_status(c, self._user_id, key_id, status, now_us)
        )

    async def rotate(
        self, key_id: ApiKeyId, secret: KeySecret, *, previous_until_us: int
    ) -> ApiKeyRecord:
        return await self._database.write(
            lambda c: rotate(c, self._user_id, key_id, secret, previous_until_us)
        )


def add(connection: Connection, user_id: UserId, key: ApiKeyRecord, most: int) -> None:
    """Save a key; see UserApiKeys.add."""
    count = connection.execute(
        select(func.count())
        .select_from(api_keys)
        .where(_K.user_id == user_id, _K.status != ApiKeyStatus.REVOKED)
    ).scalar_one()
    if count >= most:
        raise Conflict(f"there are {most} keys already; revoke some first")
    _forget(connection, user_id, most)
    connection.execute(
        insert(api_keys).values(
            id=key.id,
            user_id=user_id,
            name=key.name,
            description=key.description,
            scopes=json.text(list(key.scopes)),
            status=key.status.value,
            **_columns(key.secret),
            created_us=key.created_us,
            expires_us=key.expires_us,
        )
    )


def _forget(connection: Connection, user_id: UserId, most: int) -> None:
    """Delete revoked keys that no list shows any more, some at a time."""
    old = (
        select(_K.id)
        .where(_K.user_id == user_id, _K.status == ApiKeyStatus.REVOKED)
        .order_by(_K.created_us.desc(), _K.id.desc())
        .offset(most)
        .limit(_AT_ONCE)
    )
    connection.execute(delete(api_keys).where(_K.id.in_(old)))


def listed(connection: Connection, user_id: UserId, limit: int) -> list[ApiKeyRecord]:
    """Return the newest keys of this user."""
    found = connection.execute(
        select(api_keys)
        .where(_K.user_id == user_id)
        .order_by(_K.created_us.desc(), _K.id.desc())
        .limit(limit)
    )
    return [_record(row) for row in found]


def get(connection: Connection, user_id: UserId, key_id: ApiKeyId) -> ApiKeyRecord | None:
    """Return a key of this user."""
    row = connection.execute(
        select(api_keys).where(_K.id == key_id, _K.user_id == user_id)
    ).one_or_none()
    return None if row is None else _record(row)


def set_status(
    connection: Connection, user_id: UserId, key_id: ApiKeyId, status: ApiKeyStatus, now_us: int
) -> ApiKeyRecord:
    """Move a key on; see UserApiKeys.set_status."""
    before = _there(connection, user_id, key_id)
    if before.status is status:
        return before
    changes: dict[str, Any] = {"status": advance(before.status, status).value}
    if status is ApiKeyStatus.REVOKED:
        changes["revoked_us"] = now_us
    return _changed(connection, user_id, key_id, changes)


def rotate(
    connection: Connection,
    user_id: UserId,
    key_id: ApiKeyId,
    secret: KeySecret,
    previous_until_us: int,
) -> ApiKeyRecord:
    """Give a key another text; see UserApiKeys.rotate."""
    before = _there(connection, user_id, key_id)
    if before.status is ApiKeyStatus.REVOKED:
        raise Conflict("this key is REVOKED; it cannot be rotated: make a new one")
    kept = {f"previous_{name}": text for name, text in _columns(before.secret).items()}
    changes = {**_columns(secret), **kept, "previous_until_us": previous_until_us}
    return _changed(connection, user_id, key_id, changes)


def with_head(connection: Connection, head: str) -> list[ApiKeyRecord]:
    """Return keys of anybody; see ApiKeys.with_head."""
    found = connection.execute(
        select(api_keys).where(or_(_K.head == head, _K.previous_head == head))
    )
    return [_record(row) for row in found]


def note_uses(connection: Connection, used_us: Mapping[ApiKeyId, int]) -> None:
    """Keep when keys were last used; see ApiKeys.note_uses."""
    for key_id, at_us in used_us.items():
        connection.execute(
            update(api_keys)
            .where(_K.id == key_id, or_(_K.last_used_us.is_(None), _K.last_used_us < at_us))
            .values(last_used_us=at_us)
        )


def _changed(
    connection: Connection, user_id: UserId, key_id: ApiKeyId, changes: Mapping[str, Any]
) -> ApiKeyRecord:
    connection.execute(
        update(api_keys).where(_K.id == key_id, _K.user_id == user_id).values(**changes)
    )
    return _there(connection, user_id, key_id)


def _there(connection: Connection, user_id: UserId, key_id: ApiKeyId) -> ApiKeyRecord:
    found = get(connection, user_id, key_id)
    if found is None:
        raise NotFound(f"API key #{key_id} not found.")
    return found


def _columns(secret: KeySecret) -> dict[str, str]:
    return {"head": secret.head, "tail": secret.tail, "salt": secret.salt, "hash": secret.hash}


def _record(row: Row[Any]) -> ApiKeyRecord:
    made = ApiKeyRecord(
        id=ApiKeyId(row.id),
        user_id=UserId(row.user_id),
        name=row.name,
        description=row.description,
        secret=KeySecret(head=row.head, tail=row.tail, salt=row.salt, hash=row.hash),
        scopes=as_permissions(json.loads(row.scopes)),
        status=ApiKeyStatus(row.status),
        created_us=row.created_us,
        expires_us=row.expires_us,
        last_used_us=row.last_used_us,
        revoked_us=row.revoked_us,
    )
    if row.previous_hash is None:
        return made
    previous = KeySecret(
        head=row.previous_head,
        tail=row.previous_tail,
        salt=row.previous_salt,
        hash=row.previous_hash,
    )
    return replace(made, previous=previous, previous_until_us=row.previous_until_us)
