"""Codes and tokens of apps: by their hashes, since nobody needs to read them again."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, delete, insert, select, update

from backend.adapters.storage.tables_oauth import oauth_codes, oauth_tokens
from backend.core import json
from backend.core.ids import OAuthAppId, UserId
from backend.core.oauth import AuthorizationCode, OAuthToken, TokenKind
from backend.core.permissions import as_permissions

_C: Final = oauth_codes.c
_T: Final = oauth_tokens.c
#: What is over is kept for a day: who uses it again must be found out.
_KEPT_US: Final = 24 * 3600 * 1_000_000
#: So many go with each that comes, so that they never pile up.
_AT_ONCE: Final = 20


def add_code(connection: Connection, code: AuthorizationCode, now_us: int) -> None:
    """Save a code; see OAuthStorage.add_code."""
    _forget(connection, oauth_codes, now_us)
    connection.execute(
        insert(oauth_codes).values(
            hash=code.hash,
            app_id=code.app_id,
            user_id=code.user_id,
            family=code.family,
            redirect_uri=code.redirect_uri,
            scopes=json.text(list(code.scopes)),
            challenge=code.challenge,
            expires_us=code.expires_us,
        )
    )


def code(connection: Connection, hash_: str) -> AuthorizationCode | None:
    """Return a code, used or not."""
    row = connection.execute(select(oauth_codes).where(_C.hash == hash_)).one_or_none()
    if row is None:
        return None
    return AuthorizationCode(
        hash=row.hash,
        app_id=OAuthAppId(row.app_id),
        user_id=UserId(row.user_id),
        family=row.family,
        redirect_uri=row.redirect_uri,
        scopes=as_permissions(json.loads(row.scopes)),
        challenge=row.challenge,
        expires_us=row.expires_us,
        used_us=row.used_us,
    )


def redeem(connection: Connection, hash_: str, tokens: Sequence[OAuthToken], now_us: int) -> bool:
    """Use a code up; see OAuthStorage.redeem."""
    used = connection.execute(
        update(oauth_codes).where(_C.hash == hash_, _C.used_us.is_(None)).values(used_us=now_us)
    ).rowcount
    if used:
        _add(connection, tokens)
    return used > 0


def token(connection: Connection, hash_: str) -> OAuthToken | None:
    """Return a token, however it stands."""
    row = connection.execute(select(oauth_tokens).where(_T.hash == hash_)).one_or_none()
    return None if row is None else _record(row)


def rotate(connection: Connection, hash_: str, tokens: Sequence[OAuthToken], now_us: int) -> bool:
    """Put *tokens* in the place of one; see OAuthStorage.rotate."""
    _forget(connection, oauth_tokens, now_us)
    revoked = revoke(connection, hash_, now_us)
    if revoked:
        _add(connection, tokens)
    return revoked


def revoke(connection: Connection, hash_: str, now_us: int) -> bool:
    """Revoke a token; say whether it was not before."""
    revoked = connection.execute(
        update(oauth_tokens)
        .where(_T.hash == hash_, _T.revoked_us.is_(None))
        .values(revoked_us=now_us)
    ).rowcount
    return revoked > 0


def revoke_family(connection: Connection, family: str, now_us: int) -> int:
    """Revoke all tokens that came of one leave; return how many were not before."""
    return connection.execute(
        update(oauth_tokens)
        .where(_T.family == family, _T.revoked_us.is_(None))
        .values(revoked_us=now_us)
    ).rowcount


def _add(connection: Connection, tokens: Sequence[OAuthToken]) -> None:
    for one in tokens:
        connection.execute(
            insert(oauth_tokens).values(
                hash=one.hash,
                kind=one.kind.value,
                app_id=one.app_id,
                user_id=one.user_id,
                family=one.family,
                scopes=json.text(list(one.scopes)),
                created_us=one.created_us,
                expires_us=one.expires_us,
            )
        )


def forget(connection: Connection, now_us: int) -> int:
    """Delete codes and tokens that were over long ago, some at once; return how many."""
    return sum(_forget(connection, table, now_us, 500) for table in (oauth_codes, oauth_tokens))


def _forget(connection: Connection, table: Table, now_us: int, at_once: int = _AT_ONCE) -> int:
    over = (
        select(table.c.hash)
        .where(table.c.expires_us < now_us - _KEPT_US)
        .order_by(table.c.expires_us)
        .limit(at_once)
    )
    return connection.execute(delete(table).where(table.c.hash.in_(over))).rowcount


def _record(row: Row[Any]) -> OAuthToken:
    return OAuthToken(
        hash=row.hash,
        kind=TokenKind(row.kind),
        app_id=OAuthAppId(row.app_id),
        user_id=UserId(row.user_id),
        family=row.family,
        scopes=as_permissions(json.loads(row.scopes)),
        created_us=row.created_us,
        expires_us=row.expires_us,
        revoked_us=row.revoked_us,
    )
