"""Runs shared by a link: who sees what, and for how long."""

from typing import Any

import pytest

from tests.contract.rest_server import ANN, BOB, Json, RestServer

UNKNOWN = "00000000-0000-4000-8000-000000000000"
SHARED = "/api/public/shared"


async def shared_run(server: RestServer) -> tuple[Json, Json]:
    """Return a run, and what sharing it answers."""
    graph = await server.new_graph()
    run = await server.new_run(graph, {"text": "hunter2"})
    response = await server.ask("POST", share_path(run))
    assert response.status_code == 200, response.text
    return run, response.json()


def share_path(run: Json) -> str:
    """Return where *run* is shared."""
    return f"/api/graphs/{run['graph_id']}/executions/{run['id']}/share"


async def test_anybody_with_the_link_sees_the_outputs_and_nothing_else(
    server: RestServer,
) -> None:
    run, link = await shared_run(server)

    seen = await server.client.get(f"{SHARED}/{link['share_token']}")

    assert link["share_url"] == f"http://localhost:3000/share/{link['share_token']}"
    assert seen.status_code == 200
    assert seen.json() == {
        "id": run["id"],
        "graph_name": "Sample",
        "graph_description": "An input is kept and given out",
        "status": "QUEUED",
        "created_at": seen.json()["created_at"],
        "outputs": {},
    }
    assert seen.headers["x-robots-tag"] == "noindex, nofollow"
    assert "no-store" in seen.headers["cache-control"]
    assert "hunter2" not in seen.text
    assert ANN not in seen.text.replace("name", "")


async def test_its_owner_sees_that_a_run_is_shared(server: RestServer) -> None:
    run, link = await shared_run(server)
    path = f"/api/graphs/{run['graph_id']}/executions/{run['id']}"

    shared = (await server.ask("GET", path)).json()
    await server.ask("DELETE", share_path(run))
    unshared = (await server.ask("GET", path)).json()

    assert (shared["is_shared"], shared["share_token"]) == (True, link["share_token"])
    assert (unshared["is_shared"], unshared["share_token"]) == (False, None)


async def test_a_link_ends_with_the_next_one_with_its_share_and_with_its_run(
    server: RestServer,
) -> None:
    run, first = await shared_run(server)
    second = (await server.ask("POST", share_path(run), {})).json()

    async def status(link: Json) -> int:
        return (await server.client.get(f"{SHARED}/{link['share_token']}")).status_code

    assert (await status(first), await status(second)) == (404, 200)
    removed = await server.ask("DELETE", share_path(run))
    assert (removed.status_code, removed.content) == (204, b"")
    assert await status(second) == 404
    third = (await server.ask("POST", share_path(run))).json()
    await server.ask("DELETE", f"/api/executions/{run['id']}")
    assert await status(third) == 404


async def test_tokens_do_not_follow_from_each_other(server: RestServer) -> None:
    run, first = await shared_run(server)
    second = (await server.ask("POST", share_path(run))).json()

    a, b = first["share_token"], second["share_token"]

    assert a[14] == b[14] == "4"
    assert sum(x != y for x, y in zip(a, b, strict=True)) > 15


async def test_a_shared_run_gives_nothing_of_its_other_addresses(server: RestServer) -> None:
    run, link = await shared_run(server)
    token = {"Authorization": f"Bearer {link['share_token']}"}

    for path in (f"/api/graphs/{run['graph_id']}/executions/{run['id']}", "/api/executions"):
        for headers in ({}, token):
            assert (await server.client.get(path, headers=headers)).status_code == 401


#: What is wrong, method, path ({graph} and {run} are there), body, status, what it says.
REQUESTS: list[tuple[str, str, str, Any, int, str]] = [
    ("sharing an unknown run", "POST", f"/api/graphs/{{graph}}/executions/{UNKNOWN}/share", None, 404, "not found"),
    ("sharing a run of another graph", "POST", f"/api/graphs/{UNKNOWN}/executions/{{run}}/share", None, 404, "not found"),
    ("sharing with a list", "POST", "/api/graphs/{graph}/executions/{run}/share", [], 422, "dictionary"),
    ("ending the share of an unknown run", "DELETE", f"/api/graphs/{{graph}}/executions/{UNKNOWN}/share", None, 404, "not found"),
    ("ending the share of another graph", "DELETE", f"/api/graphs/{UNKNOWN}/executions/{{run}}/share", None, 404, "not found"),
    ("a token that shows nothing", "GET", f"{SHARED}/{UNKNOWN}", None, 404, "nothing shared"),
    ("a token in capitals", "GET", f"{SHARED}/{UNKNOWN[:-1]}A", None, 422, "pattern"),
    ("a token that is no UUID", "GET", f"{SHARED}/x", None, 422, "pattern"),
    ("a token with a line break", "GET", f"{SHARED}/{UNKNOWN}%0A", None, 422, "pattern"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_a_wrong_request_is_refused_and_nothing_is_shared(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    graph = await server.new_graph()
    run = await server.new_run(graph)
    filled = path.replace("{graph}", graph["id"]).replace("{run}", run["id"])

    response = await server.ask(method, filled, body)

    assert response.status_code == status, response.text
    assert says in response.text
    assert not (await server.ask("GET", "/api/executions")).json()[0]["is_shared"]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_run_of_somebody_else_is_answered_like_none(
    server: RestServer, method: str
) -> None:
    run, link = await shared_run(server)
    await server.ask("POST", "/api/auth/user", user=BOB)

    theirs = await server.ask(method, share_path(run), user=BOB)
    nobodys = await server.ask(method, share_path({**run, "id": UNKNOWN}), user=BOB)

    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.text.replace(run["id"], UNKNOWN) == nobodys.text
    assert (await server.client.get(f"{SHARED}/{link['share_token']}")).status_code == 200


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_without_a_token_nothing_is_said(server: RestServer, method: str) -> None:
    path = share_path({"graph_id": "x", "id": "y"})

    assert (await server.client.request(method, path)).status_code == 401
