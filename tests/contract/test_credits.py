"""Credits over REST: off, on, used up, and given."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from tests.contract.rest_server import ANN, CALCULATOR, RestServer, rest_server
from tests.contract.triggered import PRESETS, new_preset

CREDITS: Final = "/api/credits"
HISTORY: Final = f"{CREDITS}/transactions"
GIVE: Final = f"{CREDITS}/admin/add_credits"
SUM: Final = {"operation": "Add", "a": 1, "b": 2}


@pytest.fixture
async def paid() -> AsyncIterator[RestServer]:
    """A server whose calculator costs 30 of 100 credits a month."""
    async with rest_server(refill=100) as server:
        await server.ask("POST", "/api/auth/user")
        yield server


async def balance(server: RestServer, user: str = ANN) -> int:
    response = await server.ask("GET", CREDITS, user=user)
    assert response.status_code == 200, response.text
    return int(response.json()["credits"])


async def give(server: RestServer, amount: int, user: str = ANN) -> Any:
    body = {"user_id": user, "amount": amount, "comments": "a reason"}
    return await server.ask("POST", GIVE, body, headers=server.as_user("root", role="admin"))


async def test_where_credits_are_off_everybody_has_enough(server: RestServer) -> None:
    for _ in range(5):
        done = await server.ask("POST", f"/api/blocks/{CALCULATOR}/execute", SUM)
        assert done.status_code == 200

    assert await balance(server) == 100
    history = (await server.ask("GET", HISTORY)).json()
    assert history == {"transactions": [], "next_transaction_time": None}
    assert (await give(server, 5)).status_code == 503


async def test_a_block_that_costs_more_than_there_is_is_not_run_alone(paid: RestServer) -> None:
    """The Platform gives it away. What it costs is taken by its run."""
    path = f"/api/blocks/{CALCULATOR}/execute"
    assert (await paid.ask("POST", path, SUM)).status_code == 200
    await give(paid, -71)

    refused = await paid.ask("POST", path, SUM)

    assert (refused.status_code, await balance(paid)) == (402, 29)
    assert "costs 30 credits" in refused.text


async def test_without_credits_nothing_is_started_by_whatever_way(paid: RestServer) -> None:
    graph = await paid.new_graph()
    preset = await new_preset(paid, graph)
    await paid.new_run(graph)
    await balance(paid)
    await give(paid, -100)
    before = await paid.row_counts()

    for path in (
        f"/api/graphs/{graph['id']}/execute/1",
        f"/api/graphs/{graph['id']}/execute",
        f"{PRESETS}/{preset['id']}/execute",
    ):
        for headers in ({}, {"Idempotency-Key": "k"}):
            refused = await paid.ask("POST", path, {"inputs": {}}, headers=headers)
            assert (refused.status_code, "no credits left" in refused.text) == (402, True), path

    assert await paid.row_counts() == before
    await give(paid, 1)
    await paid.new_run(graph)


async def test_pages_of_the_history_follow_each_other(paid: RestServer) -> None:
    await balance(paid)
    for amount in (1, 2, 3):
        paid.clock.pass_time(seconds=1)
        await give(paid, amount)

    first = (await paid.ask("GET", f"{HISTORY}?transaction_count_limit=2")).json()
    after = first["next_transaction_time"].replace("+", "%2B")
    second = (await paid.ask("GET", f"{HISTORY}?transaction_time={after}")).json()

    assert [one["amount"] for one in first["transactions"]] == [3, 2]
    assert [one["amount"] for one in second["transactions"]] == [1, 100]
    assert second["next_transaction_time"] is None
    assert first["transactions"][0]["transaction_type"] == "GRANT"


async def test_only_administrators_give_credits(paid: RestServer) -> None:
    body = {"user_id": ANN, "amount": 5, "comments": ""}

    assert (await paid.ask("POST", GIVE, body)).status_code == 403
    assert (await give(paid, 5)).json()["new_balance"] == 5
    assert (await give(paid, -6)).status_code == 402
    assert (await give(paid, 5, "nobody")).status_code == 404


#: What is wrong, method, path, body, status, what it says.
REQUESTS: Final[list[tuple[str, str, str, Any, int, str]]] = [
    ("a limit of 0", "GET", f"{HISTORY}?transaction_count_limit=0", None, 400, "1 to 1000"),
    ("a limit over all", "GET", f"{HISTORY}?transaction_count_limit=1001", None, 400, "1 to 1000"),
    ("an unknown type", "GET", f"{HISTORY}?transaction_type=GIFT", None, 422, "USAGE"),
    ("a time in words", "GET", f"{HISTORY}?transaction_time=today", None, 422, "datetime"),
    ("a grant by anybody", "POST", GIVE, {"user_id": ANN, "amount": 1, "comments": ""}, 403, "Admin"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_a_wrong_request_is_refused(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    response = await server.ask(method, path, body)

    assert response.status_code == status, response.text
    assert says in response.text


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", CREDITS), ("GET", HISTORY), ("POST", GIVE), ("GET", "/api/onboarding/enabled")],
)
async def test_without_a_token_nothing_is_said(server: RestServer, method: str, path: str) -> None:
    assert (await server.client.request(method, path, content=b"{")).status_code == 401
