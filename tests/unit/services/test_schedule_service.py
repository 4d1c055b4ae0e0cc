"""Schedules: whose zone counts, what is pinned, what goes with the graph."""

from typing import Any

import pytest

from tests.contract.rest_server import RestServer

NINE: dict[str, Any] = {"name": "Nine", "cron": "0 9 * * *", "inputs": {"text": "hello"}}


@pytest.mark.parametrize(
    ("asked", "stored", "used"),
    [
        (None, None, "UTC"),
        (None, "Asia/Tokyo", "Asia/Tokyo"),
        ("America/New_York", "Asia/Tokyo", "America/New_York"),
        ("", "Asia/Tokyo", "Asia/Tokyo"),
    ],
)
async def test_the_zone_is_the_one_asked_for_else_the_users_else_utc(
    server: RestServer, asked: str | None, stored: str | None, used: str
) -> None:
    graph = await server.new_graph()
    if stored:
        await server.ask("POST", "/api/auth/user/timezone", {"timezone": stored})

    made = await server.ask(
        "POST", f"/api/graphs/{graph['id']}/schedules", {**NINE, "timezone": asked}
    )

    assert made.json()["timezone"] == used


async def test_the_version_that_is_active_now_stays_the_one(server: RestServer) -> None:
    graph = await server.new_graph()
    made = await server.ask("POST", f"/api/graphs/{graph['id']}/schedules", NINE)
    await server.ask("PUT", f"/api/graphs/{graph['id']}", graph)

    [kept] = (await server.ask("GET", "/api/schedules")).json()

    assert made.json()["graph_version"] == kept["graph_version"] == 1


async def test_inputs_that_do_not_fit_are_refused_before_anything_is_kept(
    server: RestServer,
) -> None:
    graph = await server.new_graph({"name": "Empty", "description": "", "nodes": [], "links": []})

    response = await server.ask("POST", f"/api/graphs/{graph['id']}/schedules", NINE)

    assert response.status_code == 400
    assert (await server.ask("GET", "/api/schedules")).json() == []


async def test_schedules_go_with_their_graph(server: RestServer) -> None:
    graph = await server.new_graph()
    await server.ask("POST", f"/api/graphs/{graph['id']}/schedules", NINE)

    await server.ask("DELETE", f"/api/graphs/{graph['id']}")

    assert (await server.ask("GET", "/api/schedules")).json() == []


async def test_a_list_of_one_graph_has_only_its_own(server: RestServer) -> None:
    one, other = await server.new_graph(), await server.new_graph()
    await server.ask("POST", f"/api/graphs/{one['id']}/schedules", NINE)

    assert len((await server.ask("GET", f"/api/graphs/{one['id']}/schedules")).json()) == 1
    assert (await server.ask("GET", f"/api/graphs/{other['id']}/schedules")).json() == []
