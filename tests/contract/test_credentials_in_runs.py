"""Which credentials a run may use: its user's own, of the kind that the node takes, by node."""

from typing import Any

import pytest

from backend.core.ids import ExecutionId
from tests.contract.rest_server import AGENT, BOB, Json, RestServer
from tests.contract.stored import new_credentials

SEND = "fff86bcd-e001-4bad-a7f6-2eae4720c8dc"
STORE = "1ff065e9-88e8-4358-9d82-8dc91f622ba9"
GROUP = "api.example.com-http_host_scoped_credentials"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def asking(credentials: Any = None, **metadata: Any) -> Json:
    values: Json = {"url": "https://api.example.com/x", "method": "GET"}
    if credentials is not None:
        values["credentials"] = credentials
    return {
        "name": "Asking",
        "description": "",
        "nodes": [
            {"id": "ask", "block_id": SEND, "input_default": values, "metadata": metadata},
            {"id": "other", "block_id": STORE, "input_default": {"input": 1}},
        ],
        "links": [],
    }


def reference(made: Json, **changes: Any) -> Json:
    return {"id": made["id"], "provider": "http", "type": "host_scoped", **changes}


async def start(server: RestServer, graph: Json, body: Json, *, user: str = "ann") -> Any:
    return await server.ask("POST", f"/api/graphs/{graph['id']}/execute/1", body, user=user)


def problem(response: Any) -> str:
    assert response.status_code == 400, response.text
    [fields] = response.json()["detail"]["node_errors"].values()
    return str(fields["credentials"])


async def test_a_run_takes_credentials_by_the_names_of_the_graphs_schema(
    server: RestServer,
) -> None:
    made = await new_credentials(server, "http")
    graph = await server.new_graph(asking())
    assert list(graph["credentials_input_schema"]["properties"]) == [GROUP]

    response = await start(server, graph, {"credentials_inputs": {GROUP: reference(made)}})

    assert response.status_code == 200, response.text
    assert response.json()["credential_inputs"] == {GROUP: reference(made)}


async def test_what_a_run_is_given_reaches_the_nodes_of_agents_in_agents(
    server: RestServer,
) -> None:
    made = await new_credentials(server, "http")
    graph = inner = await server.new_graph(asking())
    for _ in range(2):
        target = {"graph_id": graph["id"], "graph_version": 1, "user_id": "ann"}
        schemas: Json = {"input_schema": {}, "output_schema": {}, "inputs": {}}
        runs = {"id": "runs", "block_id": AGENT, "input_default": {**target, **schemas}}
        graph = await server.new_graph({**asking(), "nodes": [runs]})
    shown = (await server.ask("GET", f"/api/graphs/{graph['id']}")).json()
    assert list(shown["credentials_input_schema"]["properties"]) == [GROUP]

    response = await start(server, graph, {"credentials_inputs": {GROUP: reference(made)}})

    assert response.status_code == 200, response.text
    [node] = [one["id"] for one in inner["nodes"] if one["block_id"] == SEND]
    [stored] = await server.storage.load_runs([ExecutionId(response.json()["id"])])
    assert stored.record.masks == {node: {"credentials": reference(made)}}


async def test_a_run_takes_credentials_from_the_node(server: RestServer) -> None:
    made = await new_credentials(server, "http")
    graph = await server.new_graph(asking(reference(made)))

    assert (await start(server, graph, {})).status_code == 200


async def test_without_them_it_does_not_begin(server: RestServer) -> None:
    graph = await server.new_graph(asking())

    assert problem(await start(server, graph, {})) == "These credentials are required"


