"""Accounts at a provider: connected, renewed by one at a time, given back. The server is real."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from backend.ports.web import WebLimits
from backend.services import oauth_calls
from tests.contract.api_keys import external, make_key
from tests.contract.provider_server import SECRET, ProviderServer
from tests.contract.rest_server import BOB, RestServer, rest_server
from tests.contract.stored import INTEGRATIONS, make_credentials

GITHUB = f"{INTEGRATIONS}/github"


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    server = ProviderServer()
    yield server
    server.close()


@pytest.fixture
async def server(provider: ProviderServer) -> AsyncIterator[RestServer]:
    async with rest_server(oauth_clients={"github": provider.client()}) as made:
        yield made


async def begun(server: RestServer, *, scopes: str = "", user: str = "ann") -> tuple[str, str]:
    """Begin a sign-in, go to the provider, and return the code and the state it sends back."""
    response = await server.ask("GET", f"{GITHUB}/login?scopes={scopes}", user=user)
    assert response.status_code == 200, response.text
    async with httpx2.AsyncClient() as browser:
        sent_back = await browser.get(response.json()["login_url"])
    back = urlsplit(sent_back.headers["location"])
    assert (
        f"{back.scheme}://{back.netloc}{back.path}"
        == "http://front/auth/integrations/oauth_callback"
    )
    query = parse_qs(back.query)
    assert query["state"] == [response.json()["state_token"]]
    return query["code"][0], query["state"][0]


async def ended(server: RestServer, code: str, state: str, *, user: str = "ann") -> Any:
    return await server.ask(
        "POST", f"{GITHUB}/callback", {"code": code, "state_token": state}, user=user
    )


async def connected(server: RestServer) -> str:
    """Connect an account; return the id of its credentials."""
    response = await ended(server, *await begun(server))
    assert response.status_code == 200, response.text
    return str(response.json()["id"])


async def token_of(server: RestServer, id_: str) -> Any:
    return await server.ask("GET", f"{GITHUB}/credentials/{id_}")


async def test_an_account_is_connected(server: RestServer) -> None:
    response = await ended(server, *await begun(server, scopes="repo,user"))

    made = response.json()
    assert (made["username"], made["scopes"], made["type"]) == (
        "octo-ann",
        ["repo", "user"],
        "oauth2",
    )
    assert "canary" not in response.text
    shown = (await token_of(server, made["id"])).json()
    assert shown["access_token"] == "access-canary-4f1d-1"
    assert shown["refresh_token"] == "**********"


async def test_what_the_provider_is_asked(server: RestServer, provider: ProviderServer) -> None:
    await begun(server, scopes="repo,user")

    [asked] = provider.account.codes.values()
    assert asked["scope"] == "repo user"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) >= 43


async def test_a_state_is_good_once(server: RestServer) -> None:
    code, state = await begun(server)
    assert (await ended(server, code, state)).status_code == 200

    again = await ended(server, code, state)

    assert again.status_code == 400
    assert "begin it again" in again.text


async def test_of_two_at_once_one_gets_the_state(server: RestServer) -> None:
    code, state = await begun(server)

    answers = await asyncio.gather(*(ended(server, code, state) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]


async def test_a_state_is_its_users_and_its_providers(server: RestServer) -> None:
    code, state = await begun(server)

    assert (await ended(server, code, state, user=BOB)).status_code == 400
    assert (await ended(server, code, state)).status_code == 200


async def test_a_state_is_over_after_ten_minutes(server: RestServer) -> None:
    code, state = await begun(server)
    server.clock.pass_time(minutes=10)

    assert (await ended(server, code, state)).status_code == 400


async def test_states_and_verifiers_are_not_in_the_database(server: RestServer) -> None:
    _, state = await begun(server)

    assert state not in server.store.text()


async def test_tokens_that_will_do_are_not_renewed(
    server: RestServer, provider: ProviderServer
) -> None:
    id_ = await connected(server)
    server.clock.pass_time(seconds=3600 - 301)

    await token_of(server, id_)

    assert provider.account.refreshed == 0


async def test_tokens_about_to_end_are_renewed_once_for_all_who_ask_in_two_processes(
    server: RestServer, provider: ProviderServer
) -> None:
    id_ = await connected(server)
    server.clock.pass_time(seconds=3600 - 299)
    other = server.store.storage()
    theirs, _ = make_credentials(other, server.clock, {"github": provider.client()})
    theirs._sealer = server.context.credentials._sealer
    theirs._tokens._sealer = theirs._sealer  # type: ignore[attr-defined]  # the same keys
    asked = {"id": id_, "provider": "github", "type": "oauth2"}

    lent = await asyncio.gather(
        *(server.context.credentials.lend(server_user(), asked) for _ in range(5)),
        *(theirs.lend(server_user(), asked) for _ in range(5)),
    )

    await other.close()
    assert {one.authorization().reveal() for one in lent} == {"Bearer access-canary-4f1d-2"}
    assert provider.account.refreshed == 1


async def test_renewed_tokens_are_on_disk_even_if_who_asked_has_gone(
    server: RestServer, provider: ProviderServer
) -> None:
    """The provider has taken the old one: what it gave must not be lost with a cancelled run."""
    id_ = await connected(server)
    server.clock.pass_time(seconds=3500)
    provider.account.hold = threading.Event()
    asked = {"id": id_, "provider": "github", "type": "oauth2"}
    asking = asyncio.create_task(server.context.credentials.lend(server_user(), asked))
    tokens: Any = server.context.credentials._tokens
    async with asyncio.timeout(10):
        while not tokens._renewing:  # noqa: ASYNC110 - a set wakes nobody
            await asyncio.sleep(0)

    asking.cancel()
    provider.account.hold.set()
    await tokens.close()

    assert (await token_of(server, id_)).json()["access_token"] == "access-canary-4f1d-2"
    assert provider.account.refreshed == 1


async def test_who_dies_while_renewing_blocks_nobody_for_long(
    server: RestServer, provider: ProviderServer
) -> None:
    id_ = await connected(server)
    server.clock.pass_time(seconds=3500)
    stored = server.context.credentials._store.of(server_user())
    now_us = server.clock.now_us()
    assert await stored.lease(id_, "a dead process", now_us=now_us, until_us=now_us + 40_000_000)  # type: ignore[arg-type]
    server.clock.pass_time(seconds=40)

    assert (await token_of(server, id_)).json()["access_token"] == "access-canary-4f1d-2"


@pytest.mark.parametrize(
    "trouble",
    [
        {"fails_with": 403},
        {"fails_with": 429},
        {"fails_with": 503},
        {"says": b"<html>canary-4f1d"},
        {"says": b"{}"},
    ],
    ids=["forbidden", "patience", "away", "garbage", "no token"],
)
async def test_a_provider_in_trouble_is_lived_with(
    server: RestServer, provider: ProviderServer, trouble: dict[str, Any]
) -> None:
    """What still counts is used; what has ended is an error without the provider's words."""
    id_ = await connected(server)
    for name, value in trouble.items():
        setattr(provider.account, name, value)
    server.clock.pass_time(seconds=3500)

    still = await token_of(server, id_)
    server.clock.pass_time(seconds=200)
    over = await token_of(server, id_)

    assert still.json()["access_token"] == "access-canary-4f1d-1"
    assert over.status_code == 503
    assert "canary" not in over.text
    provider.account.fails_with, provider.account.says = 0, b""
    assert (await token_of(server, id_)).json()["access_token"] == "access-canary-4f1d-2"


