"""Presets: what is kept of them, and the runs that they start."""

from typing import Any

import pytest

from backend.core.status import Status
from tests.contract.rest_server import BOB, Json, RestServer
from tests.contract.triggered import (
    PRESETS,
    deliver,
    full,
    new_preset,
    new_trigger,
    runs,
    setup,
    triggered_graph,
)

KEY = {"id": "k", "provider": "openai", "type": "api_key"}


async def test_what_a_run_names_stands_before_what_its_preset_has_key_by_key(
    server: RestServer,
) -> None:
    graph = await server.new_graph()
    made = await new_preset(server, graph, inputs={"text": "kept", "more": 1})
    path = f"{PRESETS}/{made['id']}/execute"

    plain = (await server.ask("POST", path)).json()
    overlaid = (await server.ask("POST", path, {"inputs": {"text": "given"}})).json()

    assert plain["inputs"] == {"text": "kept", "more": 1}
    assert overlaid["inputs"] == {"text": "given", "more": 1}
    assert {run["preset_id"] for run in await runs(server)} == {made["id"]}


async def test_a_run_that_names_a_preset_takes_its_version_and_inputs(server: RestServer) -> None:
    graph = await server.new_graph()
    made = await new_preset(server, graph)
    await server.ask("PUT", f"/api/graphs/{graph['id']}", graph)
    path = f"/api/graphs/{graph['id']}/execute/2?preset_id={made['id']}"

    response = await server.ask("POST", path, {"inputs": {"other": 1}})

    run = response.json()
    assert (run["graph_version"], run["preset_id"]) == (1, made["id"])
    assert run["inputs"] == {"text": "kept", "other": 1}
    details = await server.ask("GET", f"/api/graphs/{graph['id']}/executions/{run['id']}")
    assert details.json()["preset_id"] == made["id"]


async def test_a_run_does_not_take_the_preset_of_another_graph(server: RestServer) -> None:
    graph, other = await server.new_graph(), await server.new_graph()
    made = await new_preset(server, graph)

    response = await server.ask(
        "POST", f"/api/graphs/{other['id']}/execute/1?preset_id={made['id']}", {}
    )

    assert response.status_code == 400
    assert "another graph" in response.json()["detail"]
    assert await runs(server) == []


async def test_a_start_of_a_preset_that_is_sent_again_answers_its_first_run(
    server: RestServer,
) -> None:
    graph = await server.new_graph()
    made = await new_preset(server, graph)
    of_graph = f"/api/graphs/{graph['id']}/execute/1?preset_id={made['id']}"

    answers = [
        await server.ask("POST", path, {}, headers={"Idempotency-Key": "one"})
        for path in (f"{PRESETS}/{made['id']}/execute", of_graph)
    ]

    assert [answered.json()["preset_id"] for answered in answers] == [made["id"]] * 2
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert len(await runs(server)) == 1


async def test_a_preset_made_from_a_run_starts_the_same_run_again(server: RestServer) -> None:
    graph = await server.new_graph()
    run = await server.new_run(graph, {"text": "first"})
    await server.end_run(run["id"], Status.COMPLETED)
    body = {"graph_execution_id": run["id"], "name": "Again", "description": "", "is_active": False}

    made = (await server.ask("POST", PRESETS, body)).json()
    again = (await server.ask("POST", f"{PRESETS}/{made['id']}/execute")).json()

    assert (made["is_active"], made["credentials"]) == (False, {})
    assert {**again, "id": 0, "preset_id": None} == {**run, "id": 0}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"inputs": {"text": "new"}}, {"inputs": {"text": "new"}}),
        ({"inputs": {}}, {"inputs": {}}),
        ({"credentials": {}}, {"credentials": {}}),
        ({"inputs": {}, "credentials": {}}, {"inputs": {}, "credentials": {}}),
        ({"name": "New"}, {"name": "New"}),
        ({"description": ""}, {"description": ""}),
        ({"is_active": False}, {"is_active": False}),
        ({"name": None, "inputs": None}, {}),
        (
            {"inputs": {"text": "x", "z_credentials": KEY}},
            {"inputs": {"text": "x"}, "credentials": {"a_credentials": KEY, "z_credentials": KEY}},
        ),
    ],
)
async def test_each_part_of_a_preset_can_be_changed_alone(
    server: RestServer, sent: Json, kept: Json
) -> None:
    graph = await server.new_graph()
    made = await new_preset(server, graph, description="Old", credentials={"a_credentials": KEY})
    server.clock.pass_time(seconds=1)

    changed = await server.ask("PATCH", f"{PRESETS}/{made['id']}", sent)

    assert changed.status_code == 200, changed.text
    wanted = {**made, **kept, "updated_at": changed.json()["updated_at"]}
    assert changed.json() == wanted
    assert changed.json()["updated_at"] > made["updated_at"]
    assert (await server.ask("GET", f"{PRESETS}/{made['id']}")).json() == wanted