async def test_credentials_of_somebody_else_are_unknown(server: RestServer) -> None:
    """In the node, in the request, and in a mask."""
    theirs = reference(await new_credentials(server, "http", user=BOB))
    graph = await server.new_graph(asking(theirs))
    bare = await server.new_graph(asking())
    [node] = [one["id"] for one in bare["nodes"] if one["block_id"] == SEND]

    for response in (
        await start(server, graph, {}),
        await start(server, bare, {"credentials_inputs": {GROUP: theirs}}),
        await start(server, bare, {"nodes_input_masks": {node: {"credentials": theirs}}}),
    ):
        assert response.status_code == 400, response.text
        if "node_errors" in response.json()["detail"]:
            assert problem(response) in (
                f"Unknown credentials #{theirs['id']}",
                "These credentials are required",
            )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"id": UNKNOWN}, f"Unknown credentials #{UNKNOWN}"),
        ({"provider": "github"}, "type/provider mismatch"),
        ({"type": "api_key"}, "type/provider mismatch"),
    ],
)
async def test_what_the_reference_says_must_be_so(
    server: RestServer, changes: Json, says: str
) -> None:
    made = await new_credentials(server, "http")
    graph = await server.new_graph(asking())
    wrong = reference(made, **changes)

    assert says in problem(await start(server, graph, {"credentials_inputs": {GROUP: wrong}}))


async def test_credentials_of_a_kind_that_the_node_does_not_take_are_refused(
    server: RestServer,
) -> None:
    made = await new_credentials(server, "openai")
    graph = await server.new_graph(asking())
    other = {"id": made["id"], "provider": "openai", "type": "api_key"}

    response = await start(server, graph, {"credentials_inputs": {GROUP: other}})

    assert "type/provider mismatch" in problem(response)


async def test_a_node_whose_credentials_are_optional_is_left_out(server: RestServer) -> None:
    graph = await server.new_graph(asking(credentials_optional=True))

    response = await start(server, graph, {})

    assert response.status_code == 200, response.text
    [(skipped,)] = await server.storage.database.read(
        lambda c: c.exec_driver_sql("SELECT skipped FROM executions").all()
    )
    [node] = [one["id"] for one in graph["nodes"] if one["block_id"] == SEND]
    assert node in skipped


async def test_a_schedule_and_a_preset_are_started_with_theirs(server: RestServer) -> None:
    made = await new_credentials(server, "http")
    graph = await server.new_graph(asking())
    given = {GROUP: reference(made)}
    path = f"/api/graphs/{graph['id']}/schedules"
    schedule = {"name": "s", "cron": "* * * * *", "inputs": {}, "credentials": given}

    scheduled = await server.ask("POST", path, schedule)
    wrong = {**schedule, "credentials": {GROUP: {**reference(made), "id": UNKNOWN}}}
    refused = await server.ask("POST", path, wrong)
    preset = await server.ask(
        "POST",
        "/api/library/presets",
        {
            "graph_id": graph["id"],
            "graph_version": 1,
            "inputs": {},
            "credentials": given,
            "name": "p",
            "description": "",
        },
    )
    run = await server.ask("POST", f"/api/library/presets/{preset.json()['id']}/execute", {})

    assert scheduled.status_code == 200, scheduled.text
    assert f"Unknown credentials #{UNKNOWN}" in refused.text
    assert run.json()["credential_inputs"] == given


async def test_a_deleted_credential_stops_the_next_run(server: RestServer) -> None:
    made = await new_credentials(server, "http")
    graph = await server.new_graph(asking(reference(made)))
    path = f"/api/integrations/http/credentials/{made['id']}"
    assert (await start(server, graph, {})).status_code == 200

    await server.ask("DELETE", path)

    assert problem(await start(server, graph, {})) == f"Unknown credentials #{made['id']}"


async def test_an_export_names_no_credentials(server: RestServer) -> None:
    made = await new_credentials(server, "http")
    graph = await server.new_graph(asking(reference(made)))

    exported = await server.ask("GET", f"/api/graphs/{graph['id']}?for_export=true")

    assert made["id"] not in exported.text


async def test_a_graph_without_credentials_asks_the_database_nothing_more(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = await server.new_graph()

    def of(*_: Any) -> Any:
        raise AssertionError("nobody needs credentials here")

    monkeypatch.setattr(server.context.executions._credentials, "of", of)

    assert (await server.new_run(graph))["status"] == "QUEUED"
