"""What people want to be told: in their account's row, with a count of letters beside it."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, case, delete, func, insert, select, update

from backend.adapters.storage.database import Database
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables import users
from backend.adapters.storage.tables_mail import mail_bounces, mail_limits
from backend.adapters.storage.tables_notices import notice_inbox
from backend.core import json
from backend.core.errors import NotFound
from backend.core.ids import UserId
from backend.core.notice_channels import ADDRESS_REFUSED
from backend.core.notice_words import words
from backend.core.preferences import (
    DEFAULT_DAILY_LIMIT,
    MAX_BOUNCES,
    Bounced,
    PreferenceChanges,
    Preferences,
    day_of,
)

_U: Final = users.c
_M: Final = mail_limits.c
_B: Final = mail_bounces.c


class SqlPreferences:
    """See backend.ports.preferences.AllPreferences."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, user_id: UserId) -> "SqlUserPreferences":
        return SqlUserPreferences(self._database, user_id)

    async def some(self, ids: Collection[UserId], *, now_us: int) -> Mapping[UserId, Preferences]:
        query = _query().where(_U.id.in_(list(ids)))
        found = await self._database.read(lambda c: c.execute(query).all())
        return {UserId(row.id): _record(row, now_us) for row in found}

    async def note_letter(self, user_id: UserId, *, now_us: int) -> None:
        await self._database.write(lambda c: count_letter(c, user_id, now_us))

    async def note_bounce(self, address: str, *, error: str, now_us: int) -> None:
        await self._database.write(lambda c: count_bounce(c, address, error, now_us))

    async def bounced(self, *, limit: int) -> list[Bounced]:
        return await self._database.read(lambda c: bounced(c, limit))

    async def refusing(self, *, bounces: int) -> int:
        refusing = select(_B.address).where(_B["count"] >= bounces)
        query = select(func.count()).select_from(users).where(_U.email.in_(refusing))
        return await self._database.read(lambda c: int(c.execute(query).scalar() or 0))


class SqlUserPreferences:
    """See backend.ports.preferences.UserPreferences."""

    def __init__(self, database: Database, user_id: UserId) -> None:
        self._database = database
        self._user_id = user_id

    async def get(self, *, now_us: int) -> Preferences | None:
        return await self._database.read(lambda c: get(c, self._user_id, now_us))

    async def change(self, changes: PreferenceChanges, *, now_us: int) -> Preferences:
        return await self._database.write(lambda c: change(c, self._user_id, changes, now_us))


def _query() -> Select[Any]:
    return (
        select(
            _U.id,
            _U.email,
            _U.preferences,
            _M.daily_limit,
            _M.day,
            _M.sent,
            _B["count"].label("bounces"),
            _B.error.label("bounce"),
        )
        .outerjoin(mail_limits, _M.user_id == _U.id)
        .outerjoin(mail_bounces, _B.address == _U.email)
    )


def _record(row: Row[Any], now_us: int) -> Preferences:
    return Preferences(
        user_id=UserId(row.id),
        email=row.email,
        said=json.loads(row.preferences),
        daily_limit=DEFAULT_DAILY_LIMIT if row.daily_limit is None else row.daily_limit,
        sent_today=row.sent if row.day == day_of(now_us) else 0,
        bounces=row.bounces or 0,
        bounce=row.bounce or "",
    )


def get(connection: Connection, user_id: UserId, now_us: int) -> Preferences | None:
    """Return what an account wants."""
    row = connection.execute(_query().where(_U.id == user_id)).one_or_none()
    return None if row is None else _record(row, now_us)


def change(
    connection: Connection, user_id: UserId, changes: PreferenceChanges, now_us: int
) -> Preferences:
    """Change what an account wants; see UserPreferences.change."""
    before = get(connection, user_id, now_us)
    if before is None:
        raise NotFound(f"User #{user_id} not found")
    values: dict[str, Any] = {"updated_us": now_us}
    if changes.said:
        values["preferences"] = json.text({**before.said, **changes.said})
    connection.execute(update(users).where(_U.id == user_id).values(values))
    if changes.daily_limit is not None:
        limit = {"daily_limit": changes.daily_limit}
        connection.execute(
            insert_on(connection, mail_limits)
            .values(user_id=user_id, **limit)
            .on_conflict_do_update(index_elements=["user_id"], set_=limit)
        )
    after = get(connection, user_id, now_us)
    assert after is not None
    return after


def count_letter(connection: Connection, user_id: UserId, now_us: int) -> None:
    """Count a letter of today."""
    day = day_of(now_us)
    connection.execute(
        insert_on(connection, mail_limits)
        .values(user_id=user_id, day=day, sent=1)
        .on_conflict_do_update(
            index_elements=["user_id"],
            set_={"day": day, "sent": case((_M.day == day, _M.sent + 1), else_=1)},
        )
    )
    # Who takes a letter has not refused all of them.
    address = select(_U.email).where(_U.id == user_id).scalar_subquery()
    connection.execute(delete(mail_bounces).where(_B.address == address))


def count_bounce(connection: Connection, address: str, error: str, now_us: int) -> None:
    """Count a letter that an address refused for good."""
    values = {"last_us": now_us, "error": error}
    connection.execute(
        insert_on(connection, mail_bounces)
        .values(address=address, count=1, **values)
        .on_conflict_do_update(
            index_elements=["address"], set_={"count": _B["count"] + 1, **values}
        )
    )
    refusals = connection.execute(select(_B["count"]).where(_B.address == address)).scalar()
    if refusals == MAX_BOUNCES:
        _tell_owners(connection, address, error, now_us)


def _tell_owners(connection: Connection, address: str, error: str, now_us: int) -> None:
    """Enter in the app that letters do not reach *address*: no letter can say so."""
    told = words(ADDRESS_REFUSED, {"address": address, "error": error})
    for row in connection.execute(select(_U.id).where(_U.email == address)).all():
        connection.execute(
            insert(notice_inbox).values(
                id=f"address_refused:{row.id}:{now_us}",
                user_id=row.id,
                kind=ADDRESS_REFUSED,
                title=told.title,
                text=told.text,
                created_us=now_us,
            )
        )


def bounced(connection: Connection, limit: int) -> list[Bounced]:
    """Return addresses that have refused letters; see AllPreferences.bounced."""
    found = connection.execute(
        select(_B.address, _B["count"].label("refusals"), _B.last_us, _B.error, _U.id)
        .outerjoin(users, _U.email == _B.address)
        .order_by(_B.last_us.desc(), _B.address)
        .limit(limit)
    )
    return [
        Bounced(
            address=row.address,
            user_id=None if row.id is None else UserId(row.id),
            count=row.refusals,
            last_us=row.last_us,
            error=row.error,
        )
        for row in found
    ]
