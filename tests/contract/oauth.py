"""Apps that users let in, as tests use them."""

import base64
import hashlib
import struct
from typing import Any
from urllib.parse import parse_qs, urlsplit

from backend.core.ids import UserId
from backend.core.oauth import OAuthApp
from backend.core.permissions import Permission
from backend.services.oauth_apps import NewOAuthApp, ShownApp
from tests.contract.rest_server import ANN, BOB, Json, RestServer

OAUTH = "/api/oauth"
REDIRECT = "https://app.example/back?from=here"
VERIFIER = "v" * 20 + "-._~" + "V" * 20
SCOPES = [Permission.IDENTITY, Permission.READ_BLOCK]


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


async def make_app(server: RestServer, *, user: str = ANN, **changes: Any) -> ShownApp:
    """Make an app, as an operator does."""
    wanted: dict[str, Any] = {
        "name": "App",
        "description": "reads blocks",
        "redirect_uris": [REDIRECT],
        "scopes": SCOPES,
        **changes,
    }
    return await server.context.doors.oauth_apps.add(UserId(user), NewOAuthApp(**wanted))


def leave(app: OAuthApp, **changes: Any) -> Json:
    """Return what an app asks a user for."""
    return {
        "client_id": app.client_id,
        "redirect_uri": REDIRECT,
        "scopes": ["IDENTITY"],
        "state": "st a&te",
        "code_challenge": challenge_of(VERIFIER),
        **changes,
    }


async def code_of(server: RestServer, shown: ShownApp, *, user: str = BOB, **changes: Any) -> str:
    """Let *user* give an app what it asks for, and return its code."""
    body = leave(shown.app, **changes)
    response = await server.ask("POST", f"{OAUTH}/authorize", body, user=user)
    assert response.status_code == 200, response.text
    return sent_to(response.json()["redirect_url"])["code"]


def sent_to(url: str) -> dict[str, str]:
    """Return the query with which a browser is sent somewhere."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def by_code(shown: ShownApp, code: str, **changes: Any) -> Json:
    """Return what an app trades a code with."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "client_id": shown.app.client_id,
        "client_secret": shown.client_secret,
        "code_verifier": VERIFIER,
        **changes,
    }


def by_refresh(shown: ShownApp, token: str, **changes: Any) -> Json:
    """Return what an app trades a refresh token with."""
    return {
        "grant_type": "refresh_token",
        "refresh_token": token,
        "client_id": shown.app.client_id,
        "client_secret": shown.client_secret,
        **changes,
    }


def about(shown: ShownApp, token: str) -> Json:
    """Return what an app asks about a token with, or revokes it."""
    return {
        "token": token,
        "client_id": shown.app.client_id,
        "client_secret": shown.client_secret,
    }


async def post(server: RestServer, path: str, body: Json) -> Any:
    """Ask as an app does, without a user's token."""
    return await server.client.post(f"{OAUTH}/{path}", json=body)


async def tokens_of(server: RestServer, shown: ShownApp, **changes: Any) -> Json:
    """Let a user in, and return the tokens that the app has then."""
    code = await code_of(server, shown, **changes)
    response = await post(server, "token", by_code(shown, code))
    assert response.status_code == 200, response.text
    made: Json = response.json()
    return made


def png(width: int = 512, height: int = 512) -> bytes:
    """Return the beginning of a PNG picture."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII5B", 13, b"IHDR", width, height, 8, 2, 0, 0, 0)


async def app_of(owner: Any) -> str:
    """Make an app of an owner in the ownership matrix, let it in, and return its id."""
    shown = await make_app(owner.server, user=owner.user)
    await tokens_of(owner.server, shown, user=owner.user)
    return str(shown.app.id)
