"""Where API keys are kept: each user's own, and, to know whose a key is, everybody's by its head."""

from collections.abc import Mapping
from typing import Protocol

from backend.core.api_keys import ApiKeyRecord, ApiKeyStatus, KeySecret
from backend.core.ids import ApiKeyId, UserId
from backend.core.permissions import Permission


class UserApiKeys(Protocol):
    """One user's keys. Somebody else's is answered like one that does not exist."""

    async def add(self, key: ApiKeyRecord, *, most: int) -> None:
        """
        Save a key. Of those that are revoked the newest *most* stay.

        Raises:
            Conflict: If the user has *most* keys already that are not revoked.
        """

    async def listed(self, *, limit: int) -> list[ApiKeyRecord]:
        """Return the keys, revoked ones too, newest first."""

    async def get(self, key_id: ApiKeyId) -> ApiKeyRecord | None:
        """Return a key."""

    async def set_scopes(self, key_id: ApiKeyId, scopes: tuple[Permission, ...]) -> ApiKeyRecord:
        """Replace what a key may do, and return it. Raises NotFound if there is none."""

    async def set_status(
        self, key_id: ApiKeyId, status: ApiKeyStatus, *, now_us: int
    ) -> ApiKeyRecord:
        """
        Move a key on to *status* and return it.

        Raises:
            NotFound: If there is no such key.
            Conflict: If that cannot follow where it stands.
        """

    async def rotate(
        self, key_id: ApiKeyId, secret: KeySecret, *, previous_until_us: int
    ) -> ApiKeyRecord:
        """
        Give a key another text and return it.

        Raises:
            NotFound: If there is no such key.
            Conflict: If it is revoked.
        """


class ApiKeys(Protocol):
    """The keys of all users."""

    def of(self, user_id: UserId) -> UserApiKeys:
        """Return those of *user_id*."""

    async def with_head(self, head: str) -> list[ApiKeyRecord]:
        """Return the keys, whoever's, that begin with *head* or did before they were rotated."""

    async def note_uses(self, used_us: Mapping[ApiKeyId, int]) -> None:
        """Keep when keys were last used; an older time than the one that is kept is ignored."""
