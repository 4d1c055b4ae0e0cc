"""Where apps, their codes and their tokens are kept."""

from collections.abc import Sequence
from typing import Protocol

from backend.core.ids import OAuthAppId, UserId
from backend.core.oauth import AuthorizationCode, Logo, OAuthApp, OAuthToken


class UserOAuthApps(Protocol):
    """One user's apps. Somebody else's is answered like one that does not exist."""

    async def add(self, app: OAuthApp, *, most: int) -> None:
        """Save an app. Raises Conflict if the user has *most* already."""

    async def listed(self) -> list[OAuthApp]:
        """Return the apps, newest first."""

    async def get(self, app_id: OAuthAppId) -> OAuthApp | None:
        """Return an app."""

    async def set_active(self, app_id: OAuthAppId, *, is_active: bool, now_us: int) -> OAuthApp:
        """Switch an app on or off, and return it. Raises NotFound if there is none."""

    async def set_logo(
        self, app_id: OAuthAppId, logo: Logo | None, *, name: str | None, now_us: int
    ) -> OAuthApp:
        """Keep *logo* as *name*, or none; return the app. Raises NotFound if there is none."""


class OAuthStorage(Protocol):
    """Apps of everybody by client id, and what users have let them do."""

    def of(self, user_id: UserId) -> UserOAuthApps:
        """Return the apps of *user_id*."""

    async def app_of_client(self, client_id: str) -> OAuthApp | None:
        """Return an app, whoever's, also one that is switched off."""

    async def logo(self, app_id: OAuthAppId) -> Logo | None:
        """Return the logo of an app, whoever's."""

    async def add_code(self, code: AuthorizationCode, *, now_us: int) -> None:
        """Save a code; some that were over long before *now_us* go."""

    async def forget(self, *, now_us: int) -> int:
        """Delete codes and tokens that were over long before *now_us*, some; return how many."""

    async def code(self, hash_: str) -> AuthorizationCode | None:
        """Return a code, used or not."""

    async def redeem(self, hash_: str, tokens: Sequence[OAuthToken], *, now_us: int) -> bool:
        """Mark a code as used and save *tokens*, all or nothing; False if it was used before."""

    async def token(self, hash_: str) -> tuple[OAuthToken, OAuthApp] | None:
        """Return a token and its app, however they stand."""

    async def rotate(self, hash_: str, tokens: Sequence[OAuthToken], *, now_us: int) -> bool:
        """
        Revoke a token and save *tokens* for it, all or nothing; False if it was revoked before.

        Some tokens that were over long before *now_us* go.
        """

    async def revoke(self, hash_: str, *, now_us: int) -> bool:
        """Revoke a token; False if it was before, or there is none."""

    async def revoke_family(self, family: str, *, now_us: int) -> int:
        """Revoke all tokens of a family; return how many were not before."""
