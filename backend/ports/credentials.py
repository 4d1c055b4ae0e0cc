"""Where credentials are kept, sealed. They are reached through an object bound to their owner."""

from collections.abc import Sequence
from typing import Protocol

from backend.core.credentials import CredentialsRecord, SealedRow, SignIn, Uses
from backend.core.ids import CredentialsId, UserId


class UserCredentials(Protocol):
    """What one user keeps. Somebody else's id is answered like one that does not exist."""

    async def listed(self, provider: str | None = None) -> list[CredentialsRecord]:
        """Return all, or those for *provider*, oldest first."""

    async def get(self, credentials_id: CredentialsId) -> CredentialsRecord | None:
        """Return one."""

    async def some(self, ids: Sequence[CredentialsId]) -> list[CredentialsRecord]:
        """Return those of *ids* that there are, at once."""

    async def add(self, record: CredentialsRecord, *, most: int) -> None:
        """
        Keep new ones.

        Raises:
            Conflict: If the id is taken.
            BadRequest: If this user has *most* already.
        """

    async def replace(self, record: CredentialsRecord) -> bool:
        """
        Put *record* in place of the one with the revision before, and end its lease.

        Returns:
            False, with nothing done, if that one has changed or is gone.
        """

    async def remove(self, credentials_id: CredentialsId) -> bool:
        """Delete them and let no webhook name them any more; say whether there were any."""

    async def uses(self, credentials_id: CredentialsId) -> Uses:
        """Return who would miss them."""

    async def lease(
        self, credentials_id: CredentialsId, holder: str, *, now_us: int, until_us: int
    ) -> bool:
        """Let *holder* alone renew them until then; False if somebody else does."""

    async def end_lease(self, credentials_id: CredentialsId, holder: str) -> None:
        """Let others renew them; nothing happens if *holder* does not."""

    async def add_sign_in(self, sign_in: SignIn, *, now_us: int, most: int) -> None:
        """Keep that somebody is away signing in; forget what is over, and the oldest past *most*."""

    async def take_sign_in(self, key: str, provider: str, *, now_us: int) -> SignIn | None:
        """Return a sign-in that is not over and forget it: only one caller gets it."""


class CredentialsStore(Protocol):
    """The credentials of all users."""

    def of(self, user_id: UserId) -> UserCredentials:
        """Return those of *user_id*."""

    async def sealed(self, after: SealedRow | None, *, limit: int) -> list[SealedRow]:
        """Return sealed values of everybody, in a fixed order, those after *after*."""

    async def webhook_secrets(self, after: SealedRow | None, *, limit: int) -> list[SealedRow]:
        """Return the secrets of webhooks, a part of `sealed`; older servers kept them in clear."""

    async def sealed_now(self, row: SealedRow) -> SealedRow | None:
        """Return the same value as it is now; None if it is gone."""

    async def seal_again(self, pairs: Sequence[tuple[SealedRow, str]]) -> list[SealedRow]:
        """
        Put new sealed texts in place of old ones, those of *pairs* that are still as they were.

        Returns:
            The rows that are not.
        """
