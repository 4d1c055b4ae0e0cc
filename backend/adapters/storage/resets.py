"""Tokens with which somebody who forgot a password sets a new one: hashes, each good once."""

from typing import Final

from sqlalchemy import Connection, delete, insert, select

from backend.adapters.storage.tables_accounts import one_time_tokens
from backend.core.ids import UserId

_T: Final = one_time_tokens.c
_RESET: Final = "reset"


def add(connection: Connection, user_id: UserId, token_hash: str, expires_us: int) -> None:
    """Keep a token in the place of all earlier ones of this user."""
    connection.execute(delete(one_time_tokens).where(_T.user_id == user_id, _T.purpose == _RESET))
    connection.execute(
        insert(one_time_tokens).values(
            hash=token_hash, user_id=user_id, purpose=_RESET, expires_us=expires_us
        )
    )


def take(connection: Connection, token_hash: str, now_us: int) -> UserId | None:
    """Return whose token it is, and forget it; see Accounts.take_reset."""
    row = connection.execute(
        select(_T.user_id, _T.expires_us).where(_T.hash == token_hash, _T.purpose == _RESET)
    ).first()
    if row is None:
        return None
    connection.execute(delete(one_time_tokens).where(_T.hash == token_hash))
    return UserId(row.user_id) if row.expires_us > now_us else None
