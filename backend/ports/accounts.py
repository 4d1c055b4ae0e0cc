"""Where accounts and sessions are kept, how passwords are hashed, and what tells of changes.

All times are microseconds since the epoch, UTC. Tokens are given as their hashes: what could let
somebody in is kept nowhere. Every method of storage raises Unavailable when the database does not
answer within its time limit.
"""

from collections.abc import Sequence
from typing import Protocol

from backend.core.accounts import AccountRecord, Role, SessionRecord, Standing
from backend.core.ids import SessionId, UserId


class UserAccount(Protocol):
    """The account and the sessions of one user."""

    user_id: UserId

    async def get(self) -> AccountRecord | None:
        """Return the account."""

    async def set_password(self, password_hash: str, *, now_us: int) -> None:
        """
        Keep the hash of a password; the account signs in with its e-mail address from now on.

        What letters brought before, tokens for passwords and addresses, is void.
        """

    async def add_reset(self, token_hash: str, *, expires_us: int) -> None:
        """Keep the hash of a token that lets its holder set a password; earlier ones are void."""

    async def add_address(self, token_hash: str, email: str, *, expires_us: int) -> None:
        """Keep the hash of a token that makes *email* the address; earlier ones are void."""

    async def set_disabled(self, *, disabled: bool, now_us: int) -> None:
        """
        Refuse this user from now on, end all sessions and ask all runs to stop; or let them in again.

        While they are refused, no schedule of theirs fires, and their webhooks take nothing.
        """

    async def set_role(self, role: Role, *, now_us: int) -> None:
        """Keep what this user may do."""

    async def add_session(
        self, session: SessionRecord, *, token_hash: str, most: int, now_us: int
    ) -> Sequence[SessionId]:
        """
        Save a session with its first refresh token, and when this user came last.

        Forgets sessions that are over. Of the living ones at most *most* stay, the newest.

        Returns:
            Those that were ended for it.
        """

    async def sessions(self, *, now_us: int) -> list[SessionRecord]:
        """Return the sessions that live, last used first."""

    async def end_session(self, session_id: SessionId, *, now_us: int) -> bool:
        """End a session; say whether there was one that lived."""

    async def end_sessions(self, *, but: SessionId | None = None, now_us: int) -> int:
        """End all sessions but one; return how many there were."""


class Accounts(Protocol):
    """The accounts of everybody: for signing in, and for an operator."""

    def of(self, user_id: UserId) -> UserAccount:
        """Return what belongs to *user_id*."""

    async def add(self, account: AccountRecord) -> None:
        """
        Save a new account.

        Raises:
            Conflict: If its id is taken, or its address is somebody's already.
        """

    async def ensure_owner(self, user_id: UserId, *, now_us: int) -> None:
        """Make the account of this user, who is there, the owner's if it has no role yet."""

    async def by_login(self, email: str) -> AccountRecord | None:
        """Return whose *email*, in its normal spelling, signs in."""

    async def find(self, who: str) -> AccountRecord | None:
        """Return the account of an id or an address; with or without a password."""

    async def listed(self, *, limit: int) -> list[AccountRecord]:
        """Return accounts, oldest first."""

    async def standing(self, *, ended_after_us: int) -> Standing:
        """Return what is to be known at every request; sessions that ended since a moment."""

    async def take_reset(self, token_hash: str, *, now_us: int) -> UserId | None:
        """Return whose token it is, and forget it; None if there is none, or it is over."""

    async def take_address(self, token_hash: str, *, now_us: int) -> AccountRecord | None:
        """
        Give an account the address for which a token was sent, and forget the token.

        Notices go there from now on, and who signs in with the address does so with this one.

        Returns:
            The account as it is now; None if there is no such token, it is over, or its account
            is disabled.

        Raises:
            Conflict: If the address is somebody else's by now.
        """

    async def rotate(
        self, token_hash: str, new_hash: str, *, expires_us: int, address: str, now_us: int
    ) -> tuple[SessionRecord | None, bool]:
        """
        Put a new refresh token in the place of one that lives, for longer now.

        Returns:
            Its session, and True if the old one was good. One that was used before ends its
            session: somebody else has it. None if it was never there.
        """


class PasswordHasher(Protocol):
    """Turns passwords into what may be kept. Slow on purpose; blocks its thread."""

    def hash(self, password: str) -> str:
        """Return the hash of *password*, with fresh salt."""

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Say whether it is the password; takes the same time for None, which nothing matches."""

    def is_outdated(self, password_hash: str) -> bool:
        """Say whether the hash was made with weaker settings than a fresh one would be."""


class Revision(Protocol):
    """A number that all processes of an installation see change. Reading it costs nothing."""

    def current(self) -> bytes:
        """Return what it is now."""

    def change(self) -> None:
        """Make it another one, for everybody."""
