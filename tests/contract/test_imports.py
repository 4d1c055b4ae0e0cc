"""New graphs are taken as people have them: old ones are mended and told by node, texts are read."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Engine, event

from tests.contract.rest_server import STORE, RestServer, sample_graph

PLACE: Final = Path(__file__).parents[2].parent / "shared" / "agents"
#: Files that nobody could repair for certain, and why.
REFUSED: Final = {
    "fixture/test_smart_decision_maker-test_graph_validation_with_tool_no.json": "`input_1` invalid",
    "fork/job-hunt-automation.json": "a1b2c3d4-5678-90ab-cdef-1234567890ab",
}
COMBINE: Final = "e30a4d42-7b7d-4e6a-b36e-1f9b8e3b7d85"
#: What StepThroughItemsBlock was called once.
OLD_STEP: Final = "f8e7d6c5-b4a3-2c1d-0e9f-8g7h6i5j4k3l"


def old_graph() -> dict[str, Any]:
    return {
        "name": "old",
        "description": "",
        "nodes": [
            {"id": "c", "block_id": COMBINE, "input_default": {"input1": "a", "input2": "b"}},
            {"id": "s", "block_id": OLD_STEP, "input_default": {}},
        ],
        "links": [],
    }


async def created(server: RestServer, graph: Any, status: int = 200) -> Any:
    response = await server.ask("POST", "/api/graphs", {"graph": graph})
    assert response.status_code == status, response.text
    return response.json()


async def test_a_graph_of_today_has_no_report(server: RestServer) -> None:
    assert (await created(server, sample_graph()))["import_report"] is None


async def test_what_was_mended_is_told_by_the_ids_that_the_nodes_have_now(
    server: RestServer,
) -> None:
    saved = await created(server, old_graph())

    combine, step = saved["nodes"]
    report = saved["import_report"]["nodes"]
    assert combine["input_default"] == {"input_$_0": "a", "input_$_1": "b"}
    assert {key: [one["kind"] for one in found] for key, found in report.items()} == {
        combine["id"]: ["pin", "pin"],
        step["id"]: ["block"],
    }
    again = await server.ask("GET", f"/api/graphs/{saved['id']}")
    assert "import_report" not in again.json()


async def test_a_graph_may_be_a_text_in_all_forms_of_files(server: RestServer) -> None:
    lean = {"nodes": old_graph()["nodes"], "subgraphs": []}  # no name, id, version, description

    texts = [json.dumps(lean), json.dumps({"graph": lean}), json.dumps(json.dumps(lean))]

    for text in texts:
        saved = await created(server, text)
        assert saved["name"] == "Imported agent"
        assert saved["import_report"] is not None


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", '"x"', "{}", '{"nodes": 1}', '{"nodes": [1]}', "[" * 1000]
)
async def test_a_text_that_holds_no_graph_is_refused(server: RestServer, text: str) -> None:
    await created(server, text, 400)


async def test_what_cannot_be_mended_is_refused_and_nothing_is_saved(server: RestServer) -> None:
    graph = old_graph()
    graph["nodes"].append({"id": "x", "block_id": "nobody-knows-it"})

    refused = await created(server, graph, 400)

    assert "nobody-knows-it" in json.dumps(refused)
    assert (await server.ask("GET", "/api/graphs")).json() == []


async def test_a_block_of_another_release_has_the_pins_that_links_name(
    server: RestServer,
) -> None:
    graph = old_graph()
    wait = {"id": "w", "block_id": "d67a9c52-5e4e-11e2-bcfd-0770200c9c61", "input_default": {}}
    graph["nodes"].append(wait)
    ends = {"source_id": "c", "sink_id": "w", "source_name": "output", "sink_name": "data"}
    graph["links"] = [{"id": "l", **ends}]

    saved = await created(server, graph)
    response = await server.ask("POST", f"/api/graphs/{saved['id']}/execute/1", {"inputs": {}})

    assert response.status_code == 400
    assert "Block WaitBlock is of another release" in response.text


@pytest.mark.parametrize("is_below", [False, True])
@pytest.mark.parametrize("names_some", [False, True])
async def test_credentials_are_read_if_a_node_names_some_and_only_then(
    server: RestServer, *, names_some: bool, is_below: bool
) -> None:
    named = {"id": "mine", "provider": "http", "type": "host_scoped"}
    values = {"input": named if names_some else {"provider": "http", "title": "id"}}
    graph = sample_graph(nodes=[{"id": "n", "block_id": STORE, "input_default": values}], links=[])
    if is_below:
        graph = sample_graph(sub_graphs=[{**graph, "id": "below", "version": 1}])
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        await created(server, graph)
    finally:
        event.remove(Engine, "before_cursor_execute", note)

    assert any("FROM graphs" in one or "INTO graphs" in one for one in statements)
    assert any("FROM credentials" in one for one in statements) is names_some


async def test_a_change_is_taken_as_it_is(server: RestServer) -> None:
    saved = await created(server, sample_graph())
    body = {**old_graph(), "id": saved["id"]}

    response = await server.ask("PUT", f"/api/graphs/{saved['id']}", body)

    # A builder means what it says: pins that a block does not have are kept as they are.
    assert response.status_code == 200
    combine = response.json()["nodes"][0]
    assert combine["input_default"] == {"input1": "a", "input2": "b"}
    assert "import_report" not in response.json()


async def test_files_of_other_people_are_taken_and_the_rest_say_why_not(
    server: RestServer,
) -> None:
    if not PLACE.exists():
        pytest.skip("the agents of other people are not here")
    refused: dict[str, str] = {}
    files = sorted(PLACE.glob("*/*.json"))

    for path in files:
        graph = path.read_text(encoding="utf-8")
        response = await server.ask("POST", "/api/graphs", {"graph": graph})
        if response.status_code != 200:
            assert response.status_code == 400
            refused[f"{path.parent.name}/{path.name}"] = response.text

    assert refused.keys() == REFUSED.keys()
    assert all(REFUSED[name] in text for name, text in refused.items())
    assert len(files) - len(refused) >= 84
