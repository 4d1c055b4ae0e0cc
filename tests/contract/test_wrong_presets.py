"""Requests about presets and triggers that nobody can answer: the right 4xx, nothing written."""

from typing import Any

import pytest

from tests.contract.rest_server import BOB, RestServer
from tests.contract.triggered import (
    GITHUB_TRIGGER,
    PRESETS,
    full,
    new_preset,
    new_trigger,
    setup,
)

UNKNOWN = "00000000-0000-4000-8000-000000000000"
AIRTABLE_TRIGGER = "d0180ce6-ccb9-48c7-8256-b39e93e62801"
GRAPH = {"id": "{graph}", "version": 1}
SETUP = f"{PRESETS}/setup-trigger"
FROM_RUN = {"graph_execution_id": "{run}", "name": "n", "description": ""}
INGRESS = "/api/integrations/generic_webhook/webhooks"

#: What is wrong, method, path, body ({graph}, {run}, {preset} are there), status, what it says.
REQUESTS: list[tuple[str, str, str, Any, int, str]] = [
    ("a list without graph_id", "GET", PRESETS, None, 422, "graph_id"),
    ("page 0", "GET", f"{PRESETS}?graph_id=&page=0", None, 422, "greater than or equal"),
    ("page_size 0", "GET", f"{PRESETS}?graph_id=&page_size=0", None, 422, "greater than or equal"),
    ("page in words", "GET", f"{PRESETS}?graph_id=&page=one", None, 422, "valid integer"),
    ("no body", "POST", PRESETS, None, 422, "Field required"),
    ("a body that is a list", "POST", PRESETS, [], 422, "dictionary"),
    ("neither shape", "POST", PRESETS, {"name": "n", "description": ""}, 422, "graph_execution_id"),
    ("no name", "POST", PRESETS, full(GRAPH, name=""), 422, "at least 1 character"),
    ("a name with U+0000", "POST", PRESETS, full(GRAPH, name="a\x00"), 422, "U+0000"),
    ("a name of 10 kB", "POST", PRESETS, full(GRAPH, name="x" * 10_000), 422, "at most"),
    ("inputs that are a list", "POST", PRESETS, full(GRAPH, inputs=[]), 422, "dictionary"),
    ("version 0", "POST", PRESETS, full(GRAPH, graph_version=0), 422, "greater than or equal"),
    ("a version over 64 bits", "POST", PRESETS, full(GRAPH, graph_version=2**40), 422, "less than or equal"),
    ("credentials of no type", "POST", PRESETS, full(GRAPH, credentials={"a": {"id": "1"}}), 422, "credentials"),
    ("an input named like credentials", "POST", PRESETS, full(GRAPH, inputs={"my_credentials": "x"}), 400, "my_credentials"),
    ("an unknown graph", "POST", PRESETS, full({"id": UNKNOWN, "version": 1}), 404, "not found"),
    ("an unknown version", "POST", PRESETS, full(GRAPH, graph_version=9), 404, "not found"),
    ("an unknown webhook", "POST", PRESETS, full(GRAPH, webhook_id=UNKNOWN), 404, "not found"),
    ("an unknown run", "POST", PRESETS, {**FROM_RUN, "graph_execution_id": UNKNOWN}, 404, "not found"),
    ("an unknown preset", "GET", f"{PRESETS}/{UNKNOWN}", None, 404, "not found"),
    ("a preset's id with U+0000", "GET", f"{PRESETS}/a%00b", None, 404, "not found"),
    ("a preset's id of 10 kB", "GET", f"{PRESETS}/" + "x" * 10_000, None, 404, "not found"),
    ("a change of an unknown preset", "PATCH", f"{PRESETS}/{UNKNOWN}", {"name": "n"}, 404, "not found"),
    ("a change to no name", "PATCH", f"{PRESETS}/{{preset}}", {"name": ""}, 422, "at least 1 character"),
    ("a change in a list", "PATCH", f"{PRESETS}/{{preset}}", [], 422, "dictionary"),
    ("a change without a body", "PATCH", f"{PRESETS}/{{preset}}", None, 422, "Field required"),
    ("is_active in words", "PATCH", f"{PRESETS}/{{preset}}", {"is_active": "perhaps"}, 422, "boolean"),
    ("a change of inputs to credentials", "PATCH", f"{PRESETS}/{{preset}}", {"inputs": {"credentials": 1}}, 400, "credentials"),
    ("deleting an unknown preset", "DELETE", f"{PRESETS}/{UNKNOWN}", None, 404, "not found"),
    ("a run of an unknown preset", "POST", f"{PRESETS}/{UNKNOWN}/execute", {}, 404, "not found"),
    ("a run with inputs in a list", "POST", f"{PRESETS}/{{preset}}/execute", {"inputs": []}, 422, "dictionary"),
    ("a run body that is a list", "POST", f"{PRESETS}/{{preset}}/execute", [1], 422, "dictionary"),
    ("a graph's run with an unknown preset", "POST", f"/api/graphs/{{graph}}/execute/1?preset_id={UNKNOWN}", {}, 404, "not found"),
    ("a trigger without a body", "POST", SETUP, None, 422, "Field required"),
    ("a trigger without a configuration", "POST", SETUP, {"name": "n", "graph_id": "g", "graph_version": 1}, 422, "trigger_config"),
    ("a trigger of a graph without one", "POST", SETUP, setup(GRAPH), 400, "no node that a webhook starts"),
    ("a trigger of an unknown graph", "POST", SETUP, setup({"id": UNKNOWN, "version": 1}), 410, "not there"),
    ("a trigger of an unknown version", "POST", SETUP, setup(GRAPH, graph_version=7), 410, "not there"),
    ("a trigger that its provider registers", "POST", SETUP, setup({"id": "{github}", "version": 1}, trigger_config={"repo": "a/b", "events": {"opened": True}}), 503, "cannot set up webhooks"),
    ("a trigger that chooses no event", "POST", SETUP, setup({"id": "{airtable}", "version": 1}), 400, "Choose at least one event"),
    ("require_signature in words", "POST", SETUP, setup({"id": "{triggered}", "version": 1}, trigger_config={"require_signature": "yes"}), 400, "true or false"),
    ("a ping of an unknown webhook", "POST", f"/api/integrations/webhooks/{UNKNOWN}/ping", None, 404, "not found"),
    ("a delivery to an unknown webhook", "POST", f"{INGRESS}/{UNKNOWN}/ingress", {}, 404, "not found"),
    ("a delivery by GET", "GET", f"{INGRESS}/{UNKNOWN}/ingress", None, 405, "Method Not Allowed"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_a_wrong_request_is_refused_and_nothing_is_written(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    ids = await _ids(server, f"{path} {body}")
    before = await server.row_counts()

    response = await server.ask(method, _filled(path, ids), _filled(body, ids))

    assert response.status_code == status, response.text
    assert says in response.text
    assert await server.row_counts() == before


async def test_presets_and_webhooks_of_others_are_answered_like_what_is_not_there(
    server: RestServer,
) -> None:
    made = await new_trigger(server)
    [run] = [await server.new_run(await server.new_graph())]
    graph = {"id": made["graph_id"], "version": 1}
    mine = await server.new_graph(user=BOB)
    before = await server.row_counts()
    ids = {
        "{preset}": made["id"],
        "{webhook}": made["webhook"]["id"],
        "{run}": run["id"],
        "{graph}": graph["id"],
    }
    requests: list[tuple[str, str, Any]] = [
        ("GET", f"{PRESETS}/{{preset}}", None),
        ("PATCH", f"{PRESETS}/{{preset}}", {"inputs": {}}),
        ("DELETE", f"{PRESETS}/{{preset}}", None),
        ("POST", f"{PRESETS}/{{preset}}/execute", {}),
        ("GET", f"{PRESETS}?graph_id={{graph}}", None),
        ("POST", PRESETS, full(GRAPH)),
        ("POST", PRESETS, full(mine, webhook_id="{webhook}")),
        ("POST", PRESETS, FROM_RUN),
        ("POST", SETUP, setup(GRAPH)),
        ("POST", f"/api/graphs/{mine['id']}/execute/1?preset_id={{preset}}", {}),
        ("POST", "/api/integrations/webhooks/{webhook}/ping", None),
    ]

    for method, path, body in requests:
        nobodys = dict.fromkeys(ids, UNKNOWN)
        one = await server.ask(method, _filled(path, ids), _filled(body, ids), user=BOB)
        other = await server.ask(method, _filled(path, nobodys), _filled(body, nobodys), user=BOB)
        shown = one.text
        for id_ in ids.values():
            shown = shown.replace(id_, UNKNOWN)
        assert (one.status_code, shown) == (other.status_code, other.text), path

    assert await server.row_counts() == before
    assert (await server.ask("GET", f"{PRESETS}?graph_id=", user=BOB)).json()["presets"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{PRESETS}?graph_id="),
        ("POST", PRESETS),
        ("POST", SETUP),
        ("GET", f"{PRESETS}/x"),
        ("PATCH", f"{PRESETS}/x"),
        ("DELETE", f"{PRESETS}/x"),
        ("POST", f"{PRESETS}/x/execute"),
        ("POST", "/api/integrations/webhooks/x/ping"),
    ],
)
async def test_without_a_token_nothing_is_said(server: RestServer, method: str, path: str) -> None:
    response = await server.client.request(method, path, content=b"{")

    assert response.status_code == 401


async def _ids(server: RestServer, wanted: str) -> dict[str, str]:
    """Return the ids of what *wanted* names, by the words for them; only that is made."""
    made: dict[str, str] = {}
    await server.ask("POST", "/api/auth/user")
    if any(word in wanted for word in ("{graph}", "{run}", "{preset}")):
        graph = await server.new_graph()
        made["{graph}"] = graph["id"]
        made["{run}"] = (await server.new_run(graph))["id"]
        made["{preset}"] = (await new_preset(server, graph))["id"]
    if "{triggered}" in wanted:
        made["{triggered}"] = (await new_trigger(server))["graph_id"]
    for word, block_id in (("{github}", GITHUB_TRIGGER), ("{airtable}", AIRTABLE_TRIGGER)):
        if word in wanted:
            nodes = [{"id": "t", "block_id": block_id}]
            graph = {"name": word, "description": "", "nodes": nodes}
            made[word] = (await server.new_graph(graph))["id"]
    return made


def _filled(value: Any, ids: dict[str, str]) -> Any:
    """Return *value* with ids in place of the words for them."""
    if isinstance(value, dict):
        return {name: _filled(one, ids) for name, one in value.items()}
    if isinstance(value, str):
        for word, id_ in ids.items():
            value = value.replace(word, id_)
    return value
