"""Whom to refuse at once: what every request is held against, without asking the database for it."""

import asyncio
from typing import Final

from backend.core.accounts import Role, Standing
from backend.core.ids import SessionId, UserId
from backend.ports.accounts import Accounts, Revision
from backend.ports.clock import Clock

#: A process that was killed between its commit and its word is noticed after so long.
MAX_AGE_S: Final = 5.0
#: Beyond the life of an access token, for clocks that differ.
_MARGIN_S: Final = 60


class Standings:
    """
    The standing of all accounts, read again when another process says that something changed.

    Whoever bans somebody or ends a session commits, then changes the revision; the next request
    sees that, and waits for a fresh reading.
    """

    def __init__(
        self, *, accounts: Accounts, revision: Revision, clock: Clock, access_token_s: float
    ) -> None:
        self._accounts = accounts
        self._revision = revision
        self._clock = clock
        self._ended_for_us = round((access_token_s + _MARGIN_S) * 1_000_000)
        self._lock = asyncio.Lock()
        self._now = Standing()
        self._read_at: bytes | None = None
        self._read_s = 0.0
        self.readings = 0

    def is_stale(self) -> bool:
        """Say whether something may have changed since the last reading."""
        return (
            self._revision.current() != self._read_at
            or self._clock.monotonic_s() - self._read_s >= MAX_AGE_S
        )

    async def refresh(self) -> None:
        """Read again what may have changed; many at once are one reading."""
        async with self._lock:
            if not self.is_stale():
                return
            # Before the reading: what changes during it is read once more.
            read_at, read_s = self._revision.current(), self._clock.monotonic_s()
            after_us = self._clock.now_us() - self._ended_for_us
            self._now = await self._accounts.standing(ended_after_us=after_us)
            self._read_at, self._read_s = read_at, read_s
            self.readings += 1

    def changed(self) -> None:
        """Let all processes read again; to be called after each commit that bans or ends."""
        self._revision.change()

    def is_disabled(self, user_id: UserId) -> bool:
        """Say whether an account is refused everywhere."""
        return user_id in self._now.disabled

    def is_ended(self, session_id: SessionId) -> bool:
        """Say whether a session has ended before its access token."""
        return session_id in self._now.ended

    def role(self, user_id: UserId) -> Role:
        """Return what an account may do."""
        return self._now.roles.get(user_id, Role.MEMBER)
