"""Apps that users let in: made by an operator, switched on and off and given a picture by their owner."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from backend.core.api_keys import KEY_PREFIX, secret_of
from backend.core.errors import BadRequest, NotFound
from backend.core.ids import OAuthAppId, UserId
from backend.core.images import image_of
from backend.core.oauth import CLIENT_PREFIX, Logo, OAuthApp, check_redirect_uri
from backend.core.permissions import Permission
from backend.ports.clock import Clock
from backend.ports.oauth import OAuthStorage

#: Of one user.
MAX_APPS: Final = 100
MAX_REDIRECT_URIS: Final = 20
#: What the contract takes as a logo (spec/contract.md 5).
MAX_LOGO_BYTES: Final = 3 * 1024 * 1024
MIN_LOGO_PIXELS: Final = 512
MAX_LOGO_PIXELS: Final = 2048


@dataclass(frozen=True, kw_only=True)
class NewOAuthApp:
    """An app that is wanted."""

    name: str
    description: str | None = None
    redirect_uris: Sequence[str]
    scopes: Sequence[Permission]


@dataclass(frozen=True, kw_only=True)
class ShownApp:
    """An app with its secret, which is not kept: it is shown now, and never again."""

    app: OAuthApp
    client_secret: str = field(repr=False)


class OAuthAppService:
    """Apps of all users; a method that changes one names the user whose it is."""

    def __init__(self, *, storage: OAuthStorage, clock: Clock, base_url: str) -> None:
        """Take *base_url*, the address of this server as browsers know it, without a last slash."""
        self._storage = storage
        self._clock = clock
        self._base_url = base_url

    async def add(self, user_id: UserId, new: NewOAuthApp) -> ShownApp:
        """
        Make an app of *user_id* and return it with its secret. For an operator.

        Raises:
            BadRequest: If a redirect URI is none, or there are none, or no scopes.
            Conflict: If the user has `MAX_APPS` already.
        """
        if not 0 < len(new.redirect_uris) <= MAX_REDIRECT_URIS or not new.scopes:
            raise BadRequest(f"an app has 1 to {MAX_REDIRECT_URIS} redirect URIs, and scopes")
        for uri in new.redirect_uris:
            check_redirect_uri(uri)
        text = KEY_PREFIX + secrets.token_urlsafe(32)
        now_us = self._clock.now_us()
        app = OAuthApp(
            id=OAuthAppId(self._clock.new_id()),
            user_id=user_id,
            client_id=CLIENT_PREFIX + secrets.token_urlsafe(16),
            secret=secret_of(text, secrets.token_hex(16)),
            name=new.name,
            description=new.description,
            redirect_uris=tuple(dict.fromkeys(new.redirect_uris)),
            scopes=tuple(one for one in Permission if one in new.scopes),
            created_us=now_us,
            updated_us=now_us,
        )
        await self._storage.of(user_id).add(app, most=MAX_APPS)
        return ShownApp(app=app, client_secret=text)

    async def listed(self, user_id: UserId) -> list[OAuthApp]:
        """Return the apps of a user, newest first."""
        return await self._storage.of(user_id).listed()

    async def get(self, user_id: UserId, app_id: OAuthAppId) -> OAuthApp:
        """Return an app of a user."""
        found = await self._storage.of(user_id).get(app_id)
        if found is None:
            raise NotFound(f"OAuth app #{app_id} not found.")
        return found

    async def known(self, client_id: str) -> OAuthApp:
        """Return an app that anybody may let in; raises NotFound if there is none, or it is off."""
        found = await self._storage.app_of_client(client_id)
        if found is None or not found.is_active:
            raise NotFound(f"OAuth app {client_id[:100]!r} not found.")
        return found

    async def set_active(self, user_id: UserId, app_id: OAuthAppId, *, is_active: bool) -> OAuthApp:
        """Switch an app on or off. While it is off, its tokens open nothing."""
        return await self._storage.of(user_id).set_active(
            app_id, is_active=is_active, now_us=self._clock.now_us()
        )

    async def set_logo(self, user_id: UserId, app_id: OAuthAppId, content: bytes) -> OAuthApp:
        """
        Give an app a picture.

        Raises:
            BadRequest: If it is no square PNG, JPEG or WebP of the right size.
            NotFound: If there is no such app.
        """
        logo = _checked_logo(content)
        name = hashlib.sha256(content).hexdigest()[:16]
        return await self._storage.of(user_id).set_logo(
            app_id, logo, name=name, now_us=self._clock.now_us()
        )

    async def name_logo(self, user_id: UserId, app_id: OAuthAppId, url: str) -> OAuthApp:
        """
        Keep the logo an app has, whose address is *url*, or with an empty one take it away.

        An address of somewhere else is refused: what was kept here before would be deleted for it,
        and whoever is asked to let the app in would call there.

        Raises:
            BadRequest: If *url* is not the address of this app's logo.
            NotFound: If there is no such app.
        """
        found = await self.get(user_id, app_id)
        if not url:
            return await self._storage.of(user_id).set_logo(
                app_id, None, name=None, now_us=self._clock.now_us()
            )
        if url != self.logo_url(found):
            raise BadRequest(
                "logo_url is the address of an uploaded logo, or empty: upload the picture."
            )
        return found

    def logo_url(self, app: OAuthApp) -> str | None:
        """Return where an app's logo is shown; None if it has none."""
        if app.logo is None:
            return None
        return f"{self._base_url}/api/oauth/apps/{app.id}/logo?v={app.logo}"

    async def logo(self, app_id: OAuthAppId) -> Logo:
        """Return the logo of an app, whoever's: it is shown to those who may let it in."""
        found = await self._storage.logo(app_id)
        if found is None:
            raise NotFound(f"OAuth app #{app_id} has no logo.")
        return found


def _checked_logo(content: bytes) -> Logo:
    if len(content) > MAX_LOGO_BYTES:
        raise BadRequest(f"A logo has at most {MAX_LOGO_BYTES // 1024 // 1024} MB.")
    found = image_of(content)
    if found is None:
        raise BadRequest("A logo is a PNG, JPEG or WebP picture.")
    media_type, width, height = found
    if width != height or not MIN_LOGO_PIXELS <= width <= MAX_LOGO_PIXELS:
        raise BadRequest(
            f"A logo is square, with {MIN_LOGO_PIXELS} to {MAX_LOGO_PIXELS} pixels on a side; "
            f"this one has {width} by {height}."
        )
    return Logo(media_type=media_type, content=content)
