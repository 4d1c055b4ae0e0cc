"""The external API: who is let in, and what its operations answer (spec/contract.md 9 and 3.2)."""

from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from backend.api.external.app import ExternalApplication
from backend.api.external.documentation import ANSWERS
from backend.core.status import Status
from tests.contract.api_keys import ALL, external, make_key
from tests.contract.rest_server import (
    BOB,
    CALCULATOR,
    PLACEHOLDER,
    Json,
    RestServer,
    sample_graph,
)
from tests.contract.test_wrong_requests import UNKNOWN

ADD = {"operation": "Add", "a": 2, "b": 3}


def routes_of(server: RestServer) -> list[APIRoute]:
    app = server.app.external  # type: ignore[attr-defined] # of RestApplication
    assert isinstance(app, ExternalApplication)
    return [route for route in app.routes if isinstance(route, APIRoute)]


def permission_of(route: APIRoute) -> str:
    return str((route.openapi_extra or {})["x-permission"])


async def test_a_key_says_whose_it_is(server: RestServer) -> None:
    key = await make_key(server)

    response = await external(server, key, "GET", "/me")

    TypeAdapter(ANSWERS["get_me"]).validate_json(response.content)
    assert response.json() == {
        "id": "ann",
        "name": "Ann",
        "email": "ann@example.com",
        "timezone": "not-set",
    }


async def test_blocks_are_listed_without_prices(server: RestServer) -> None:
    key = await make_key(server)
    shown = (await server.ask("GET", "/api/blocks")).json()

    response = await external(server, key, "GET", "/blocks")

    TypeAdapter(ANSWERS["list_blocks"]).validate_json(response.content)
    assert response.json() == [
        {name: value for name, value in block.items() if name != "costs"} for block in shown
    ]


async def test_a_block_is_run(server: RestServer) -> None:
    key = await make_key(server)

    response = await external(server, key, "POST", f"/blocks/{CALCULATOR}/execute", ADD)

    TypeAdapter(ANSWERS["execute_block"]).validate_json(response.content)
    assert (response.status_code, response.json()) == (200, {"result": [5.0]})


async def test_a_run_is_started_and_its_results_are_read(server: RestServer) -> None:
    key, graph = await make_key(server), await server.new_graph()
    body = {"node_input": {"text": "hello"}}

    started = await external(server, key, "POST", f"/graphs/{graph['id']}/execute/1", body)

    TypeAdapter(ANSWERS["execute_graph"]).validate_json(started.content)
    run_id = started.json()["id"]
    whole = (await server.ask("GET", f"/api/graphs/{graph['id']}/executions/{run_id}")).json()
    assert whole["inputs"] == {"text": "hello"}
    results = f"/graphs/{graph['id']}/executions/{run_id}/results"
    waiting = await external(server, key, "GET", results)
    TypeAdapter(ANSWERS["get_results"]).validate_json(waiting.content)
    assert waiting.json() == {
        "execution_id": run_id,
        "status": "QUEUED",
        "nodes": [],
        "output": None,
    }
    await server.end_run(run_id, Status.COMPLETED)
    assert (await external(server, key, "GET", results)).json()["output"] == []


async def test_without_a_body_a_run_has_no_inputs(server: RestServer) -> None:
    key, graph = await make_key(server), await server.new_graph()

    started = await external(server, key, "POST", f"/graphs/{graph['id']}/execute/1")

    assert started.status_code == 200, started.text


async def test_the_same_idempotency_key_starts_one_run(server: RestServer) -> None:
    key, graph = await make_key(server), await server.new_graph()

    async def start(text: str) -> Any:
        return await external(
            server,
            key,
            "POST",
            f"/graphs/{graph['id']}/execute/1",
            {"node_input": {"text": text}},
            headers={"Idempotency-Key": "order-7"},
        )

    first, again, other = await start("a"), await start("a"), await start("b")

    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert (other.status_code, list(other.json())) == (409, ["detail"])


