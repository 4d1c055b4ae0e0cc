"""Identities at a provider, and sign-ins there that are on their way."""

from dataclasses import replace
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from backend.adapters.storage import accounts
from backend.adapters.storage.database import Database
from backend.adapters.storage.tables_accounts import identities, oidc_logins
from backend.core.accounts import AccountRecord
from backend.core.errors import Conflict
from backend.core.ids import UserId
from backend.ports.identities import OnTheWay

_I: Final = identities.c
_L: Final = oidc_logins.c


class SqlIdentities:
    """See backend.ports.identities.Identities."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, login: OnTheWay, *, most: int, now_us: int) -> None:
        await self._database.write(lambda c: begin(c, login, most, now_us))

    async def take(self, state_hash: str, *, now_us: int) -> OnTheWay | None:
        return await self._database.write(lambda c: take(c, state_hash, now_us))

    async def known(self, issuer: str, subject: str) -> AccountRecord | None:
        return await self._database.read(lambda c: known(c, issuer, subject))

    async def add(self, issuer: str, subject: str, account: AccountRecord) -> AccountRecord:
        return await self._database.write(lambda c: add(c, issuer, subject, account))


def begin(connection: Connection, login: OnTheWay, most: int, now_us: int) -> None:
    """Keep a sign-in; see Identities.begin."""
    connection.execute(delete(oidc_logins).where(_L.expires_us <= now_us))
    count = connection.execute(select(func.count()).select_from(oidc_logins)).scalar_one()
    if count >= most:
        oldest = select(_L.state_hash).order_by(_L.expires_us).limit(count - most + 1)
        connection.execute(delete(oidc_logins).where(_L.state_hash.in_(oldest)))
    connection.execute(
        insert(oidc_logins).values(
            state_hash=login.state_hash,
            browser_hash=login.browser_hash,
            nonce=login.nonce,
            verifier=login.verifier,
            expires_us=login.expires_us,
        )
    )


def take(connection: Connection, state_hash: str, now_us: int) -> OnTheWay | None:
    """Return a sign-in and forget it; see Identities.take."""
    row = connection.execute(select(oidc_logins).where(_L.state_hash == state_hash)).first()
    if row is None:
        return None
    connection.execute(delete(oidc_logins).where(_L.state_hash == state_hash))
    if row.expires_us <= now_us:
        return None
    return OnTheWay(
        state_hash=row.state_hash,
        browser_hash=row.browser_hash,
        nonce=row.nonce,
        verifier=row.verifier,
        expires_us=row.expires_us,
    )


def known(connection: Connection, issuer: str, subject: str) -> AccountRecord | None:
    """Return the account of somebody at *issuer*."""
    user_id = connection.execute(
        select(_I.user_id).where(_I.issuer == issuer, _I.subject == subject)
    ).scalar_one_or_none()
    return None if user_id is None else accounts.get(connection, UserId(user_id))


def add(connection: Connection, issuer: str, subject: str, account: AccountRecord) -> AccountRecord:
    """Save the new account of somebody at *issuer*; see Identities.add."""
    there = known(connection, issuer, subject)
    if there is not None:
        return there
    try:
        accounts.add(connection, account)
    except Conflict:
        account = replace(account, email=f"{account.id}@users.invalid")
        accounts.add(connection, account)
    connection.execute(
        insert(identities).values(
            issuer=issuer, subject=subject, user_id=account.id, created_us=account.created_us
        )
    )
    return account
