"""The graph routes without ``/api``: the same, and bodies as older command lines send them."""

from tests.contract.rest_server import RestServer, sample_graph


async def test_a_bare_graph_is_saved(server: RestServer) -> None:
    response = await server.ask("POST", "/graphs", sample_graph())

    assert response.status_code == 200
    assert response.json()["name"] == "Sample"


async def test_a_wrapped_graph_is_saved_too(server: RestServer) -> None:
    response = await server.ask("POST", "/graphs", {"graph": sample_graph()})

    assert response.status_code == 200


async def test_bare_inputs_start_a_run(server: RestServer) -> None:
    graph = await server.new_graph()

    for path in (f"/graphs/{graph['id']}/execute", f"/graphs/{graph['id']}/execute/1"):
        response = await server.ask("POST", path, {"text": "hello"})

        assert response.status_code == 200
        assert response.json()["inputs"] == {"text": "hello"}


async def test_wrapped_inputs_start_a_run_too(server: RestServer) -> None:
    graph = await server.new_graph()

    response = await server.ask(
        "POST", f"/graphs/{graph['id']}/execute", {"inputs": {"text": "hello"}}
    )

    assert response.json()["inputs"] == {"text": "hello"}


async def test_under_api_bare_inputs_are_no_inputs(server: RestServer) -> None:
    graph = await server.new_graph()

    response = await server.ask("POST", f"/api/graphs/{graph['id']}/execute", {"text": "hello"})

    assert response.json()["inputs"] == {}


async def test_a_plain_schedule_is_made(server: RestServer) -> None:
    graph = await server.new_graph()
    body = {"graph_id": graph["id"], "cron": "*/5 * * * *", "input_data": {"text": "hello"}}

    response = await server.ask("POST", f"/graphs/{graph['id']}/schedules", body)

    assert response.status_code == 200
    assert response.json()["input_data"] == {"text": "hello"}
    assert response.json()["name"] == "Sample"
    assert response.json()["next_run_time"] == "2026-01-01T00:05:00+00:00"


async def test_they_need_a_token_as_well(server: RestServer) -> None:
    response = await server.client.get("/graphs")

    assert response.status_code == 401


async def test_they_are_not_documented(server: RestServer) -> None:
    response = await server.client.get("/openapi.json")

    assert [path for path in response.json()["paths"] if path.startswith("/graphs")] == []


async def test_a_body_that_does_not_say_that_it_is_json_is_read_as_json(
    server: RestServer,
) -> None:
    graph = await server.new_graph()

    response = await server.ask(
        "POST", f"/graphs/{graph['id']}/execute", content=b'{"text": "hello"}'
    )

    assert response.json()["inputs"] == {"text": "hello"}


async def test_no_body_starts_a_run_without_inputs(server: RestServer) -> None:
    graph = await server.new_graph()

    response = await server.ask("POST", f"/graphs/{graph['id']}/execute")

    assert response.status_code == 200
    assert response.json()["inputs"] == {}
