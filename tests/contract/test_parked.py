"""Parked runs over REST: their owners retry theirs, administrators anybody's."""

from typing import Any, Final

import pytest

from backend.core.ids import ExecutionId, UserId
from backend.core.status import Status
from tests.contract.parked import REASON, park
from tests.contract.rest_server import ANN, Json, RestServer
from tests.contract.test_jobs import admin

PARKED: Final = "/api/admin/parked-runs"
UNKNOWN: Final = "00000000-0000-4000-8000-00000000dead"


async def parked_run(server: RestServer) -> tuple[Json, str]:
    """Return a run that is parked, and where its owner retries it."""
    graph = await server.new_graph()
    run = await server.new_run({"id": graph["id"], "version": 1})
    await park(server.storage, run["id"])
    return run, f"/api/graphs/{graph['id']}/executions/{run['id']}/retry"


async def test_its_owner_sees_why_and_retries_it_once(server: RestServer) -> None:
    run, path = await parked_run(server)
    shown = await server.ask("GET", path.removesuffix("/retry"))
    assert (shown.json()["status"], shown.json()["stats"]["error"]) == (
        "TERMINATED",
        REASON,
    )

    retried, again = await server.ask("POST", path), await server.ask("POST", path)

    assert (retried.status_code, retried.json()["status"]) == (200, "QUEUED")
    assert retried.json()["stats"]["error"] is None
    assert (again.status_code, "is QUEUED, not parked" in again.text) == (409, True)
    [entry] = (
        await server.ask("GET", "/api/audit?verb=retry&outcome=done", headers=admin(server))
    ).json()["entries"]
    assert (entry["kind"], entry["object_id"], entry["who"]) == ("run", run["id"], ANN)


async def test_administrators_see_those_of_all_and_retry_them(server: RestServer) -> None:
    run, _ = await parked_run(server)
    [listed] = (await server.ask("GET", PARKED, headers=admin(server))).json()["runs"]

    retried = await server.ask("POST", f"{PARKED}/{run['id']}/retry", headers=admin(server))

    assert (listed["id"], listed["user_id"], listed["reason"]) == (
        run["id"],
        ANN,
        REASON,
    )
    assert retried.status_code == 204
    stored = await server.storage.of(UserId(ANN)).execution(ExecutionId(run["id"]))
    assert stored is not None
    assert stored.status is Status.QUEUED
    assert (await server.ask("GET", PARKED, headers=admin(server))).json() == {"runs": []}
    assert (await server.ask("GET", PARKED)).status_code == 403


async def test_a_deleted_one_is_gone(server: RestServer) -> None:
    run, path = await parked_run(server)
    await server.ask("DELETE", f"/api/executions/{run['id']}")

    assert (await server.ask("POST", path)).status_code == 404
    assert (await server.ask("GET", PARKED, headers=admin(server))).json() == {"runs": []}


async def test_the_alerts_and_the_library_of_its_agent_tell_of_it(server: RestServer) -> None:
    run, path = await parked_run(server)

    [agent] = (await server.ask("GET", "/api/library/agents")).json()["agents"]
    assert (agent["graph_id"], agent["status"]) == (run["graph_id"], "ERROR")

    await server.ask("POST", path)
    [agent] = (await server.ask("GET", "/api/library/agents")).json()["agents"]
    assert agent["status"] == "WAITING"


REQUESTS: Final[list[tuple[str, str, str, Any, int, str]]] = [
    ("retrying none", "POST", f"{PARKED}/{UNKNOWN}/retry", None, 404, "not found"),
    (
        "retrying none of mine",
        "POST",
        f"/api/graphs/{UNKNOWN}/executions/{UNKNOWN}/retry",
        None,
        404,
        "not found",
    ),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_a_wrong_request_is_refused(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    response = await server.ask(method, path, body, headers=admin(server))

    assert (response.status_code, says in response.text) == (status, True), response.text
