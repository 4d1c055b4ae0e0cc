"""Accounts as an operator sees them: made, banned, let in again, given a role or a new password."""

import asyncio
import secrets
from typing import Final

import structlog

from backend.core.accounts import AccountRecord, Role, check_password, normal_email
from backend.core.errors import NotAllowed, NotFound
from backend.core.ids import DEFAULT_USER_ID, UserId
from backend.ports.accounts import Accounts, PasswordHasher
from backend.ports.audit import name_object
from backend.ports.clock import Clock
from backend.services.standings import Standings

log = structlog.get_logger(__name__)

MAX_LISTED: Final = 10_000
#: 24 of these have 120 bits, and nobody takes one for another.
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_GROUPS: Final = (4, 6)


class AccountService:
    """See the module. What it does takes effect at the next request, in every process."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        passwords: PasswordHasher,
        standings: Standings,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._standings = standings
        self._clock = clock

    async def may_act(self, user_id: UserId) -> bool:
        """Say whether *user_id* may do anything; asks the database only after a change."""
        if self._standings.is_stale():
            await self._standings.refresh()
        return not self._standings.is_disabled(user_id)

    async def add(
        self, email: str, password: str, *, name: str | None = None, role: Role = Role.MEMBER
    ) -> AccountRecord:
        """
        Make an account that signs in with *email* and *password*.

        Raises:
            BadRequest: If one of them cannot be used.
            Conflict: If the address is somebody's already.
            NotAllowed: If it would be another owner.
        """
        if role is Role.OWNER:
            raise NotAllowed("a server has one owner")
        normal = normal_email(email)
        made = AccountRecord(
            id=UserId(self._clock.new_id()),
            email=normal,
            name=name,
            role=role,
            has_login=True,
            password_hash=await self._hash(password, normal),
            created_us=self._clock.now_us(),
        )
        name_object(made.id, role=role.value)
        await self._accounts.add(made)
        self._standings.changed()
        log.info("account_added", user=made.id, role=role.value)
        return made

    async def find(self, who: str) -> AccountRecord:
        """Return the account of an id or an address. Raises NotFound."""
        found = await self._accounts.find(who)
        if found is None:
            raise NotFound(f"there is no account {who[:100]!r}")
        name_object(found.id)
        return found

    async def listed(self) -> list[AccountRecord]:
        """Return accounts, oldest first, `MAX_LISTED` at most."""
        return await self._accounts.listed(limit=MAX_LISTED)

    async def set_disabled(self, who: str, *, disabled: bool) -> AccountRecord:
        """
        Refuse an account everywhere, end its sessions and stop its runs; or let it sign in again.

        Raises:
            NotFound: If there is no such account.
            NotAllowed: If it is the owner's.
        """
        account = await self.find(who)
        if disabled and account.role is Role.OWNER:
            raise NotAllowed("the owner of a server is not disabled")
        now_us = self._clock.now_us()
        await self._accounts.of(account.id).set_disabled(disabled=disabled, now_us=now_us)
        self._standings.changed()
        log.info("account_disabled" if disabled else "account_enabled", user=account.id)
        return account

    async def set_role(self, who: str, role: Role) -> AccountRecord:
        """
        Give an account another role.

        Raises:
            NotFound: If there is no such account.
            NotAllowed: If it is the owner's, or would be another one.
        """
        account = await self.find(who)
        if Role.OWNER in (account.role, role) or account.id == DEFAULT_USER_ID:
            raise NotAllowed("a server has one owner, and keeps it")
        name_object(account.id, role=role.value)
        await self._accounts.of(account.id).set_role(role, now_us=self._clock.now_us())
        self._standings.changed()
        log.info("account_role_changed", user=account.id, role=role.value)
        return account

    async def set_password(self, who: str, password: str) -> AccountRecord:
        """
        Give an account a new password and end its sessions.

        Raises:
            NotFound: If there is no such account.
            BadRequest: If the password cannot be used.
            Conflict: If the account's address signs somebody else in.
        """
        account = await self.find(who)
        hashed = await self._hash(password, account.email)
        stored, now_us = self._accounts.of(account.id), self._clock.now_us()
        await stored.set_password(hashed, now_us=now_us)
        await stored.end_sessions(now_us=now_us)
        self._standings.changed()
        log.info("password_reset", user=account.id)
        return account

    async def _hash(self, password: str, email: str) -> str:
        check_password(password, email=email)
        return await asyncio.to_thread(self._passwords.hash, password)


def drawn_password() -> str:
    """Return a fresh password that a person can type."""
    groups, size = _GROUPS[1], _GROUPS[0]
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(size)) for _ in range(groups))
