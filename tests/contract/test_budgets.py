"""Budgets and usage over REST: one's own, beside what the operator has set, and page by page."""

from dataclasses import replace
from typing import Any, Final

import pytest

from backend.adapters.storage import reservations, usage
from backend.adapters.storage.budgets import SqlBudgets
from backend.core.budgets import (
    BudgetKind,
    BudgetScope,
    BudgetSetter,
    Estimate,
)
from backend.core.ids import ExecutionId, GraphId
from backend.core.node_steps import ModelUse, PlannedCall, StepPlace
from tests.contract.rest_server import ANN, BOB, Json, RestServer

BUDGETS: Final = "/api/budgets"
USAGE: Final = "/api/usage"
OPERATORS: Final = BudgetKind(user_id=ANN, set_by=BudgetSetter.OPERATOR, scope=BudgetScope.USER)
PLACE: Final = StepPlace(
    user_id=ANN,
    graph_id=GraphId("g"),
    run_id=ExecutionId("r"),
    root_id=ExecutionId("r"),
    node_exec_id="n",
    owner="w",
    attempt=1,
)
DAY_US: Final = 86_400_000_000


async def put(server: RestServer, **body: Any) -> Json:
    response = await server.ask("PUT", BUDGETS, body)
    assert response.status_code == 200, response.text
    made: Json = response.json()
    return made


async def read(server: RestServer, path: str, user: str = ANN) -> Json:
    response = await server.ask("GET", path, user=user)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


async def operators(server: RestServer, limit: int) -> str:
    """Set the operator's daily budget of money for Ann."""
    await server.ask("POST", "/api/auth/user")
    budgets = SqlBudgets(server.storage.database)
    return (await budgets.set(OPERATORS, limit, now_us=server.clock.now_us())).id


async def has_room(server: RestServer, micro_usd: int) -> bool:
    """Say whether a call of Ann's that costs so much is let through; reserve it if it is."""
    call = PlannedCall(model="m", most=Estimate(tokens=1, micro_usd=micro_usd))
    now_us = server.clock.now_us()
    key = f"{now_us}-{micro_usd}"
    _, waits = await server.storage.database.write(
        lambda c: reservations.reserve(c, PLACE, key, call, now_us)
    )
    return waits is None


