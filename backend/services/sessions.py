"""Signing in and out: passwords become sessions, sessions become access tokens, and all can end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from backend.core.accounts import AccountRecord, SessionRecord, check_password
from backend.core.audit import By
from backend.core.errors import LoginRefused, NotFound, TooManyRequests
from backend.core.ids import SessionId, UserId
from backend.ports.accounts import Accounts, PasswordHasher
from backend.ports.audit import add_facts, name_actor, name_object
from backend.ports.clock import Clock
from backend.services.local_tokens import LocalKey, hash_of, new_token, sign
from backend.services.rates import RateLimit, address_key
from backend.services.standings import Standings

log = structlog.get_logger(__name__)

REFRESH_PREFIX: Final = "agpt_rt_"
#: Of one user; the one that was not used for longest ends.
MAX_SESSIONS: Final = 50
#: Each needs 19 MiB and a core for some 20 ms.
_PASSWORDS_AT_ONCE: Final = 2
_PASSWORDS_WAITING: Final = 32
#: Tries, and the seconds after which they may be made again. Of an account: about 8,600 a day.
_PER_ACCOUNT: Final = (10, 100.0)
_PER_ADDRESS: Final = (30, 90.0)
_MAX_AGENT: Final = 200


@dataclass(frozen=True, kw_only=True)
class Place:
    """From where somebody signs in."""

    address: str
    agent: str = ""


@dataclass(frozen=True, kw_only=True)
class Lifetimes:
    """How long tokens are good."""

    access_s: int = 900
    session_s: int = 30 * 86_400


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """What a client gets that signed in."""

    account: AccountRecord
    session_id: SessionId
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in_s: int
    expires_at_s: int


class SessionService:
    """See the module."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        passwords: PasswordHasher,
        standings: Standings,
        key: LocalKey,
        clock: Clock,
        lifetimes: Lifetimes | None = None,
    ) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._standings = standings
        self._key = key
        self._clock = clock
        self._lifetimes = lifetimes or Lifetimes()
        self._by_account = _limit("tries to sign in to this account", _PER_ACCOUNT, clock)
        self._by_address = _limit("tries to sign in from this address", _PER_ADDRESS, clock)
        self._room = asyncio.Semaphore(_PASSWORDS_AT_ONCE)
        self._waiting = 0

    async def log_in(self, email: str, password: str, place: Place) -> SignedIn:
        """
        Begin a session.

        Unknown, wrong and disabled are answered alike, and take as long.

        Raises:
            LoginRefused: If this opens no account.
            TooManyRequests: If this account, or this address, has tried too often.
        """
        login = email.strip().lower()
        self._throttled(login, place)
        account = await self._accounts.by_login(login)
        known = None if account is None else account.password_hash
        good = await self._matches(known, password)
        if account is None or not good or account.is_disabled:
            log.info("login_refused", user=account and account.id, address=place.address)
            # What was typed is not kept: it may be a password in the wrong field.
            add_facts(user=account.id if account else "")
            raise LoginRefused
        begun = await self.begin(account, place)
        if known is not None and self._passwords.is_outdated(known):
            fresh = await self._hash(password)
            await self._accounts.of(account.id).set_password(fresh, now_us=self._clock.now_us())
        return begun

    async def begin(self, account: AccountRecord, place: Place) -> SignedIn:
        """Begin a session of somebody who has been recognised."""
        now_us = self._clock.now_us()
        refresh_token = new_token(REFRESH_PREFIX)
        session_id = SessionId(self._clock.new_id())
        name_actor(account.id, By.SESSION, session_id)
        name_object(session_id)
        session = SessionRecord(
            id=session_id,
            user_id=account.id,
            created_us=now_us,
            last_used_us=now_us,
            expires_us=now_us + self._lifetimes.session_s * 1_000_000,
            address=place.address,
            agent=_shown(place.agent),
        )
        over = await self._accounts.of(account.id).add_session(
            session, token_hash=hash_of(refresh_token), most=MAX_SESSIONS, now_us=now_us
        )
        if over:
            self._standings.changed()
        log.info("logged_in", user=account.id, session=session.id, address=place.address)
        return self._signed_in(account, session.id, refresh_token)

    async def refresh(self, refresh_token: str, place: Place) -> SignedIn:
        """
        Give a new pair of tokens for a refresh token, which is good once.

        Raises:
            LoginRefused: If it is not good. One that was used before ends its session.
        """
        now_us = self._clock.now_us()
        fresh = new_token(REFRESH_PREFIX)
        session, good = await self._accounts.rotate(
            hash_of(refresh_token),
            hash_of(fresh),
            expires_us=now_us + self._lifetimes.session_s * 1_000_000,
            address=place.address,
            now_us=now_us,
        )
        if session is None or not good:
            if session is not None:
                self._standings.changed()
                log.warning("refresh_token_not_good", user=session.user_id, session=session.id)
            raise LoginRefused("The refresh token is not good; sign in again")
        account = await self._accounts.of(session.user_id).get()
        if account is None:
            raise LoginRefused("The refresh token is not good; sign in again")
        return self._signed_in(account, session.id, fresh)

    async def listed(self, user_id: UserId) -> list[SessionRecord]:
        """Return a user's sessions that live, last used first."""
        return await self._accounts.of(user_id).sessions(now_us=self._clock.now_us())

    async def end(self, user_id: UserId, session_id: SessionId) -> None:
        """End a session of this user: its tokens are refused from now on. Raises NotFound."""
        stored = self._accounts.of(user_id)
        name_object(session_id)
        if not await stored.end_session(session_id, now_us=self._clock.now_us()):
            raise NotFound(f"Session #{session_id[:100]} not found")
        self._standings.changed()
        log.info("session_ended", user=user_id, session=session_id)

    async def end_all(self, user_id: UserId, *, but: SessionId | None = None) -> None:
        """End all sessions of this user, all but one."""
        await self._accounts.of(user_id).end_sessions(but=but, now_us=self._clock.now_us())
        self._standings.changed()
        log.info("sessions_ended", user=user_id)

    async def change_password(
        self,
        user_id: UserId,
        *,
        current: str,
        new: str,
        session_id: SessionId | None,
        place: Place,
    ) -> None:
        """
        Change one's own password; all sessions but this one end.

        Raises:
            LoginRefused: If *current* is not the password.
            BadRequest: If *new* cannot be used.
            TooManyRequests: If it was tried too often.
        """
        stored = self._accounts.of(user_id)
        name_object(user_id)
        account = await stored.get()
        self._throttled(account.email if account else user_id, place)
        known = None if account is None else account.password_hash
        if not await self._matches(known, current) or account is None:
            log.info("password_not_changed", user=user_id, address=place.address)
            raise LoginRefused("The current password is wrong")
        check_password(new, email=account.email)
        await stored.set_password(await self._hash(new), now_us=self._clock.now_us())
        log.info("password_changed", user=user_id)
        await self.end_all(user_id, but=session_id)

    def _signed_in(
        self, account: AccountRecord, session_id: SessionId, refresh_token: str
    ) -> SignedIn:
        now_s, ttl_s = self._clock.now_us() // 1_000_000, self._lifetimes.access_s
        return SignedIn(
            account=account,
            session_id=session_id,
            access_token=sign(
                self._key,
                user_id=account.id,
                email=account.email,
                name=account.name,
                is_admin=account.role.is_admin,
                now_s=now_s,
                ttl_s=ttl_s,
                session_id=session_id,
            ),
            refresh_token=refresh_token,
            expires_in_s=ttl_s,
            expires_at_s=now_s + ttl_s,
        )

    def _throttled(self, login: str, place: Place) -> None:
        """Count a try, or raise TooManyRequests. Known or not, an account is counted alike."""
        self._by_address.take(address_key(place.address))
        self._by_account.take(login)

    async def _matches(self, password_hash: str | None, password: str) -> bool:
        async with self._turn():
            return await asyncio.to_thread(self._passwords.matches, password_hash, password)

    async def _hash(self, password: str) -> str:
        async with self._turn():
            return await asyncio.to_thread(self._passwords.hash, password)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for a turn at hashing; raises TooManyRequests if too many wait already."""
        if self._waiting >= _PASSWORDS_WAITING:
            raise TooManyRequests("Too many people sign in at once", retry_after_s=1)
        self._waiting += 1
        try:
            async with self._room:
                yield
        finally:
            self._waiting -= 1


def _limit(what: str, rate: tuple[int, float], clock: Clock) -> RateLimit:
    tokens, refill_s = rate
    return RateLimit(what, tokens=tokens, refill_s=refill_s, monotonic_s=clock.monotonic_s)


def _shown(agent: str) -> str:
    """Return what a client calls itself, as it may be kept and shown."""
    return "".join(one for one in agent if one.isprintable())[:_MAX_AGENT]
