"""The server's own jobs over REST, for administrators."""

from typing import Any, Final

import pytest

from backend.adapters.storage.jobs import SqlJobs
from backend.ports.jobs import JobRun
from tests.contract.rest_server import RestServer

JOBS: Final = "/api/admin/jobs"


def admin(server: RestServer) -> dict[str, str]:
    """Return the headers of an administrator."""
    return server.as_user("root", role="admin")


async def declared(server: RestServer) -> SqlJobs:
    """Do what a scheduler does when it starts."""
    kept = SqlJobs(server.storage.database)
    await kept.declare({"retention": 300_000_000})
    return kept


async def test_administrators_see_jobs_and_ask_for_one(server: RestServer) -> None:
    kept = await declared(server)
    run = JobRun(job="retention", started_us=1_000_000, ended_us=2_000_000, ok=True, result="done")
    await kept.finish(run, held_until_us=0)

    [job] = (await server.ask("GET", JOBS, headers=admin(server))).json()["jobs"]
    assert (job["name"], job["every_s"], job["last_result"]) == ("retention", 300, "done")
    assert (await server.ask("GET", f"{JOBS}/retention/runs", headers=admin(server))).json()[
        "runs"
    ] == [
        {
            "started_at": "1970-01-01T00:00:01Z",
            "ended_at": "1970-01-01T00:00:02Z",
            "ok": True,
            "result": "done",
            "error": None,
        }
    ]

    asked = await server.ask("POST", f"{JOBS}/retention/run", headers=admin(server))
    assert asked.json()["requested_at"] is not None
    [state] = await kept.states()
    assert state.requested_us == server.clock.now_us()
    [entry] = (await server.ask("GET", "/api/audit?verb=run_job", headers=admin(server))).json()[
        "entries"
    ]
    assert (entry["object_id"], entry["outcome"]) == ("retention", "done")


REQUESTS: Final[list[tuple[str, str, str, Any, int, str]]] = [
    ("runs of none", "GET", f"{JOBS}/nothing/runs", None, 404, "not found"),
    ("no runs", "GET", f"{JOBS}/retention/runs?limit=0", None, 422, "greater than"),
    ("running none", "POST", f"{JOBS}/nothing/run", None, 404, "not found"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_a_wrong_request_is_refused_and_nothing_changes(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    kept = await declared(server)
    before = await kept.states()

    response = await server.ask(method, path, body, headers=admin(server))

    assert (response.status_code, says in response.text) == (status, True), response.text
    assert await kept.states() == before
    assert (await server.ask(method, path, body)).status_code == 403
