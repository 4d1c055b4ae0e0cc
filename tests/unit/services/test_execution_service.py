"""Runs: starting, stopping, deleting, looking."""

import asyncio

import pytest

from backend.core.errors import StillStopping
from backend.core.ids import ExecutionId, GraphId
from backend.core.status import Status
from backend.ports.dispatch import SignalKind
from backend.services.executions import STOP_WAIT_S, ExecutionService
from tests.contract.rest_server import ANN, RestServer, sample_graph


async def test_a_started_run_is_on_disk_and_the_executor_is_told(server: RestServer) -> None:
    graph = await server.new_graph()

    run = await server.new_run(graph)

    await server.told(SignalKind.RUN, run["id"])
    assert await server.storage.unfinished(limit=10, exclude=()) == [run["id"]]


async def test_without_a_version_the_active_one_runs(server: RestServer) -> None:
    graph = await server.new_graph()
    await server.ask("PUT", f"/api/graphs/{graph['id']}", {**graph, "is_active": False})

    run = await server.ask(
        "POST", f"/api/graphs/{graph['id']}/execute", {"inputs": {"text": "hello"}}
    )

    assert run.json()["graph_version"] == 1


async def test_a_graph_that_was_deleted_does_not_run_from_its_plan(server: RestServer) -> None:
    graph = await server.new_graph()
    await server.new_run(graph)
    await server.ask("DELETE", f"/api/graphs/{graph['id']}")

    response = await server.ask("POST", f"/api/graphs/{graph['id']}/execute/1", {})

    assert response.status_code == 400
    assert "not found" in response.json()["detail"]


async def test_a_stop_waits_until_the_run_has_ended_and_shows_it_as_it_was(
    server: RestServer,
) -> None:
    graph = await server.new_graph()
    run = await server.new_run(graph)

    async def executor() -> None:
        await server.told(SignalKind.STOP, run["id"])
        await server.end_run(run["id"], Status.TERMINATED)

    path = f"/api/graphs/{graph['id']}/executions/{run['id']}"
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(executor())
        stopped = await server.ask("POST", f"{path}/stop")

    assert stopped.json() == run
    assert (await server.ask("GET", path)).json()["status"] == "TERMINATED"


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED])
async def test_what_is_not_unfinished_is_not_stopped(server: RestServer, status: Status) -> None:
    graph = await server.new_graph()
    run = await server.new_run(graph)
    await server.end_run(run["id"], status)

    stopped = await server.ask("POST", f"/api/graphs/{graph['id']}/executions/{run['id']}/stop")

    assert stopped.status_code == 200
    assert stopped.json() is None


async def test_a_run_of_another_graph_is_not_stopped(server: RestServer) -> None:
    graph, other = await server.new_graph(), await server.new_graph()
    run = await server.new_run(graph)

    stopped = await server.ask("POST", f"/api/graphs/{other['id']}/executions/{run['id']}/stop")

    assert stopped.json() is None
    assert not await server.stop_asked(run["id"])


async def test_a_run_that_does_not_end_in_time_is_said_to_be_stopping(server: RestServer) -> None:
    graph = await server.new_graph()
    run = await server.new_run(graph)

    async def time_passes() -> None:
        await server.told(SignalKind.STOP, run["id"])
        server.clock.pass_time(seconds=STOP_WAIT_S)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(time_passes())
        with pytest.raises(StillStopping, match="will"):
            await _executions(server).stop(ANN, GraphId(graph["id"]), ExecutionId(run["id"]))

    assert await server.stop_asked(run["id"])


def _executions(server: RestServer) -> ExecutionService:
    return server.context.executions


async def test_a_deleted_run_is_gone_and_stopped(server: RestServer) -> None:
    graph = await server.new_graph()
    run = await server.new_run(graph)

    response = await server.ask("DELETE", f"/api/executions/{run['id']}")

    assert response.status_code == 204
    assert (await server.ask("GET", "/api/executions")).json() == []
    again = await server.ask("DELETE", f"/api/executions/{run['id']}")
    assert again.status_code == 404


async def test_runs_come_in_pages_newest_first(server: RestServer) -> None:
    graph = await server.new_graph()
    ids = []
    for _ in range(5):
        server.clock.pass_time(seconds=1)
        ids.append((await server.new_run(graph))["id"])

    path = f"/api/graphs/{graph['id']}/executions"
    second = (await server.ask("GET", f"{path}?page=2&page_size=2")).json()
    far = (await server.ask("GET", f"{path}?page=99999999999999999999&page_size=2")).json()

    assert [run["id"] for run in second["executions"]] == [ids[2], ids[1]]
    assert second["pagination"] == {
        "total_items": 5,
        "total_pages": 3,
        "current_page": 2,
        "page_size": 2,
    }
    assert far["executions"] == []


async def test_credentials_that_nobody_has_are_named_at_their_node(server: RestServer) -> None:
    graph = await server.new_graph(sample_graph())

    response = await server.ask(
        "POST",
        f"/api/graphs/{graph['id']}/execute/1",
        {
            "inputs": {"text": "hello"},
            "credentials_inputs": {
                "nobody_asked_credentials": {"id": "1", "provider": "p", "type": "api_key"}
            },
        },
    )

    # Names of no group do nothing, and are kept with the run.
    assert response.status_code == 200
    assert response.json()["credential_inputs"]["nobody_asked_credentials"]["id"] == "1"
