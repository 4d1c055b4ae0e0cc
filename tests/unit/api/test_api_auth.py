"""Who may ask: tokens, acting for others, and no token at all."""

import jwt
import pytest

from tests.contract.rest_server import ANN, KEY, RestServer, rest_server, token

LONG_AGO_S = 1_000_000_000


async def test_a_good_token_is_let_in_whatever_the_case_of_its_scheme(server: RestServer) -> None:
    headers = {"Authorization": f"bEaReR {token('ann', server.clock)}"}

    response = await server.client.get("/api/graphs", headers=headers)

    assert response.status_code == 200


@pytest.mark.parametrize("value", [None, "", "Bearer", "Bearer ", "Basic YTpi", "just-a-token"])
async def test_no_bearer_token_is_401(server: RestServer, value: str | None) -> None:
    headers = {} if value is None else {"Authorization": value}

    response = await server.client.get("/api/graphs", headers=headers)

    assert response.status_code == 401
    assert response.json() == {"detail": "Authorization header is missing"}
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("claims", "detail"),
    [
        ({"exp": LONG_AGO_S}, "Token has expired"),
        ({"exp": None}, 'Invalid token: Token is missing the "exp" claim'),
        ({"exp": float("nan")}, "Invalid token: exp is not a number"),
        ({"exp": 10**400}, "Invalid token: exp is not a number"),
        ({"exp": "tomorrow"}, "Invalid token: exp is not a number"),
        ({"aud": "others"}, "Invalid token: Audience doesn't match"),
        ({"aud": None}, 'Invalid token: Token is missing the "aud" claim'),
        ({"sub": None}, "User ID not found in token"),
        ({"sub": ""}, "User ID not found in token"),
        ({"sub": "a\x00b"}, "Invalid token: its user id cannot be used"),
        ({"sub": "x" * 201}, "Invalid token: its user id cannot be used"),
        ({"nbf": 4_000_000_000}, "Invalid token: The token is not yet valid (nbf)"),
        ({"iat": 4_000_000_000}, "Invalid token: The token is not yet valid (iat)"),
    ],
)
async def test_a_token_with_wrong_claims_is_401_and_says_why(
    server: RestServer, claims: dict[str, object], detail: str
) -> None:
    response = await server.client.get("/api/graphs", headers=server.as_user("ann", **claims))

    assert response.status_code == 401
    assert response.json() == {"detail": detail}


async def test_an_audience_may_be_one_of_several(server: RestServer) -> None:
    headers = server.as_user("ann", aud=["others", "authenticated"])

    response = await server.client.get("/api/graphs", headers=headers)

    assert response.status_code == 200


@pytest.mark.parametrize("key", ["another key that only tests use, as long", KEY])
async def test_a_token_of_another_key_or_algorithm_is_401(server: RestServer, key: str) -> None:
    algorithm = "HS384" if key == KEY else "HS256"
    claims = {"sub": "ann", "aud": "authenticated", "exp": 4_000_000_000}
    made = jwt.encode(claims, key.ljust(48, "."), algorithm=algorithm)

    response = await server.client.get("/api/graphs", headers={"Authorization": f"Bearer {made}"})

    assert response.status_code == 401
    assert response.json()["detail"].startswith("Invalid token: ")


async def test_an_unsigned_token_is_401(server: RestServer) -> None:
    claims = {"sub": "ann", "aud": "authenticated", "exp": 4_000_000_000}
    made = jwt.encode(claims, "", algorithm="none")

    response = await server.client.get("/api/graphs", headers={"Authorization": f"Bearer {made}"})

    assert response.status_code == 401


async def test_a_token_that_was_let_in_is_refused_once_it_is_over(server: RestServer) -> None:
    headers = server.as_user("ann")
    assert (await server.client.get("/api/graphs", headers=headers)).status_code == 200
    server.clock.pass_time(hours=1)

    response = await server.client.get("/api/graphs", headers=headers)

    assert response.json() == {"detail": "Token has expired"}


async def test_a_stranger_does_not_hear_what_is_wrong_with_the_request(server: RestServer) -> None:
    response = await server.client.post("/api/graphs", content=b"{")

    assert response.status_code == 401


async def test_a_token_without_a_role_is_good(server: RestServer) -> None:
    response = await server.client.get("/api/graphs", headers=server.as_user("ann", role=None))

    assert response.status_code == 200


async def test_an_administrator_may_act_for_another_user(server: RestServer) -> None:
    graph = await server.new_graph(user="ann")
    headers = {**server.as_user("root", role="admin"), "X-Act-As-User-Id": "ann"}

    response = await server.client.get("/api/graphs", headers=headers)

    assert [one["id"] for one in response.json()] == [graph["id"]]


async def test_acting_for_another_leaves_the_account_routes_with_the_token(
    server: RestServer,
) -> None:
    headers = {**server.as_user("root", role="admin"), "X-Act-As-User-Id": "ann"}

    response = await server.client.post("/api/auth/user", headers=headers)

    assert response.json()["id"] == "root"


async def test_others_may_not_act_for_anybody(server: RestServer) -> None:
    headers = {**server.as_user("bob"), "X-Act-As-User-Id": "ann"}

    response = await server.client.get("/api/graphs", headers=headers)

    assert response.status_code == 403


@pytest.mark.parametrize("value", ["", "  ", "bob"])
async def test_acting_for_nobody_or_oneself_is_no_matter(server: RestServer, value: str) -> None:
    headers = {**server.as_user("bob"), "X-Act-As-User-Id": value}

    response = await server.client.get("/api/graphs", headers=headers)

    assert response.status_code == 200


async def test_without_authentication_everybody_is_the_owner() -> None:
    async with rest_server(auth_enabled=False) as server:
        response = await server.client.post("/api/auth/user")

    assert response.json()["id"] == "3e53486c-cf57-477e-ba2a-cb02dc828e1a"
    assert response.json()["email"] == "default@example.com"


async def test_the_first_write_makes_the_account(server: RestServer) -> None:
    await server.new_graph(user="ann")

    user = await server.storage.of(ANN).user()

    assert user is not None
    assert (user.email, user.name) == ("ann@example.com", "Ann")
