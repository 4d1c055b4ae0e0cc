"""Accounts."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, update

from backend.adapters.storage import rows
from backend.adapters.storage.tables import users
from backend.core.ids import UserId
from backend.core.records import UserRecord


def get(connection: Connection, user_id: UserId) -> UserRecord | None:
    """Return an account."""
    row = connection.execute(select(users).where(users.c.id == user_id)).one_or_none()
    return None if row is None else rows.user_record(row)


def some(connection: Connection, ids: Sequence[UserId]) -> list[UserRecord]:
    """Return accounts."""
    found = connection.execute(select(users).where(users.c.id.in_(ids)))
    return [rows.user_record(row) for row in found]


def save(
    connection: Connection, user_id: UserId, email: str, name: str | None, now_us: int
) -> UserRecord:
    """Create the account, or return the one there is."""
    known = get(connection, user_id)
    if known is not None:
        return known
    connection.execute(
        insert(users).values(
            id=user_id, email=email, name=name, created_us=now_us, updated_us=now_us
        )
    )
    return UserRecord(id=user_id, email=email, name=name, created_us=now_us, updated_us=now_us)


def set_timezone(connection: Connection, user_id: UserId, timezone: str, now_us: int) -> None:
    """Keep a user's zone."""
    connection.execute(
        update(users).where(users.c.id == user_id).values(timezone=timezone, updated_us=now_us)
    )
