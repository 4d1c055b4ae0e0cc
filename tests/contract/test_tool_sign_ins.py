"""Accounts at tool servers: found, registered, connected, renewed once, given back. The server is real."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
import pytest

from backend.core.credentials import OAuth2Credentials
from backend.core.ids import UserId
from backend.testing.standin.tool_sign_in import ToolSignInServer
from tests.contract.rest_server import BOB, RestServer, rest_server
from tests.contract.stored import INTEGRATIONS

MCP = f"{INTEGRATIONS}/mcp"
SECRET = "canary-4f1d-client-secret"


@pytest.fixture
def tools() -> Iterator[ToolSignInServer]:
    with ToolSignInServer() as server:
        yield server
        assert server.facts.problems == []


@pytest.fixture
async def server(tools: ToolSignInServer) -> AsyncIterator[RestServer]:
    async with rest_server(trusted_by_calls=(tools.origin,)) as made:
        yield made


async def begin(server: RestServer, url: str, *, scopes: str = "") -> Any:
    return await server.ask("GET", f"{MCP}/login?server_url={quote(url)}&scopes={scopes}")


async def returned(server: RestServer, tools: ToolSignInServer) -> tuple[str, str]:
    """Begin a sign-in, go there, and return the code and the state that come back."""
    begun = await begin(server, tools.url)
    assert begun.status_code == 200, begun.text
    async with httpx2.AsyncClient() as browser:
        sent_back = await browser.get(begun.json()["login_url"])
    assert sent_back.status_code == 302, sent_back.text
    query = parse_qs(urlsplit(sent_back.headers["location"]).query)
    return query["code"][0], query["state"][0]


async def end(server: RestServer, code: str, state: str, *, user: str = "ann") -> Any:
    body = {"code": code, "state_token": state}
    return await server.ask("POST", f"{MCP}/callback", body, user=user)


async def connected(server: RestServer, tools: ToolSignInServer) -> Any:
    ended = await end(server, *await returned(server, tools))
    assert ended.status_code == 200, ended.text
    return ended.json()


async def lent(server: RestServer, made: Any) -> OAuth2Credentials:
    reference = {"id": made["id"], "provider": "mcp", "type": "oauth2"}
    found = await server.context.credentials.lend(UserId("ann"), reference)
    assert isinstance(found, OAuth2Credentials)
    return found


@pytest.mark.parametrize("hidden", ["challenge", ""])
@pytest.mark.parametrize("secret", ["", SECRET])
async def test_an_account_is_connected_as_a_client_of_its_own(
    server: RestServer, tools: ToolSignInServer, secret: str, hidden: str
) -> None:
    tools.facts.secret, tools.facts.has_challenge = secret, not hidden

    made = await connected(server, tools)

    assert (made["provider"], made["type"], made["scopes"]) == ("mcp", "oauth2", ["tools.call"])
    assert made["title"] == urlsplit(tools.origin).netloc
    assert len(tools.facts.clients) == 1
    tokens = await lent(server, made)
    assert tokens.access_token.reveal() in tools.facts.access
    assert tokens.metadata["resource"] == tools.url
    shown = await server.ask("GET", f"{MCP}/credentials/{made['id']}")
    assert SECRET not in shown.text
    assert "client_secret" not in shown.text


async def test_the_scopes_of_the_server_are_asked_for_unless_others_are(
    server: RestServer, tools: ToolSignInServer
) -> None:
    for scopes, wanted in (("", "tools.read tools.call"), ("a,b", "a b")):
        begun = await begin(server, tools.url, scopes=scopes)
        query = parse_qs(urlsplit(begun.json()["login_url"]).query)
        assert query["scope"] == [wanted]
        assert query["resource"] == [tools.url]
        assert query["code_challenge_method"] == ["S256"]


async def test_a_state_counts_once_and_for_who_began(
    server: RestServer, tools: ToolSignInServer
) -> None:
    code, state = await returned(server, tools)

    assert (await end(server, code, state, user=BOB)).status_code == 400
    assert (await end(server, code, state)).status_code == 200
    assert (await end(server, code, state)).status_code == 400


@pytest.mark.parametrize("secret", ["", SECRET])
async def test_tokens_are_renewed_once_however_many_want_them(
    server: RestServer, tools: ToolSignInServer, secret: str
) -> None:
    tools.facts.secret = secret
    made = await connected(server, tools)
    server.clock.pass_time(seconds=3500)

    found = await asyncio.gather(*(lent(server, made) for _ in range(5)))

    assert {tokens.access_token.reveal() for tokens in found} == {"access-2"}
    assert tools.facts.refreshed == 1


async def test_tokens_are_given_back_when_they_are_deleted(
    server: RestServer, tools: ToolSignInServer
) -> None:
    made = await connected(server, tools)

    deleted = await server.ask("DELETE", f"{MCP}/credentials/{made['id']}")

    assert deleted.json()["revoked"] is True
    assert tools.facts.revoked == ["refresh-1"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"issuer": "https://evil.example"}, "somebody else"),
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE"),
        ({"code_challenge_methods_supported": None}, "PKCE"),
        ({"token_endpoint": "http://evil.example/token"}, "no https address"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "no https address"),
        ({"registration_endpoint": None}, "registers no clients"),
        ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, "a proof that we do not"),
    ],
)
async def test_who_gives_tokens_is_not_trusted_blindly(
    server: RestServer, tools: ToolSignInServer, change: dict[str, Any], says: str
) -> None:
    tools.facts.about_issuer = change

    refused = await begin(server, tools.url)

    assert 400 <= refused.status_code < 600
    assert says in refused.text
    assert tools.facts.clients == {}
    assert (await server.ask("GET", f"{INTEGRATIONS}/credentials")).json() == []


async def test_a_server_that_says_it_is_another_gets_no_tokens_for_it(
    server: RestServer, tools: ToolSignInServer
) -> None:
    tools.facts.resource = "https://bank.example/mcp"

    refused = await begin(server, tools.url)

    assert "another one" in refused.text
    assert tools.facts.clients == {}


@pytest.mark.parametrize(
    "url", ["", "http://tools.example/mcp", "stdio:notes", "https://me:pw@host/mcp", "https://h/#x"]
)
async def test_what_is_no_safe_address_is_refused(
    server: RestServer, tools: ToolSignInServer, url: str
) -> None:
    refused = await begin(server, url)

    assert refused.status_code == 400, refused.text
    assert "server_url" in refused.text
    assert tools.facts.clients == {}


async def test_a_private_address_is_not_even_asked(tools: ToolSignInServer) -> None:
    async with rest_server() as guarded:
        refused = await begin(guarded, tools.url)

    assert refused.status_code >= 400
    assert tools.facts.clients == {}


async def test_an_issuer_inside_the_network_is_not_asked(
    server: RestServer, tools: ToolSignInServer
) -> None:
    tools.facts.issuer = "https://169.254.169.254/latest"

    refused = await begin(server, tools.url)

    assert refused.status_code >= 400
    assert tools.facts.clients == {}
