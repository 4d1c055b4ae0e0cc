"""Requests about libraries that nobody can answer: the right 4xx, nothing written."""

from typing import Any, Final

import pytest

from tests.contract.rest_server import BOB, RestServer
from tests.contract.test_library import AGENTS, agent_of

UNKNOWN: Final = "00000000-0000-4000-8000-000000000000"
ONE: Final = f"{AGENTS}/{{agent}}"

#: What is wrong, method, path, body ({agent} is there), status, what it says.
REQUESTS: Final[list[tuple[str, str, str, Any, int, str]]] = [
    ("page 0", "GET", f"{AGENTS}?page=0", None, 422, "greater than or equal"),
    ("page_size 0", "GET", f"{AGENTS}?page_size=0", None, 422, "greater than or equal"),
    ("an unknown order", "GET", f"{AGENTS}?sort_by=name", None, 422, "createdAt"),
    ("a long search", "GET", f"{AGENTS}?search_term=" + "x" * 101, None, 400, "longer than 100"),
    ("favorites from page 0", "GET", f"{AGENTS}/favorites?page=0", None, 422, "greater than or equal"),
    ("an unknown graph", "GET", f"{AGENTS}/by-graph/{UNKNOWN}", None, 404, "not in your library"),
    ("a version in words", "GET", f"{AGENTS}/by-graph/{UNKNOWN}?version=one", None, 422, "valid integer"),
    ("a huge version", "GET", f"{AGENTS}/by-graph/{UNKNOWN}?version=99999999999999999999", None, 404, "not in your library"),
    ("an unknown agent", "GET", f"{AGENTS}/{UNKNOWN}", None, 404, "not found"),
    ("a change of an unknown agent", "PATCH", f"{AGENTS}/{UNKNOWN}", {"is_favorite": True}, 404, "not found"),
    ("a change of nothing", "PATCH", ONE, {}, 400, "nothing to update"),
    ("a change to nulls", "PATCH", ONE, {"is_favorite": None}, 400, "nothing to update"),
    ("a change without a body", "PATCH", ONE, None, 422, "Field required"),
    ("a change in a list", "PATCH", ONE, [], 422, "dictionary"),
    ("an unknown version", "PATCH", ONE, {"graph_version": 7, "is_favorite": True}, 404, "v7 not found"),
    ("version 0", "PATCH", ONE, {"graph_version": 0}, 422, "greater than or equal"),
    ("is_favorite in words", "PATCH", ONE, {"is_favorite": "perhaps"}, 422, "boolean"),
    ("settings in words", "PATCH", ONE, {"settings": {"sensitive_action_safe_mode": "x"}}, 422, "boolean"),
    ("a copy of an unknown agent", "POST", f"{AGENTS}/{UNKNOWN}/fork", None, 404, "not found"),
    ("removing an unknown agent", "DELETE", f"{AGENTS}/{UNKNOWN}", None, 404, "not found"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_a_wrong_request_is_refused_and_nothing_is_written(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    agent = await agent_of(server, await server.new_graph())
    before = await server.row_counts()

    response = await server.ask(method, path.replace("{agent}", agent["id"]), body)

    assert response.status_code == status, response.text
    assert says in response.text
    assert await server.row_counts() == before
    assert await agent_of(server, {"id": agent["graph_id"]}) == agent


async def test_agents_of_others_are_answered_like_what_is_not_there(server: RestServer) -> None:
    agent = await agent_of(server, await server.new_graph())
    await server.new_graph(user=BOB)
    before = await server.row_counts()
    requests: list[tuple[str, str, Any]] = [
        ("GET", ONE, None),
        ("GET", f"{AGENTS}/by-graph/{{graph}}", None),
        ("PATCH", ONE, {"is_favorite": True}),
        ("POST", f"{ONE}/fork", None),
        ("DELETE", ONE, None),
    ]

    for method, path, body in requests:
        theirs = path.replace("{agent}", agent["id"]).replace("{graph}", agent["graph_id"])
        nobodys = path.replace("{agent}", UNKNOWN).replace("{graph}", UNKNOWN)
        one = await server.ask(method, theirs, body, user=BOB)
        other = await server.ask(method, nobodys, body, user=BOB)
        shown = one.text.replace(agent["id"], UNKNOWN).replace(agent["graph_id"], UNKNOWN)
        assert (one.status_code, shown) == (other.status_code, other.text) == (404, shown), path

    assert await server.row_counts() == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", AGENTS),
        ("GET", f"{AGENTS}/favorites"),
        ("GET", f"{AGENTS}/by-graph/x"),
        ("GET", f"{AGENTS}/x"),
        ("PATCH", f"{AGENTS}/x"),
        ("POST", f"{AGENTS}/x/fork"),
        ("DELETE", f"{AGENTS}/x"),
    ],
)
async def test_without_a_token_nothing_is_said(server: RestServer, method: str, path: str) -> None:
    assert (await server.client.request(method, path, content=b"{")).status_code == 401
