"""Each operation about apps that users let in, asked once; see test_operations.py."""

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import TypeAdapter

from backend.api.wire.answers import ANSWERS
from tests.contract.oauth import OAUTH, about, by_code, leave, make_app, png, sent_to
from tests.contract.rest_server import RestServer

Ask = Callable[..., Awaitable[Any]]


async def ask_oauth(ask: Ask, server: RestServer, seen: set[str]) -> None:
    """Make an app, let it in, and ask about it."""
    shown = await make_app(server)
    app_id, client_id = shown.app.id, shown.app.client_id
    info = await ask("getOauthGetOauthAppInfo", client_id=client_id)
    assert (info["name"], info["scopes"]) == ("App", ["IDENTITY", "READ_BLOCK"])
    [mine] = await ask("getOauthListMyOauthApps")
    assert mine["client_id"] == client_id
    sent = await ask("postOauthAuthorize", leave(shown.app))
    code = sent_to(sent["redirect_url"])["code"]
    tokens = await ask("postOauthToken", by_code(shown, code))
    asked = about(shown, tokens["access_token"])
    assert (await ask("postOauthIntrospect", asked))["active"] is True
    assert await ask("postOauthRevoke", asked) == {"status": "ok"}
    assert await ask("postOauthIntrospect", asked) == {"active": False}
    off = await ask("patchOauthUpdateAppStatus", {"is_active": False}, app_id=app_id)
    assert off["is_active"] is False
    name = "postOauthUploadAppLogo"
    path = f"{OAUTH}/apps/{app_id}/logo/upload"
    response = await server.ask("POST", path, files={"file": ("a.png", png(), "image/png")})
    TypeAdapter(ANSWERS[name]).validate_json(response.content)
    seen.add(name)
    logo_url = response.json()["logo_url"]
    kept = await ask("patchOauthUpdateAppLogo", {"logo_url": logo_url}, app_id=app_id)
    assert kept["logo_url"] == logo_url