async def test_a_slow_provider_is_not_waited_for(
    server: RestServer, provider: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await connected(server)
    monkeypatch.setattr(oauth_calls, "_LIMITS", WebLimits(timeout_s=0.1, max_redirects=0))
    provider.account.hold = threading.Event()
    server.clock.pass_time(seconds=3700)

    response = await token_of(server, id_)

    provider.account.hold.set()
    assert response.status_code == 503


async def test_an_account_that_lets_us_in_no_more_is_connected_again(
    server: RestServer, provider: ProviderServer
) -> None:
    id_ = await connected(server)
    provider.account.refresh_tokens.clear()
    server.clock.pass_time(seconds=3700)

    response = await token_of(server, id_)

    assert response.status_code == 400
    assert "connect again" in response.text
    assert (await server.ask("GET", f"{INTEGRATIONS}/credentials")).json()[0]["id"] == id_


async def test_tokens_are_given_back_when_they_are_deleted(
    server: RestServer, provider: ProviderServer
) -> None:
    id_ = await connected(server)

    deleted = await server.ask("DELETE", f"{GITHUB}/credentials/{id_}")

    assert deleted.json() == {"deleted": True, "revoked": True}
    assert provider.account.revoked == ["access-canary-4f1d-1"]


async def test_tokens_that_a_key_deletes_are_given_back_too(
    server: RestServer, provider: ProviderServer
) -> None:
    id_, key = await connected(server), await make_key(server)

    deleted = await external(server, key, "DELETE", f"/integrations/github/credentials/{id_}")

    assert deleted.json() == {"deleted": True, "credentials_id": id_}
    assert provider.account.revoked == ["access-canary-4f1d-1"]


async def test_a_wrong_code_is_refused_and_no_secret_is_in_the_answer(server: RestServer) -> None:
    _, state = await begun(server)

    response = await ended(server, "wrong", state)

    assert response.status_code == 400
    assert "invalid_grant" in response.text
    assert SECRET not in response.text


def server_user() -> Any:
    return "ann"