async def test_inputs_that_are_named_like_credentials_are_kept_as_those(
    server: RestServer,
) -> None:
    graph = await server.new_graph()

    made = await new_preset(server, graph, inputs={"text": "x", "openai_credentials": KEY})

    assert made["inputs"] == {"text": "x"}
    assert made["credentials"] == {"openai_credentials": KEY}


async def test_a_list_tells_the_last_changed_first_a_page_at_a_time(server: RestServer) -> None:
    first, second = await server.new_graph(), await server.new_graph()
    made = []
    for number, graph in enumerate((first, second, second)):
        made.append(await new_preset(server, graph, name=str(number)))
        server.clock.pass_time(seconds=1)
    await server.ask("PATCH", f"{PRESETS}/{made[0]['id']}", {"name": "changed"})

    async def names(query: str) -> tuple[list[str], Any]:
        found = (await server.ask("GET", f"{PRESETS}?{query}")).json()
        return [one["name"] for one in found["presets"]], found["pagination"]

    assert (await names("graph_id="))[0] == ["changed", "2", "1"]
    assert (await names(f"graph_id={second['id']}"))[0] == ["2", "1"]
    listed, pages = await names("graph_id=&page=2&page_size=2")
    assert (listed, pages["total_items"], pages["total_pages"]) == (["1"], 3, 2)
    assert (await names("graph_id=&page_size=100000"))[1]["page_size"] == 100
    assert (await names("graph_id=&page=99999999999"))[0] == []


async def test_the_webhook_of_a_preset_is_of_the_same_user_and_kind(server: RestServer) -> None:
    made = await new_trigger(server)
    graph = {"id": made["graph_id"], "version": made["graph_version"]}
    plain = await server.new_graph()

    second = await new_preset(server, graph, webhook_id=made["webhook_id"])
    refused = await server.ask("POST", PRESETS, full(plain, webhook_id=made["webhook_id"]))

    assert second["webhook"] == made["webhook"]
    assert (refused.status_code, refused.json()["detail"]) == (
        400,
        f"Graph #{plain['id']} has no node that a webhook starts.",
    )


async def test_a_foreign_webhook_is_neither_shown_nor_taken(server: RestServer) -> None:
    """A preset that named one got its secret, and its deliveries as its owner (flaw 3)."""
    anns = await new_trigger(server)
    bobs = await server.new_graph(triggered_graph(), user=BOB)
    before = await server.row_counts()

    refused = await server.ask("POST", PRESETS, full(bobs, webhook_id=anns["webhook_id"]), user=BOB)
    unknown = await server.ask("POST", PRESETS, full(bobs, webhook_id="nobodys"), user=BOB)

    assert (refused.status_code, unknown.status_code) == (404, 404)
    assert refused.text.replace(anns["webhook_id"], "nobodys") == unknown.text
    assert await server.row_counts() == before
    await deliver(server, anns["webhook"]["url"], {})
    assert len(await runs(server)) == 1
    assert await runs(server, user=BOB) == []


