"""Signing in at a provider, and tokens of an issuer with a set of keys: over real sockets."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from backend.adapters.web import GuardedWebClient
from backend.api.auth import Expected
from backend.services.key_set import KeySet
from backend.services.oidc import OidcClient
from tests.contract.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, provider_at_loopback
from tests.contract.rest_server import KEY, RestServer
from tests.contract.sign_in import SignIn

BACK = "http://server/api/auth/oidc/callback"


@pytest.fixture
def provider(server: RestServer) -> Iterator[Provider]:
    with provider_at_loopback(server.clock.now_us() // 1_000_000) as made:
        client = OidcClient(
            issuer=made.issuer,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            redirect_uri=BACK,
        )
        sign_in = SignIn(server.storage, server.clock, KEY)
        server.app.state.context = replace(server.context, oidc=sign_in.oidc(client))
        yield made


async def go(server: RestServer) -> str:
    """Walk to the provider and return where it sends the browser back to."""
    response = await server.client.get("/api/auth/oidc/login")
    assert response.status_code == 302, response.text
    async with httpx2.AsyncClient(trust_env=False) as browser:
        return (await browser.get(response.headers["Location"])).headers["Location"]


async def sign_in(server: RestServer) -> Any:
    return await server.client.get(await go(server))


async def test_who_signs_in_at_the_provider_has_an_account_and_a_session(
    server: RestServer, provider: Provider
) -> None:
    provider.claims = {"email": "Ann@Example.com", "email_verified": True, "name": "Ann"}

    first = await sign_in(server)
    again = await sign_in(server)

    assert first.status_code == 200, first.text
    user = first.json()["user"]
    assert (user["email"], user["name"], user["role"]) == ("ann@example.com", "Ann", "member")
    assert again.json()["user"] == user
    token = {"Authorization": f"Bearer {first.json()['access_token']}"}
    assert (await server.client.get("/api/graphs", headers=token)).status_code == 200
    assert first.headers["cache-control"].startswith("no-store")
    # The keys and what it says of itself were asked for once.
    assert provider.asked.count("/keys") == 1
    assert provider.asked.count("/.well-known/openid-configuration") == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "bob@example.com", "email_verified": False},
        {"email": "bob@example.com"},
        {"email": "bob@example.com", "email_verified": "true"},
        {"email": "taken@example.com", "email_verified": True},
        {"email": "no address", "email_verified": True},
    ],
)
async def test_an_address_that_is_not_verified_or_somebodys_is_not_taken_over(
    server: RestServer, provider: Provider, claims: dict[str, Any]
) -> None:
    taken = await server.context.accounts.add("taken@example.com", "correct horse battery")
    provider.claims = claims

    user = (await sign_in(server)).json()["user"]

    assert user["email"] == f"{user['id']}@users.invalid"
    assert user["id"] != taken.id


async def test_a_state_is_good_once_and_in_its_own_browser(
    server: RestServer, provider: Provider
) -> None:
    back = await go(server)
    cookie = {"Cookie": f"agpt_oidc={server.client.cookies['agpt_oidc']}"}
    server.client.cookies.clear()

    stranger = await server.client.get(back)
    after_the_stranger = await server.client.get(back, headers=cookie)

    second = await go(server)
    assert (await server.client.get(second)).status_code == 200
    again = await server.client.get(second)
    assert [stranger.status_code, after_the_stranger.status_code, again.status_code] == [401] * 3
    assert "begin it again" in stranger.json()["detail"]


async def test_a_state_is_over_after_ten_minutes(server: RestServer, provider: Provider) -> None:
    back = await go(server)
    server.clock.pass_time(minutes=10)

    assert (await server.client.get(back)).status_code == 401


async def test_the_cookie_is_for_this_way_only(server: RestServer, provider: Provider) -> None:
    response = await server.client.get("/api/auth/oidc/login")

    cookie = response.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=lax", "Path=/api/auth/oidc", "Max-Age=600"):
        assert part in cookie
    query = parse_qs(urlsplit(response.headers["Location"]).query)
    assert query["redirect_uri"] == [BACK]
    assert CLIENT_SECRET not in response.headers["Location"]


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "http://127.0.0.1:1"},
        {"aud": "somebody else"},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"exp": 1},
        {"iat": 4_000_000_000},
        {"sub": ""},
    ],
)
async def test_a_token_that_was_not_made_for_this_sign_in_opens_nothing(
    server: RestServer, provider: Provider, claims: dict[str, Any]
) -> None:
    provider.claims = claims

    response = await sign_in(server)

    assert response.status_code == 401
    assert "does not say who this is" in response.json()["detail"]


async def test_a_token_of_another_key_opens_nothing(server: RestServer, provider: Provider) -> None:
    assert (await sign_in(server)).status_code == 200
    provider.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    assert (await sign_in(server)).status_code == 401


async def test_a_disabled_user_does_not_come_in_through_the_provider(
    server: RestServer, provider: Provider
) -> None:
    user = (await sign_in(server)).json()["user"]
    await server.context.accounts.set_disabled(user["id"], disabled=True)

    assert (await sign_in(server)).status_code == 401


async def test_a_provider_that_lets_nobody_in_is_believed(
    server: RestServer, provider: Provider
) -> None:
    response = await server.client.get("/api/auth/oidc/callback?state=x&error=access_denied")

    assert response.status_code == 401


async def test_a_code_that_the_provider_does_not_know_opens_nothing(
    server: RestServer, provider: Provider
) -> None:
    back = await go(server)
    provider.codes.clear()

    assert (await server.client.get(back)).status_code == 401


# Tokens of an issuer with a set of keys.


@pytest.fixture
def issuer(server: RestServer) -> Iterator[Provider]:
    with provider_at_loopback(server.clock.now_us() // 1_000_000) as made:
        keys = KeySet(
            GuardedWebClient(), f"{made.issuer}/keys", monotonic_s=server.clock.monotonic_s
        )
        authenticator = SignIn(server.storage, server.clock, KEY).authenticator(
            enabled=True, key_set=keys, expected=Expected(audience="agents", issuer=made.issuer)
        )
        server.app.state.context = replace(server.context, authenticator=authenticator)
        yield made


def claims_of(issuer: Provider, **changes: Any) -> dict[str, Any]:
    claims = {
        "sub": "ann",
        "iss": issuer.issuer,
        "aud": "agents",
        "exp": issuer.now_s + 300,
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


async def ask(server: RestServer, token: str) -> Any:
    return await server.client.get("/api/graphs", headers={"Authorization": f"Bearer {token}"})


async def test_a_token_of_the_issuer_is_a_members_without_a_role(
    server: RestServer, issuer: Provider
) -> None:
    token = issuer.sign(claims_of(issuer))

    assert (await ask(server, token)).status_code == 200
    headers = {"Authorization": f"Bearer {token}", "X-Act-As-User-Id": "bob"}
    assert (await server.client.get("/api/graphs", headers=headers)).status_code == 403


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"aud": "authenticated"}, "Audience doesn't match"),
        ({"aud": None}, 'missing the "aud" claim'),
        ({"iss": "https://another.example"}, "Invalid issuer"),
        ({"iss": "agpt"}, "Invalid issuer"),
        ({"iss": None}, 'missing the "iss" claim'),
        ({"exp": 1}, "expired"),
    ],
)
async def test_a_token_for_others_or_of_others_is_refused(
    server: RestServer, issuer: Provider, changes: dict[str, Any], says: str
) -> None:
    response = await ask(server, issuer.sign(claims_of(issuer, **changes)))

    assert response.status_code == 401
    assert says in response.json()["detail"]


async def test_a_new_key_is_fetched_and_unknown_ones_only_now_and_then(
    server: RestServer, issuer: Provider
) -> None:
    assert (await ask(server, issuer.sign(claims_of(issuer)))).status_code == 200
    issuer.turn_keys("second")
    new = issuer.sign(claims_of(issuer))

    too_early = await ask(server, new)
    server.clock.pass_time(seconds=15)
    fetched = await ask(server, new)
    before = issuer.asked.count("/keys")
    for number in range(20):
        forged = issuer.sign(claims_of(issuer), kid=f"unknown-{number}")
        assert (await ask(server, forged)).status_code == 401

    assert [too_early.status_code, fetched.status_code] == [401, 200]
    assert issuer.asked.count("/keys") == before == 2


async def test_no_key_is_used_with_another_algorithm(server: RestServer, issuer: Provider) -> None:
    """The public key as a shared secret, and the shared secret's algorithm with a key's id."""
    modulus = issuer.keys()["keys"][0]["n"]
    confused = jwt.encode(
        claims_of(issuer), modulus, algorithm="HS256", headers={"kid": issuer.kid}
    )
    unsigned = jwt.encode(claims_of(issuer), "", algorithm="none", headers={"kid": issuer.kid})

    assert (await ask(server, confused)).status_code == 401
    assert (await ask(server, unsigned)).status_code == 401


async def test_the_keys_that_are_known_stay_while_the_issuer_is_silent(
    server: RestServer, issuer: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await ask(server, issuer.sign(claims_of(issuer)))).status_code == 200
    monkeypatch.setattr(issuer, "keys", lambda: {"nothing": True})
    server.clock.pass_time(minutes=20)
    later = {"exp": issuer.now_s + 3_600}

    assert (await ask(server, issuer.sign(claims_of(issuer, **later)))).status_code == 200
    assert issuer.asked.count("/keys") == 2


async def test_tokens_of_this_server_are_good_beside_those_of_the_issuer(
    server: RestServer, issuer: Provider
) -> None:
    await server.context.accounts.add("ann@example.com", "correct horse battery")
    body = {"email": "ann@example.com", "password": "correct horse battery"}
    tokens = (await server.client.post("/api/auth/login", json=body)).json()

    assert (await ask(server, tokens["access_token"])).status_code == 200
