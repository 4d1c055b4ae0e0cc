"""Apps that users let in, as their owners and operators see them: addresses, logos, whose they are."""

import pytest

from backend.core.errors import BadRequest
from tests.contract.oauth import OAUTH, REDIRECT, SCOPES, make_app, png
from tests.contract.rest_server import ANN, BOB, RestServer
from tests.contract.test_wrong_requests import UNKNOWN


async def test_apps_are_their_owner_s_and_others_hear_nothing_of_them(server: RestServer) -> None:
    shown = await make_app(server)

    mine = (await server.ask("GET", f"{OAUTH}/apps/mine")).json()
    bobs = (await server.ask("GET", f"{OAUTH}/apps/mine", user=BOB)).json()

    assert [one["id"] for one in mine] == [shown.app.id]
    assert (mine[0]["owner_id"], mine[0]["scopes"]) == (ANN, list(SCOPES))
    assert bobs == []
    assert shown.client_secret not in str(mine)


async def test_a_logo_is_a_picture_that_was_uploaded(server: RestServer) -> None:
    shown = await make_app(server)
    path = f"{OAUTH}/apps/{shown.app.id}/logo"

    up = await server.ask("POST", f"{path}/upload", files={"file": ("x.gif", png(), "text/html")})

    assert up.status_code == 200, up.text
    url = up.json()["logo_url"]
    assert url.startswith(f"http://server{path}?v=")
    shown_logo = await server.client.get(url)
    assert (shown_logo.content, shown_logo.headers["content-type"]) == (png(), "image/png")
    assert "sandbox" in shown_logo.headers["content-security-policy"]
    info = await server.ask("GET", f"{OAUTH}/app/{shown.app.client_id}", user=BOB)
    assert info.json()["logo_url"] == url
    kept = await server.ask("PATCH", path, {"logo_url": url})
    assert kept.json()["logo_url"] == url
    gone = await server.ask("PATCH", path, {"logo_url": ""})
    assert gone.json()["logo_url"] is None
    assert (await server.client.get(url)).status_code == 404


async def test_a_logo_is_never_an_address_of_somewhere_else(server: RestServer) -> None:
    shown, other = await make_app(server), await make_app(server)
    files = {"file": ("x.png", png(), "image/png")}
    path = f"{OAUTH}/apps/{shown.app.id}/logo"
    theirs = f"{OAUTH}/apps/{other.app.id}/logo/upload"
    there = (await server.ask("POST", theirs, files=files)).json()["logo_url"]

    for url in ("https://evil.example/x.png", "gs://bucket/users/bob/file", there):
        refused = await server.ask("PATCH", path, {"logo_url": url})
        assert refused.status_code == 400, url

    assert (await server.client.get(there)).status_code == 200


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<svg onload='alert(1)'/>", "PNG, JPEG or WebP"),
        (b"", "PNG, JPEG or WebP"),
        (b"GIF89a" + bytes(100), "PNG, JPEG or WebP"),
        (png(511, 511), "512 to 2048"),
        (png(2049, 2049), "512 to 2048"),
        (png(512, 513), "square"),
        (png() + bytes(3 * 1024 * 1024), "at most 3 MB"),
    ],
)
async def test_what_is_no_logo_is_refused(server: RestServer, content: bytes, says: str) -> None:
    shown = await make_app(server)

    refused = await server.ask(
        "POST",
        f"{OAUTH}/apps/{shown.app.id}/logo/upload",
        files={"file": ("x.png", content, "image/png")},
    )

    assert (refused.status_code, says in refused.text) == (400, True), refused.text


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "http://app.example/",
        "https://app.example/#part",
        "https://*.example/",
        "/back",
        "https:///back",
        "https://app.example/ü",
        "data:text/html,x",
        "",
    ],
)
async def test_no_app_is_made_with_an_address_that_others_could_get_at(
    server: RestServer, uri: str
) -> None:
    with pytest.raises(BadRequest):
        await make_app(server, redirect_uris=[REDIRECT, uri])


@pytest.mark.parametrize("uri", ["http://localhost:7/x", "http://127.0.0.1/", "my.app:/back"])
async def test_apps_on_this_machine_have_addresses_too(server: RestServer, uri: str) -> None:
    shown = await make_app(server, redirect_uris=[uri])

    assert shown.app.redirect_uris == (uri,)


async def test_an_unknown_app_has_no_logo_and_no_owner(server: RestServer) -> None:
    assert (await server.client.get(f"{OAUTH}/apps/{UNKNOWN}/logo")).status_code == 404
    for path, body in (("status", {"is_active": True}), ("logo", {"logo_url": ""})):
        refused = await server.ask("PATCH", f"{OAUTH}/apps/{UNKNOWN}/{path}", body)
        assert refused.status_code == 404