async def test_new_inputs_give_a_preset_of_a_triggered_graph_its_webhook_once(
    server: RestServer,
) -> None:
    graph = await server.new_graph(triggered_graph())
    made = await new_preset(server, graph, inputs={})
    assert made["webhook"] is None
    path = f"{PRESETS}/{made['id']}"

    first = (await server.ask("PATCH", path, {"inputs": {"constants": {"a": 1}}})).json()
    config = {"constants": {"a": 2}, "require_signature": True}
    second = (await server.ask("PATCH", path, {"inputs": config})).json()
    third = (await server.ask("PATCH", path, {"inputs": {}})).json()

    assert first["webhook"]["config"] == {}
    assert second["webhook"] == {**first["webhook"], "config": {"require_signature": True}}
    assert second["inputs"] == {"constants": {"a": 2}}
    assert third["webhook"] == second["webhook"]


async def test_a_preset_outlives_its_graph_without_its_webhook(server: RestServer) -> None:
    made = await new_trigger(server)
    await server.ask("DELETE", f"/api/graphs/{made['graph_id']}")
    path = f"{PRESETS}/{made['id']}"

    left = (await server.ask("GET", path)).json()
    renamed = await server.ask("PATCH", path, {"name": "Old"})
    changed = await server.ask("PATCH", path, {"inputs": {"constants": {}}})
    run = await server.ask("POST", f"{path}/execute")
    delivered = await deliver(server, made["webhook"]["url"], {})

    assert (left["is_active"], left["webhook"], left["inputs"]) == (False, None, made["inputs"])
    assert (renamed.status_code, changed.status_code) == (200, 410)
    assert (run.status_code, delivered.status_code) == (400, 404)


async def test_a_deleted_preset_is_gone_with_its_webhook_and_its_runs_stay(
    server: RestServer,
) -> None:
    made = await new_trigger(server)
    await deliver(server, made["webhook"]["url"], {})

    gone = await server.ask("DELETE", f"{PRESETS}/{made['id']}")

    assert (gone.status_code, gone.content) == (204, b"")
    for method, path in (("GET", ""), ("DELETE", ""), ("PATCH", ""), ("POST", "/execute")):
        body: Json | None = {} if method == "PATCH" else None
        again = await server.ask(method, f"{PRESETS}/{made['id']}{path}", body)
        assert again.status_code == 404
    assert (await deliver(server, made["webhook"]["url"], {})).status_code == 404
    [run] = await runs(server)
    assert run["preset_id"] == made["id"]


async def test_a_trigger_is_set_up_with_an_address_and_a_secret_of_its_own(
    server: RestServer,
) -> None:
    graph = await server.new_graph(triggered_graph())

    one, other = [
        (await server.ask("POST", f"{PRESETS}/setup-trigger", setup(graph))).json()
        for _ in range(2)
    ]

    webhook = one["webhook"]
    assert one["is_active"]
    assert one["webhook_id"] == webhook["id"]
    assert one["inputs"] == {"constants": {"shop": "Oslo"}}
    assert webhook["url"] == (
        f"http://server/api/integrations/generic_webhook/webhooks/{webhook['id']}/ingress"
    )
    assert len(bytes.fromhex(webhook["secret"])) == 32
    assert (webhook["provider"], webhook["webhook_type"]) == ("generic_webhook", "plain")
    assert (webhook["credentials_id"], webhook["resource"], webhook["events"]) == ("", "", [])
    assert other["webhook"]["id"] != webhook["id"]
    assert other["webhook"]["secret"] != webhook["secret"]


async def test_a_graph_shows_no_webhook_and_no_secret(server: RestServer) -> None:
    made = await new_trigger(server)

    for query in ("", "?for_export=true"):
        shown = await server.ask("GET", f"/api/graphs/{made['graph_id']}{query}")
        assert shown.json()["trigger_setup_info"]["provider"] == "generic_webhook"
        assert shown.json()["has_external_trigger"]
        assert made["webhook"]["secret"] not in shown.text
        assert made["webhook"]["id"] not in shown.text
