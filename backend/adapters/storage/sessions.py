"""Sessions, and the refresh tokens that keep them alive: each is good once."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from backend.adapters.storage.tables_accounts import accounts, refresh_tokens, sessions
from backend.core.accounts import SessionRecord
from backend.core.ids import SessionId, UserId

_S: Final = sessions.c
_T: Final = refresh_tokens.c
#: Access tokens of a session that is over are over too by then.
_FORGET_AFTER_US: Final = 86_400 * 1_000_000


def add(
    connection: Connection, session: SessionRecord, token_hash: str, most: int, now_us: int
) -> Sequence[SessionId]:
    """Save a session with its first token; see UserAccount.add_session."""
    _forget(connection, session.user_id, now_us)
    connection.execute(
        insert(sessions).values(
            id=session.id,
            user_id=session.user_id,
            created_us=session.created_us,
            last_used_us=session.last_used_us,
            expires_us=session.expires_us,
            address=session.address,
            agent=session.agent,
        )
    )
    _add_token(connection, session.id, token_hash, now_us)
    over = [one.id for one in living(connection, session.user_id, now_us)[most:]]
    for one in over:
        end(connection, session.user_id, one, now_us)
    return over


def living(connection: Connection, user_id: UserId, now_us: int) -> list[SessionRecord]:
    """Return a user's sessions that live, last used first."""
    found = connection.execute(
        select(sessions)
        .where(_S.user_id == user_id, _S.ended_us.is_(None), _S.expires_us > now_us)
        .order_by(_S.last_used_us.desc(), _S.created_us.desc(), _S.id.desc())
    )
    return [_record(row) for row in found]


def end(connection: Connection, user_id: UserId, session_id: SessionId, now_us: int) -> bool:
    """End a session of this user."""
    gone = connection.execute(
        update(sessions)
        .where(
            _S.id == session_id,
            _S.user_id == user_id,
            _S.ended_us.is_(None),
            _S.expires_us > now_us,
        )
        .values(ended_us=now_us)
    )
    return gone.rowcount > 0


def end_all(connection: Connection, user_id: UserId, but: SessionId | None, now_us: int) -> int:
    """End a user's sessions, all but one."""
    gone = connection.execute(
        update(sessions)
        .where(_S.user_id == user_id, _S.ended_us.is_(None), _S.id != (but or ""))
        .values(ended_us=now_us)
    )
    return gone.rowcount


def rotate(
    connection: Connection,
    token_hash: str,
    new_hash: str,
    *,
    expires_us: int,
    address: str,
    now_us: int,
) -> tuple[SessionRecord | None, bool]:
    """Put a new token in the place of one that lives; see Accounts.rotate."""
    row = connection.execute(
        select(sessions, _T.used_us, accounts.c.is_disabled)
        .select_from(
            refresh_tokens.join(sessions, _S.id == _T.session_id).outerjoin(
                accounts, accounts.c.user_id == _S.user_id
            )
        )
        .where(_T.hash == token_hash)
    ).first()
    if row is None:
        return None, False
    session = _record(row)
    if row.used_us is not None:
        # Of the two who have it, one is a thief; nobody can tell which.
        end(connection, session.user_id, session.id, now_us)
        return session, False
    if row.ended_us is not None or row.expires_us <= now_us or row.is_disabled:
        return session, False
    connection.execute(update(refresh_tokens).where(_T.hash == token_hash).values(used_us=now_us))
    _add_token(connection, session.id, new_hash, now_us)
    values = {"last_used_us": now_us, "expires_us": expires_us, "address": address}
    connection.execute(update(sessions).where(_S.id == session.id).values(values))
    return session, True


def _add_token(connection: Connection, session_id: SessionId, token_hash: str, now_us: int) -> None:
    connection.execute(
        insert(refresh_tokens).values(hash=token_hash, session_id=session_id, created_us=now_us)
    )


def _forget(connection: Connection, user_id: UserId, now_us: int) -> None:
    """Delete a user's sessions that have been over for long, with their tokens."""
    before = now_us - _FORGET_AFTER_US
    over = select(_S.id).where(
        _S.user_id == user_id, (_S.ended_us < before) | (_S.expires_us < before)
    )
    connection.execute(delete(refresh_tokens).where(_T.session_id.in_(over)))
    connection.execute(delete(sessions).where(_S.id.in_(over)))


def _record(row: Row[Any]) -> SessionRecord:
    return SessionRecord(
        id=SessionId(row.id),
        user_id=UserId(row.user_id),
        created_us=row.created_us,
        last_used_us=row.last_used_us,
        expires_us=row.expires_us,
        address=row.address,
        agent=row.agent,
    )
