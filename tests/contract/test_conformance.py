"""Every operation of the first two tiers, against what the contract says of it.

Answers are judged where they come from (`conformance.py`): every contract test's, not only those
asked for here. What is asked here holds of each operation alike, from our own documentation.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import httpx2
import pytest

from tests.contract.conformance import CONTRACT, FACTS, OPERATIONS, Conformance, operation_at
from tests.contract.rest_server import RestServer
from tests.contract.test_operations import BUILT
from tests.contract.test_wrong_requests import UNKNOWN
from tests.contract.write_operations import METHODS
from tests.contract.write_shapes import TARGET, shapes, text

TIERS: Final = CONTRACT.with_name("tiers.md")


def test_the_facts_are_those_of_the_contract() -> None:
    if not CONTRACT.exists():
        pytest.skip("the contract's openapi.json does not lie beside this project")

    written = shapes(json.loads(CONTRACT.read_text("utf-8")), TIERS.read_text("utf-8"))

    assert text(written) == TARGET.read_text("utf-8")


def test_of_the_first_two_tiers_everything_is_built() -> None:
    wanted = {*FACTS["tiers"]["T1"], *FACTS["tiers"]["T2"]}

    assert (len(FACTS["tiers"]["T1"]), len(FACTS["tiers"]["T2"])) == (37, 43)
    assert wanted - BUILT == set()


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/api/graphs/g", "getV1Get specific graph"),
        ("PUT", "/api/graphs/g/versions/active", "putV1Set active graph version"),
        ("GET", "/api/library/agents/favorites", "getV2List favorite library agents"),
        ("GET", "/api/library/agents/x", "getV2Get library agent"),
        ("GET", "/api/graphs/", None),
        ("GET", "/graphs/g", None),
    ],
)
def test_the_judge_knows_which_operation_is_asked_for(
    method: str, path: str, operation: str | None
) -> None:
    assert operation_at(method, path) == operation


RUN: Final = {
    "id": "r",
    "user_id": "u",
    "graph_id": "g",
    "graph_version": 1,
    "inputs": {},
    "credential_inputs": None,
    "nodes_input_masks": None,
    "preset_id": None,
    "status": "QUEUED",
    "started_at": "2026-01-01T00:00:00Z",
    "ended_at": None,
    "stats": None,
}


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, [RUN], None),
        (200, [{**RUN, "status": "WAITING"}], "0/status"),
        (200, [{**RUN, "graph_version": "1"}], "0/graph_version"),
        (200, [{**RUN, "started_at": "yesterday"}], "0/started_at"),
        (200, [{name: RUN[name] for name in RUN if name != "preset_id"}], "preset_id"),
        (200, {}, "not of type"),
        (201, [RUN], "answered 201"),
        (404, {"message": "no detail"}, "detail"),
        (404, {"detail": "there is none"}, None),
    ],
)
def test_the_judge_sees_what_the_contract_does_not_say(
    status: int, body: Any, says: str | None
) -> None:
    judge = Conformance()
    response = httpx2.Response(status, json=body)

    if says is None:
        judge.judge("GET", "/api/executions", response)
    else:
        with pytest.raises(AssertionError, match=says):
            judge.judge("GET", "/api/executions", response)


def documented(server: RestServer) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and description of every operation that our documentation shows."""
    for path, methods in server.app.openapi()["paths"].items():
        for method in METHODS:
            if method in methods:
                yield method.upper(), path, methods[method]


def whole(path: str, parameters: list[dict[str, Any]], **given: str) -> str:
    """Return the address of an operation with ids of nobody, and what its query needs."""
    ids = {
        one["name"]: "1" if _kinds(one["schema"]) & {"integer"} else UNKNOWN
        for one in parameters
        if one["in"] == "path"
    }
    query = {one["name"]: "1" for one in parameters if one["in"] == "query" and one["required"]}
    for name, value in given.items():
        (ids if name in ids else query)[name] = value
    asked = "&".join(f"{name}={value}" for name, value in query.items() if value != LEFT_OUT)
    return path.format(**ids) + (f"?{asked}" if asked else "")


LEFT_OUT: Final = "(left out)"


def _kinds(schema: dict[str, Any]) -> set[str]:
    return {one.get("type", "") for one in (schema, *schema.get("anyOf", ()))}


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer x", "Basic YTpi", "Bearer a.b.c", "bearer  "]
)
async def test_every_operation_with_a_token_is_401_without_one(
    server: RestServer, authorization: str | None
) -> None:
    asked = 0

    for method, path, said in documented(server):
        if not said.get("security") or not path.startswith("/api/"):
            continue
        headers = {} if authorization is None else {"Authorization": authorization}
        address = whole(path, said.get("parameters", []))
        response = await server.client.request(method, address, headers=headers)
        assert response.status_code == 401, said["operationId"]
        assert response.json().keys() == {"detail"}
        assert response.headers["WWW-Authenticate"] == "Bearer"
        asked += 1

    assert asked > 30


def test_what_needs_no_token_needs_none_in_the_contract_either(server: RestServer) -> None:
    for _, _, said in documented(server):
        known = OPERATIONS.get(said["operationId"])
        if known is not None:
            assert bool(said.get("security")) == known["token"], said["operationId"]


def wrong_requests(path: str, said: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield what is wrong, an address, and what is sent: each must be 422."""
    parameters = said.get("parameters", [])
    body = said.get("requestBody", {}).get("content", {})
    fine: dict[str, Any] = {"json": {}} if "application/json" in body else {}
    for one in parameters:
        if _kinds(one["schema"]) & {"integer", "number", "boolean"}:
            yield f"{one['name']} in words", whole(path, parameters, **{one["name"]: "x"}), fine
        if one["in"] == "query" and one["required"]:
            yield f"no {one['name']}", whole(path, parameters, **{one["name"]: LEFT_OUT}), fine
    if "application/json" in body:
        address = whole(path, parameters)
        yield "a body that is a list", address, {"json": [1]}
        headers = {"Content-Type": "application/json"}
        yield "half a body", address, {"content": b'{"a": ', "headers": headers}
        if said["requestBody"].get("required"):
            yield "no body", address, {}


async def test_every_operation_says_422_to_what_does_not_fit(server: RestServer) -> None:
    asked = set()

    for method, path, said in documented(server):
        for wrong, address, sent in wrong_requests(path, said):
            # Others hear 403 on some routes, and nothing of what is wrong.
            headers = {**server.as_user("ann", role="admin"), **sent.get("headers", {})}
            response = await server.ask(method, address, **{**sent, "headers": headers})
            assert response.status_code == 422, (said["operationId"], wrong, response.text)
            answered = response.json()
            assert answered.keys() == {"message", "detail", "hint"}
            assert {"type", "loc", "msg"} <= answered["detail"][0].keys()
            asked.add(said["operationId"])

    assert len(asked) > 15


async def test_no_operation_id_is_there_twice(server: RestServer) -> None:
    ids = [said["operationId"] for _, _, said in documented(server)]

    assert len(ids) == len(set(ids))
