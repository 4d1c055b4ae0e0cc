"""Accounts: roles, passwords and bans beside the rows of users."""

from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from backend.adapters.storage import one_time_tokens, sessions, stops
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.one_time_tokens import Purpose
from backend.adapters.storage.tables import users
from backend.adapters.storage.tables_accounts import accounts
from backend.adapters.storage.tables_accounts import sessions as session_rows
from backend.core.accounts import AccountRecord, Role, Standing
from backend.core.errors import Conflict, NotFound
from backend.core.ids import SessionId, UserId

_A: Final = accounts.c
_U: Final = users.c


def get(connection: Connection, user_id: UserId) -> AccountRecord | None:
    """Return an account."""
    return _one(connection, _accounts().where(_U.id == user_id))


def by_login(connection: Connection, email: str) -> AccountRecord | None:
    """Return whose address signs in; see Accounts.by_login."""
    return _one(connection, _accounts().where(_A.login == email))


def find(connection: Connection, who: str) -> AccountRecord | None:
    """Return an account by id, by what it signs in with, or by its address."""
    email = who.strip().lower()
    return (
        get(connection, UserId(who))
        or by_login(connection, email)
        or _one(connection, _accounts().where(func.lower(_U.email) == email).order_by(_U.id))
    )


def listed(connection: Connection, limit: int) -> list[AccountRecord]:
    """Return accounts, oldest first."""
    found = connection.execute(_accounts().order_by(_U.created_us, _U.id).limit(limit))
    return [_record(row) for row in found]


def add(connection: Connection, account: AccountRecord) -> None:
    """Save a new account; see Accounts.add."""
    if get(connection, account.id) is not None:
        raise Conflict(f"there is an account {account.id} already")
    require_free(connection, account.email, account.id)
    moment = {"created_us": account.created_us, "updated_us": account.created_us}
    connection.execute(
        insert(users).values(id=account.id, email=account.email, name=account.name, **moment)
    )
    connection.execute(
        insert(accounts).values(
            user_id=account.id,
            login=account.email if account.has_login else None,
            role=account.role.value,
            password_hash=account.password_hash,
            is_disabled=account.is_disabled,
            **moment,
        )
    )


def require_free(connection: Connection, email: str, user_id: UserId) -> None:
    """Raise Conflict if *email* is the address of somebody who is not *user_id*."""
    taken = connection.execute(
        select(_U.id)
        .select_from(users.outerjoin(accounts, _A.user_id == _U.id))
        .where(
            _U.id != user_id, or_(func.lower(_U.email) == email.lower(), _A.login == email.lower())
        )
    ).first()
    if taken is not None:
        raise Conflict("this e-mail address is somebody's already")


def ensure_owner(connection: Connection, user_id: UserId, now_us: int) -> None:
    """See Accounts.ensure_owner."""
    connection.execute(
        insert_on(connection, accounts)
        .values(user_id=user_id, role=Role.OWNER.value, created_us=now_us, updated_us=now_us)
        .on_conflict_do_nothing(index_elements=["user_id"])
    )


def set_password(connection: Connection, user_id: UserId, password_hash: str, now_us: int) -> None:
    """Keep a password; the address of the account signs in from now on."""
    found = _require(connection, user_id)
    email = found.email.strip().lower()
    require_free(connection, email, user_id)
    _change(connection, user_id, now_us, password_hash=password_hash, login=email)
    one_time_tokens.forget(connection, user_id)


def take_address(connection: Connection, token_hash: str, now_us: int) -> AccountRecord | None:
    """Give an account its new address; see Accounts.take_address."""
    taken = one_time_tokens.take(connection, Purpose.ADDRESS, token_hash, now_us)
    account = None if taken is None else get(connection, taken.user_id)
    if taken is None or account is None or account.is_disabled:
        return None
    require_free(connection, taken.value, account.id)
    connection.execute(
        update(users).where(_U.id == account.id).values(email=taken.value, updated_us=now_us)
    )
    if account.has_login:
        _change(connection, account.id, now_us, login=taken.value)
    return get(connection, account.id)


def set_disabled(connection: Connection, user_id: UserId, now_us: int, *, disabled: bool) -> None:
    """Refuse a user, or let them in again."""
    _require(connection, user_id)
    _change(connection, user_id, now_us, is_disabled=disabled)
    if disabled:
        sessions.end_all(connection, user_id, None, now_us)
        stops.stop_all_of(connection, user_id, now_us)


def owner_may_act(owner: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that the account *owner* is not disabled."""
    return ~exists().where(_A.user_id == owner, _A.is_disabled.is_(True))


def set_role(connection: Connection, user_id: UserId, role: Role, now_us: int) -> None:
    """Keep what a user may do."""
    _require(connection, user_id)
    _change(connection, user_id, now_us, role=role.value)


def note_login(connection: Connection, user_id: UserId, now_us: int) -> None:
    """Remember when a user came last."""
    _change(connection, user_id, now_us, last_login_us=now_us)


def standing(connection: Connection, ended_after_us: int) -> Standing:
    """Return what is to be known at every request; see Accounts.standing."""
    found = connection.execute(
        select(_A.user_id, _A.role, _A.is_disabled).where(
            or_(_A.is_disabled.is_(True), _A.role != Role.MEMBER.value)
        )
    ).all()
    ended = connection.execute(
        select(session_rows.c.id).where(session_rows.c.ended_us >= ended_after_us)
    ).scalars()
    return Standing(
        roles={
            UserId(row.user_id): Role(row.role) for row in found if row.role != Role.MEMBER.value
        },
        disabled=frozenset(UserId(row.user_id) for row in found if row.is_disabled),
        ended=frozenset(SessionId(one) for one in ended),
    )


def _change(connection: Connection, user_id: UserId, now_us: int, **values: Any) -> None:
    """Change an account; of somebody who had nothing but a row of users, make it."""
    values["updated_us"] = now_us
    connection.execute(
        insert_on(connection, accounts)
        .values({"user_id": user_id, "role": Role.MEMBER.value, "created_us": now_us, **values})
        .on_conflict_do_update(index_elements=["user_id"], set_=values)
    )


def _require(connection: Connection, user_id: UserId) -> AccountRecord:
    found = get(connection, user_id)
    if found is None:
        raise NotFound(f"User #{user_id} not found")
    return found


def _accounts() -> Select[Any]:
    return select(
        _U.id,
        _U.email,
        _U.name,
        _U.created_us,
        _A.login,
        _A.role,
        _A.password_hash,
        _A.is_disabled,
        _A.last_login_us,
    ).select_from(users.outerjoin(accounts, _A.user_id == _U.id))


def _one(connection: Connection, query: Select[Any]) -> AccountRecord | None:
    row = connection.execute(query.limit(1)).first()
    return None if row is None else _record(row)


def _record(row: Row[Any]) -> AccountRecord:
    return AccountRecord(
        id=UserId(row.id),
        email=row.login or row.email,
        name=row.name,
        role=Role(row.role or Role.MEMBER),
        is_disabled=bool(row.is_disabled),
        has_login=row.login is not None,
        password_hash=row.password_hash,
        created_us=row.created_us,
        last_login_us=row.last_login_us,
    )