async def test_every_route_wants_its_permission_and_no_other(server: RestServer) -> None:
    routes = routes_of(server)

    for route in routes:
        [method] = route.methods or set()
        needed = permission_of(route)
        path = route.path.removeprefix("/v1").format(**dict.fromkeys(route.param_convertors, "1"))
        others = await make_key(server, permissions=[one for one in ALL if one != needed])
        refused = await external(server, others, method, path, {})
        assert (refused.status_code, refused.json()) == (
            403,
            {"detail": f"This needs the permission {needed}."},
        )
        enough = await make_key(server, permissions=[needed])
        assert (await external(server, enough, method, path, {})).status_code not in (401, 403)

    assert len(routes) >= 5


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "Send an API key"),
        ({"X-API-Key": ""}, "This API key is not known"),
        ({"X-API-Key": "agpt_" + "a" * 43}, "This API key is not known"),
        ({"X-API-Key": "agpt_" + "a" * 5_000}, "This API key is not known"),
        ({"X-API-Key": "agpt_' OR 1=1 --"}, "This API key is not known"),
        ({"Authorization": "Bearer"}, "Send an API key"),
        ({"Authorization": "Bearer agpt_xt_" + "a" * 43}, "This access token is not known"),
        ({"Authorization": "Basic YTpi"}, "Send an API key"),
    ],
)
async def test_a_stranger_hears_401_on_every_route_whatever_is_wrong_besides(
    server: RestServer, headers: dict[str, str], says: str
) -> None:
    await make_key(server)

    for route in routes_of(server):
        [method] = route.methods or set()
        path = route.path.removeprefix("/v1").format(**dict.fromkeys(route.param_convertors, "1"))
        response = await external(server, None, method, path, headers=headers, content=b"{")
        assert response.status_code == 401, path
        assert list(response.json()) == ["detail"]
        assert says in response.json()["detail"]
        assert "www-authenticate" in response.headers


async def test_a_token_of_a_user_opens_nothing_here(server: RestServer) -> None:
    response = await external(server, None, "GET", "/me", headers=server.as_user("ann"))

    assert response.status_code == 401


async def test_a_key_opens_nothing_of_the_rest_api(server: RestServer) -> None:
    key = (await make_key(server))["plain_text_key"]

    for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}):
        assert (await server.client.get("/api/graphs", headers=headers)).status_code == 401


async def test_a_wrong_key_is_not_helped_by_anything_else(server: RestServer) -> None:
    wrong = "agpt_" + "a" * 43

    response = await external(server, wrong, "GET", "/me", headers=server.as_user("ann"))

    assert response.status_code == 401


