"""Tokens that letters bring: hashes, each good once, for one purpose, and not for long."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from backend.adapters.storage.tables_accounts import one_time_tokens
from backend.core.ids import UserId

_T: Final = one_time_tokens.c


class Purpose(StrEnum):
    """What a token is good for."""

    RESET = "reset"  #: a new password
    ADDRESS = "address"  #: a new mail address, which is its value


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """Whose a token was, and what was kept with it; empty: nothing."""

    user_id: UserId
    value: str


def add(
    connection: Connection,
    user_id: UserId,
    purpose: Purpose,
    token_hash: str,
    expires_us: int,
    value: str | None = None,
) -> None:
    """Keep a token in the place of all earlier ones of this user and purpose."""
    connection.execute(delete(one_time_tokens).where(_T.user_id == user_id, _T.purpose == purpose))
    connection.execute(
        insert(one_time_tokens).values(
            hash=token_hash,
            user_id=user_id,
            purpose=purpose.value,
            value=value,
            expires_us=expires_us,
        )
    )


def take(connection: Connection, purpose: Purpose, token_hash: str, now_us: int) -> Taken | None:
    """Return what a token stood for, and forget it; None if it is not there, or over."""
    row = connection.execute(
        select(_T.user_id, _T.value, _T.expires_us).where(
            _T.hash == token_hash, _T.purpose == purpose.value
        )
    ).first()
    if row is None:
        return None
    connection.execute(delete(one_time_tokens).where(_T.hash == token_hash))
    if row.expires_us <= now_us:
        return None
    return Taken(user_id=UserId(row.user_id), value=row.value or "")


def forget(connection: Connection, user_id: UserId) -> None:
    """Make all tokens of a user void."""
    connection.execute(delete(one_time_tokens).where(_T.user_id == user_id))
