"""What REST writes into the audit log, and who reads it."""

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import Response
from fastapi.routing import APIRouter

from backend.api.auditing import Audited, NotAudited
from backend.api.routing import AuditedRoute, Routes
from backend.core.errors import Unavailable
from tests.contract.rest_server import ANN, BOB, Json, RestServer, sample_graph
from tests.contract.triggered import PRESETS, full, new_preset, new_trigger

LOG = "/api/audit"


async def log_of(server: RestServer, query: str = "") -> list[Json]:
    response = await server.ask("GET", f"{LOG}?{query}", user="root", headers=admin(server))
    assert response.status_code == 200, response.text
    entries: list[Json] = response.json()["entries"]
    return entries


def admin(server: RestServer, **more: str) -> dict[str, str]:
    return {**server.as_user("root", role="admin"), **more}


def said(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(entry[name] for name in ("who", "verb", "kind", "object_id", "outcome"))


async def test_a_change_says_who_did_what_to_which_thing_from_where(server: RestServer) -> None:
    graph = await server.new_graph()

    response = await server.ask("DELETE", f"/api/graphs/{graph['id']}")

    deleted, created = await log_of(server)
    assert said(created) == (ANN, "create", "graph", graph["id"], "done")
    assert said(deleted) == (ANN, "delete", "graph", graph["id"], "done")
    assert deleted["request_id"] == response.headers["x-request-id"]
    assert (deleted["by"], deleted["address"], deleted["acting_for"]) == ("token", "127.0.0.1", "")
    assert await server.context.audit.verify() == []


async def test_an_administrator_is_named_beside_whom_they_act_for(server: RestServer) -> None:
    headers = admin(server, **{"X-Act-As-User-Id": BOB})

    await server.client.post("/api/graphs", json={"graph": sample_graph()}, headers=headers)

    [entry] = await log_of(server)
    assert (entry["who"], entry["acting_for"]) == ("root", BOB)


async def test_runs_and_mere_looks_are_not_in_it(server: RestServer) -> None:
    graph = await server.new_graph()
    preset = await new_preset(server, graph)
    before = len(await log_of(server))

    run = await server.new_run(graph)
    await server.ask("POST", f"{PRESETS}/{preset['id']}/execute")
    for path in (f"/api/graphs/{graph['id']}", "/api/executions", f"{PRESETS}/{preset['id']}"):
        assert (await server.ask("GET", path)).status_code == 200
    await server.ask("GET", f"/api/graphs/{graph['id']}/executions/{run['id']}")

    assert len(await log_of(server)) == before


async def test_what_changed_nothing_is_not_in_it(server: RestServer) -> None:
    for method, path, body in (
        ("DELETE", "/api/graphs/unknown", None),
        ("DELETE", f"{PRESETS}/unknown", None),
        ("PATCH", f"{PRESETS}/unknown", {"name": "x"}),
        ("POST", "/api/graphs", {"graph": {"name": "x", "nodes": "none"}}),
        ("POST", PRESETS, full({"id": "unknown", "version": 1})),
    ):
        await server.ask(method, path, body)

    assert await log_of(server) == []


async def test_reading_a_secret_is_in_it_once_an_hour(server: RestServer) -> None:
    made = await new_trigger(server)
    path = f"{PRESETS}/{made['id']}"
    reads = "verb=read_secret"

    first = await log_of(server, reads)
    await server.ask("GET", path)
    await server.ask("GET", f"{PRESETS}?graph_id=")
    again = await log_of(server, reads)
    server.clock.pass_time(minutes=50)
    await server.ask("GET", path)
    soon = await log_of(server, reads)
    server.clock.pass_time(minutes=11)
    await server.ask("GET", path)
    later = await log_of(server, reads)

    assert [len(rows) for rows in (first, again, soon, later)] == [1, 1, 1, 2]
    assert said(later[0]) == (ANN, "read_secret", "webhook", made["webhook_id"], "done")


async def test_no_secret_is_in_it(server: RestServer) -> None:
    made = await new_trigger(server, constants={"canary": "canary-constant"})
    change = {"inputs": {"constants": {"canary": "canary-constant"}}}
    await server.ask("PATCH", f"{PRESETS}/{made['id']}", change)

    rows = await server.storage.database.read(
        lambda c: repr(c.exec_driver_sql("SELECT * FROM audit").all())
    )

    assert made["id"] in rows
    for secret in (made["webhook"]["secret"], "canary", "Bearer", "ann@example.com"):
        assert secret not in rows


async def test_it_is_for_administrators(server: RestServer) -> None:
    assert (await server.ask("GET", LOG)).status_code == 403
    assert (await server.client.get(LOG)).status_code == 401
    assert (await server.ask("GET", LOG, headers=admin(server))).status_code == 200


async def test_it_comes_in_pages(server: RestServer) -> None:
    made = [(await server.new_graph())["id"] for _ in range(3)]

    first = await server.ask("GET", f"{LOG}?limit=2", headers=admin(server))
    path = f"{LOG}?limit=2&before={first.json()['next_before']}"
    second = await server.ask("GET", path, headers=admin(server))

    entries = [*first.json()["entries"], *second.json()["entries"]]
    assert [entry["object_id"] for entry in entries] == made[::-1]
    assert second.json()["next_before"] is None


async def test_what_cannot_be_recorded_is_not_answered(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await new_trigger(server)
    server.clock.pass_time(hours=2)

    async def full_disk(*_: Any) -> None:
        raise Unavailable

    monkeypatch.setattr(server.context.audit._log, "append", full_disk)
    response = await server.ask("GET", f"{PRESETS}/{made['id']}")

    assert response.status_code == 503
    assert made["webhook"]["secret"] not in response.text


async def nothing() -> Response:
    return Response()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_route_that_changes_something_declares_what_is_recorded(method: str) -> None:
    routes = Routes(APIRouter())

    with pytest.raises(TypeError, match="declares nothing for the audit log"):
        routes.add(method, "/api/x", nothing, operation=None, tags=())

    routes.add(method, "/api/x", nothing, operation=None, tags=(), audit=Audited("a", "b"))
    routes.add(method, "/api/x", nothing, operation=None, tags=(), audit=NotAudited("because"))
    routes.add("GET", "/api/x", nothing, operation=None, tags=())


async def test_every_route_that_changes_something_was_added_by_routes(server: RestServer) -> None:
    """Past `Routes.add` nothing asks for a declaration. MCP runs agents, and runs are not in it."""
    changing = [
        route
        for route in server.app.routes
        if set(getattr(route, "methods", ())) - {"GET", "HEAD", "OPTIONS"}
        and getattr(route, "path", "") != "/mcp"
    ]

    assert len(changing) > 20
    assert [route for route in changing if not isinstance(route, AuditedRoute)] == []


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("limit=0", "greater than"),
        ("before=x", "valid integer"),
        ("who=" + "x" * 10_000, "at most 200"),
    ],
)
async def test_a_page_that_cannot_be_is_refused(server: RestServer, query: str, says: str) -> None:
    response = await server.ask("GET", f"{LOG}?{query}", user="root", headers=admin(server))

    assert response.status_code == 422
    assert says in response.text