#: What is wrong, method, path ({graph} and {run} are Ann's), body, status, what it says.
REFUSED: list[tuple[str, str, str, Any, int, str]] = [
    ("an unknown block", "POST", f"/blocks/{UNKNOWN}/execute", {}, 404, "not found"),
    ("a block that is not built", "POST", f"/blocks/{PLACEHOLDER}/execute", {}, 400, "not built"),
    ("a block's wrong input", "POST", f"/blocks/{CALCULATOR}/execute", {"a": "x"}, 400, "raised by"),
    ("a block's input in a list", "POST", f"/blocks/{CALCULATOR}/execute", [], 422, "dict"),
    ("an unknown graph", "POST", f"/graphs/{UNKNOWN}/execute/1", {}, 400, "not found"),
    ("an unknown version", "POST", "/graphs/{graph}/execute/9", {}, 400, "not found"),
    ("version 0", "POST", "/graphs/{graph}/execute/0", {}, 422, "greater than or equal"),
    ("a version in words", "POST", "/graphs/{graph}/execute/one", {}, 422, "integer"),
    ("inputs in a list", "POST", "/graphs/{graph}/execute/1", {"node_input": []}, 422, "dict"),
    ("a run of another graph", "GET", f"/graphs/{UNKNOWN}/executions/{{run}}/results", None, 404, "not found"),
    ("an unknown run", "GET", f"/graphs/{{graph}}/executions/{UNKNOWN}/results", None, 404, "not found"),
    ("a path that there is not", "GET", "/nothing", None, 404, "Not Found"),
    ("a method that there is not", "DELETE", "/me", None, 405, "Method Not Allowed"),
    ("a body of 11 MB", "POST", "/graphs/{graph}/execute/1", {"node_input": {"text": "x" * 11_000_000}}, 413, "larger"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
async def test_a_wrong_request_is_refused_with_a_detail_and_nothing_else(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    key, graph = await make_key(server), await server.new_graph()
    run = await server.new_run(graph)

    response = await external(
        server, key, method, path.format(graph=graph["id"], run=run["id"]), body
    )

    assert response.status_code == status, response.text
    assert list(response.json()) == ["detail"]
    assert says in response.text


async def test_a_graph_that_cannot_run_is_told_with_its_nodes_in_one_text(
    server: RestServer,
) -> None:
    key = await make_key(server)
    node = {"id": "calc", "block_id": CALCULATOR, "input_default": {}}
    graph = await server.new_graph(sample_graph(nodes=[node], links=[]))

    response = await external(server, key, "POST", f"/graphs/{graph['id']}/execute/1", {})

    assert response.status_code == 400
    assert isinstance(response.json()["detail"], str)
    assert f"node {graph['nodes'][0]['id']}, operation" in response.json()["detail"]


async def test_what_others_have_is_answered_like_what_is_not_there(server: RestServer) -> None:
    graph = await server.new_graph()
    run = await server.new_run(graph)
    key = await make_key(server, user=BOB)
    requests: list[tuple[str, str, Json | None]] = [
        ("POST", "/graphs/{graph}/execute/1", {}),
        ("GET", "/graphs/{graph}/executions/{run}/results", None),
    ]
    before = await server.row_counts()

    for method, path, body in requests:
        theirs = await external(
            server, key, method, path.format(graph=graph["id"], run=run["id"]), body
        )
        nobodys = await external(server, key, method, path.format(graph=UNKNOWN, run=UNKNOWN), body)
        shown = theirs.text.replace(graph["id"], UNKNOWN).replace(run["id"], UNKNOWN)
        assert (theirs.status_code, shown) == (nobodys.status_code, nobodys.text)

    assert await server.row_counts() == before


async def test_a_defect_of_ours_says_no_more_than_the_number_of_the_request(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await make_key(server)

    def breaks(*_: object) -> None:
        raise LookupError("something private")

    monkeypatch.setattr(type(server.context.blocks), "listed", breaks)
    response = await external(server, key, "GET", "/blocks")

    assert response.status_code == 500
    assert "private" not in response.text
    assert response.headers["x-request-id"] in response.json()["detail"]


async def test_it_has_its_own_documents(server: RestServer) -> None:
    document = (await server.client.get("/external-api/openapi.json")).json()
    page = await server.client.get("/external-api/docs")

    operations = {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    for route in routes_of(server):
        [method] = route.methods or set()
        operation = operations.pop(f"{method} {route.path}")
        assert operation["x-permission"] == permission_of(route)
        assert {"401", "403", "429"} <= operation["responses"].keys()
        assert operation["operationId"] in ANSWERS
    assert operations == {}
    assert document["components"]["securitySchemes"]["APIKey"]["name"] == "X-API-Key"
    assert page.status_code == 200
    assert "/external-api/openapi.json" in page.text
    main = (await server.client.get("/openapi.json")).json()
    assert [path for path in main["paths"] if "external" in path] == []


async def test_its_answers_have_the_border_s_headers_and_are_never_kept(server: RestServer) -> None:
    response = await external(server, await make_key(server), "GET", "/blocks")

    assert response.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in response.headers["cache-control"]