async def test_a_budget_is_set_shown_set_anew_and_taken_away(server: RestServer) -> None:
    made = await put(server, limit=5_000_000)
    assert await has_room(server, 2_000_000)

    again = await put(server, limit=1_000_000)

    assert again == {
        "id": made["id"],
        "set_by": "user",
        "scope": "user",
        "graph_id": None,
        "graph_exec_id": None,
        "period": "day",
        "unit": "money",
        "limit": 1_000_000,
        "used": 0,
        "reserved": 2_000_000,
        "waiting": 0,
    }
    assert not await has_room(server, 1)
    listed = await read(server, BUDGETS)
    assert listed["budgets"] == [{**again, "waiting": 1}]
    gone = await server.ask("DELETE", f"{BUDGETS}/{made['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await read(server, BUDGETS))["budgets"] == []
    assert await has_room(server, 1)
    assert (await server.ask("DELETE", f"{BUDGETS}/{made['id']}")).status_code == 404


async def test_of_an_agent_or_of_a_run_and_of_each_unit_and_period(server: RestServer) -> None:
    graph = await server.new_graph()
    run = await server.new_run(graph)

    made = [
        await put(server, limit=5, graph_id=graph["id"]),
        await put(server, limit=5, graph_id=graph["id"], unit="tokens", period="total"),
        await put(server, limit=5, graph_exec_id=run["id"], unit="calls"),
        await put(server, limit=5, graph_exec_id=run["id"], unit="calls", period="day"),
    ]

    names = ("scope", "graph_id", "graph_exec_id", "unit", "period")
    assert [tuple(one[name] for name in names) for one in made] == [
        ("graph", graph["id"], None, "money", "day"),
        ("graph", graph["id"], None, "tokens", "total"),
        ("run", None, run["id"], "calls", "total"),
        ("run", None, run["id"], "calls", "day"),
    ]
    first = await read(server, f"{BUDGETS}?page_size=3")
    second = await read(server, f"{BUDGETS}?page_size=3&page=2")
    shown = [*first["budgets"], *second["budgets"]]
    assert sorted(one["id"] for one in shown) == sorted(one["id"] for one in made)
    assert second["pagination"] == {
        "total_items": 4,
        "total_pages": 2,
        "current_page": 2,
        "page_size": 3,
    }
    assert (await read(server, BUDGETS, BOB))["budgets"] == []


async def test_nobody_gets_past_what_the_operator_has_set(server: RestServer) -> None:
    theirs = await operators(server, 100)

    mine = await put(server, limit=1_000_000)
    refused = await server.ask("DELETE", f"{BUDGETS}/{theirs}")

    assert (refused.status_code, "operator" in refused.text) == (403, True)
    assert mine["id"] != theirs
    shown = (await read(server, BUDGETS))["budgets"]
    assert {one["set_by"]: one["limit"] for one in shown} == {"user": 1_000_000, "operator": 100}
    assert not await has_room(server, 101)
    assert await has_room(server, 100)


async def test_a_day_of_ones_own_is_one_of_ones_zone_and_the_operators_one_of_utc(
    server: RestServer,
) -> None:
    await operators(server, 100)
    zone = {"timezone": "Asia/Tokyo"}  # 9 hours before UTC: its day begins at 15:00
    assert (await server.ask("POST", "/api/auth/user/timezone", zone)).status_code == 200
    await put(server, limit=100)
    assert await has_room(server, 60)  # at midnight UTC

    server.clock.pass_time(hours=16)
    shown = (await read(server, BUDGETS))["budgets"]

    assert {one["set_by"]: one["reserved"] for one in shown} == {"user": 0, "operator": 60}


async def test_what_is_set_and_taken_away_is_in_the_audit_log(server: RestServer) -> None:
    graph = await server.new_graph()
    made = await put(server, limit=5, unit="calls", graph_id=graph["id"])
    await server.ask("DELETE", f"{BUDGETS}/{made['id']}")

    log = await server.ask("GET", "/api/audit", headers=server.as_user("root", role="admin"))

    removed, put_, *_ = log.json()["entries"]
    assert (put_["verb"], put_["object_id"], put_["facts"]) == (
        "set_budget",
        ANN,
        {"limit": 5, "unit": "calls", "of": graph["id"]},
    )
    assert (removed["verb"], removed["object_id"], removed["facts"]) == (
        "remove_budget",
        ANN,
        {"budget_id": made["id"]},
    )


async def used(server: RestServer, days_ago: int, model: str, place: StepPlace = PLACE) -> None:
    """Count a call as the executor does."""
    use = ModelUse(calls=1, input_tokens=10, output_tokens=5, cost_micro_usd=7)
    at_us = server.clock.now_us() - days_ago * DAY_US
    await server.storage.database.write(lambda c: usage.add(c, place, model, use, at_us))


async def test_usage_is_summed_by_day_agent_and_model_and_comes_in_pages(
    server: RestServer,
) -> None:
    other = replace(PLACE, graph_id=GraphId("h"))
    for days_ago, model, place in (
        (0, "a", PLACE),
        (0, "a", PLACE),
        (0, "b", PLACE),
        (29, "a", other),
        (30, "a", other),
        (0, "a", replace(PLACE, user_id=BOB)),
    ):
        await used(server, days_ago, model, place)

    first = await read(server, f"{USAGE}?page_size=2")
    second = await read(server, f"{USAGE}?page_size=2&page=2")
    longer = await read(server, f"{USAGE}?first=2025-12-02&last=2025-12-31")
    of_one = await read(server, f"{USAGE}?graph_id=g")

    assert (first["first"], first["last"]) == ("2025-12-03", "2026-01-01")
    total = {
        "llm_call_count": 4,
        "llm_retry_count": 0,
        "llm_cached_count": 0,
        "llm_estimated_count": 0,
        "input_token_count": 40,
        "output_token_count": 20,
        "model_cost_micro_usd": 28,
    }
    assert first["total"] == second["total"] == total
    assert first["pagination"]["total_items"] == 3
    rows = [
        (one["day"], one["graph_id"], one["model"], one["llm_call_count"])
        for one in (*first["days"], *second["days"])
    ]
    assert rows == [
        ("2026-01-01", "g", "a", 2),
        ("2026-01-01", "g", "b", 1),
        ("2025-12-03", "h", "a", 1),
    ]
    assert [one["day"] for one in longer["days"]] == ["2025-12-03", "2025-12-02"]
    assert of_one["total"]["llm_call_count"] == 3
    assert (await read(server, USAGE, "nobody"))["total"]["llm_call_count"] == 0


#: What is wrong, the request, its status, and a word of the answer.
REQUESTS: Final[list[tuple[str, str, str, Any, int, str]]] = [
    ("no body", "PUT", BUDGETS, None, 422, "Field required"),
    ("no limit", "PUT", BUDGETS, {}, 422, "limit"),
    ("a limit below zero", "PUT", BUDGETS, {"limit": -1}, 422, "greater than or equal"),
    ("a huge limit", "PUT", BUDGETS, {"limit": 2**53 + 1}, 422, "less than or equal"),
    ("part of one", "PUT", BUDGETS, {"limit": 0.5}, 422, "integer"),
    ("an unknown unit", "PUT", BUDGETS, {"limit": 1, "unit": "EUR"}, 422, "money"),
    ("an unknown period", "PUT", BUDGETS, {"limit": 1, "period": "week"}, 422, "total"),
    ("a misspelt id", "PUT", BUDGETS, {"limit": 1, "graphId": "x"}, 422, "Extra inputs"),
    ("as the operator", "PUT", BUDGETS, {"limit": 1, "set_by": "operator"}, 422, "Extra inputs"),
    ("no agent", "PUT", BUDGETS, {"limit": 1, "graph_id": "x"}, 404, "Graph #x"),
    ("no run", "PUT", BUDGETS, {"limit": 1, "graph_exec_id": "x"}, 404, "execution #x"),
    ("two ids", "PUT", BUDGETS, {"limit": 1, "graph_id": "x", "graph_exec_id": "y"}, 400, "one of"),
    ("no budget", "DELETE", f"{BUDGETS}/x", None, 404, "Budget #x"),
    ("no page", "GET", f"{BUDGETS}?page=0", None, 422, "greater than or equal"),
    ("a large page", "GET", f"{BUDGETS}?page_size=101", None, 422, "less than or equal"),
    ("no day", "GET", f"{USAGE}?first=yesterday", None, 422, "date"),
    ("days backwards", "GET", f"{USAGE}?first=2026-01-02&last=2026-01-01", None, 400, "366"),
    ("too many days", "GET", f"{USAGE}?first=2025-01-01&last=2026-01-02", None, 400, "366"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_a_wrong_request_is_refused_and_nothing_changes(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    await put(server, limit=5)
    before = await read(server, BUDGETS)

    response = await server.ask(method, path, body)

    assert (response.status_code, says in response.text) == (status, True), response.text
    assert await read(server, BUDGETS) == before


async def test_the_first_day_of_all_is_a_day(server: RestServer) -> None:
    assert (await read(server, f"{USAGE}?last=0001-01-02"))["first"] == "0001-01-01"
