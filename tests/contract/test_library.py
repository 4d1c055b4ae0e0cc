"""Library agents: listed, marked, put away, copied, removed."""

import pytest

from backend.core.status import Status
from tests.contract.rest_server import BOB, Json, RestServer, sample_graph
from tests.contract.triggered import PRESETS, new_trigger

#: What is listed is sorted and searched by the database.
pytestmark = pytest.mark.both_stores

AGENTS = "/api/library/agents"


async def agent_of(server: RestServer, graph: Json) -> Json:
    """Return the library agent of *graph*."""
    response = await server.ask("GET", f"{AGENTS}/by-graph/{graph['id']}")
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


async def test_a_saved_graph_is_an_agent_of_its_owners_library(server: RestServer) -> None:
    graph = await server.new_graph()
    await server.new_graph(user=BOB)

    listed = (await server.ask("GET", AGENTS)).json()

    [agent] = listed["agents"]
    assert listed["pagination"]["total_items"] == 1
    assert (agent["graph_id"], agent["graph_version"]) == (graph["id"], 1)
    assert (agent["creator_name"], agent["status"]) == ("Ann", "COMPLETED")
    assert agent["input_schema"] == graph["input_schema"]
    assert (await server.ask("GET", f"{AGENTS}/{agent['id']}")).json() == agent
    assert await agent_of(server, graph) == agent


async def test_a_page_says_how_many_there_really_are(server: RestServer) -> None:
    for number in range(3):
        await server.new_graph(sample_graph(name=f"Agent {number}"))
        server.clock.pass_time(seconds=1)

    page = (await server.ask("GET", f"{AGENTS}?page=2&page_size=2&sort_by=createdAt")).json()
    largest = (await server.ask("GET", f"{AGENTS}?page_size=1000000")).json()

    assert [agent["name"] for agent in page["agents"]] == ["Agent 2"]
    assert page["pagination"] == {
        "total_items": 3,
        "total_pages": 2,
        "current_page": 2,
        "page_size": 2,
    }
    assert largest["pagination"]["page_size"] == 100


async def test_an_agents_runs_say_how_it_does(server: RestServer) -> None:
    graph = await server.new_graph()
    for status in (Status.COMPLETED, Status.FAILED):
        await server.end_run((await server.new_run(graph))["id"], status)

    agent = await agent_of(server, graph)

    assert (agent["status"], agent["new_output"]) == ("ERROR", True)
    assert (agent["execution_count"], agent["success_rate"]) == (2, 50.0)
    statuses = sorted(run["status"] for run in agent["recent_executions"])
    assert statuses == ["COMPLETED", "FAILED"]


async def test_a_change_of_the_version_leaves_nothing_out(server: RestServer) -> None:
    """The Platform ignores all other fields then, without a word."""
    graph = await server.new_graph()
    await server.ask("PUT", f"/api/graphs/{graph['id']}", graph)
    agent = await agent_of(server, graph)
    body = {
        "graph_version": 1,
        "is_favorite": True,
        "auto_update_version": False,
        "settings": {"sensitive_action_safe_mode": True},
    }

    changed = (await server.ask("PATCH", f"{AGENTS}/{agent['id']}", body)).json()

    assert (agent["graph_version"], agent["is_latest_version"]) == (2, True)
    assert (changed["graph_version"], changed["is_latest_version"]) == (1, False)
    assert changed["is_favorite"]
    assert changed["settings"] == {
        "human_in_the_loop_safe_mode": True,
        "sensitive_action_safe_mode": True,
    }
    favorites = (await server.ask("GET", f"{AGENTS}/favorites")).json()["agents"]
    assert [one["id"] for one in favorites] == [agent["id"]]


async def test_an_archived_agent_is_not_listed_and_cannot_be_run(server: RestServer) -> None:
    graph = await server.new_graph()
    agent = await agent_of(server, graph)
    await server.ask("PATCH", f"{AGENTS}/{agent['id']}", {"is_archived": True, "is_favorite": True})

    listed = (await server.ask("GET", AGENTS)).json()["agents"]
    favorites = (await server.ask("GET", f"{AGENTS}/favorites")).json()["agents"]
    refused = await server.ask("POST", f"/api/graphs/{graph['id']}/execute/1", {"inputs": {}})

    assert (listed, favorites) == ([], [])
    assert (refused.status_code, "archived" in refused.text) == (403, True)
    await server.ask("PATCH", f"{AGENTS}/{agent['id']}", {"is_archived": False})
    await server.new_run(graph)


async def test_a_removed_agent_takes_its_schedules_and_webhooks_with_it(
    server: RestServer,
) -> None:
    made = await new_trigger(server)
    graph_id = made["graph_id"]
    schedule = {"name": "Daily", "cron": "0 9 * * *", "inputs": {}, "graph_version": 1}
    await server.ask("POST", f"/api/graphs/{graph_id}/schedules", schedule)
    agent = await agent_of(server, {"id": graph_id})

    removed = await server.ask("DELETE", f"{AGENTS}/{agent['id']}")

    assert (removed.status_code, removed.content) == (204, b"")
    assert (await server.ask("GET", "/api/schedules")).json() == []
    preset = (await server.ask("GET", f"{PRESETS}/{made['id']}")).json()
    assert (preset["webhook_id"], preset["is_active"]) == (None, False)
    assert (await server.ask("GET", f"{AGENTS}/{agent['id']}")).status_code == 404
    assert (await server.ask("GET", f"{AGENTS}/by-graph/{graph_id}")).status_code == 404
    # The graph stays, and comes back into the library when it is saved again.
    graph = (await server.ask("GET", f"/api/graphs/{graph_id}")).json()
    await server.ask("PUT", f"/api/graphs/{graph_id}", graph)
    assert (await agent_of(server, graph))["graph_version"] == 2


async def test_a_copy_has_new_ids_its_origin_and_no_secrets(server: RestServer) -> None:
    graph = await server.new_graph(_with_secret())
    agent = await agent_of(server, graph)
    settings = {"settings": {"sensitive_action_safe_mode": True}}
    await server.ask("PATCH", f"{AGENTS}/{agent['id']}", settings)

    response = await server.ask("POST", f"{AGENTS}/{agent['id']}/fork")

    copy = response.json()
    assert (response.status_code, copy["name"]) == (200, "Sample (copy)")
    assert copy["settings"]["sensitive_action_safe_mode"]
    assert {copy["id"], copy["graph_id"]}.isdisjoint({agent["id"], graph["id"]})
    made = (await server.ask("GET", f"/api/graphs/{copy['graph_id']}")).json()
    assert (made["forked_from_id"], made["forked_from_version"]) == (graph["id"], 1)
    nodes = {node["id"] for node in graph["nodes"]}
    assert len(made["nodes"]) == len(nodes)
    assert nodes.isdisjoint(node["id"] for node in made["nodes"])
    assert "hunter2" in str(graph)
    assert "hunter2" not in str(made)
    assert (await server.new_run({"id": made["id"], "version": 1}))["status"] == "QUEUED"


def _with_secret() -> Json:
    graph = sample_graph()
    graph["nodes"][0]["input_default"] |= {"secret": True, "value": "hunter2"}
    return graph


@pytest.mark.parametrize("term", ["sam", "GIVEN OUT"])
async def test_a_search_finds_names_and_descriptions(server: RestServer, term: str) -> None:
    await server.new_graph()
    await server.new_graph(sample_graph(name="Other", description=""))

    found = (await server.ask("GET", f"{AGENTS}?search_term={term}")).json()["agents"]

    assert [agent["name"] for agent in found] == ["Sample"]
