"""Graphs that nobody can save or run: each is refused with a clear text, and nothing is written."""

from typing import Any

import pytest

from tests.contract.rest_server import (
    AGENT,
    CALCULATOR,
    INPUT,
    OUTPUT,
    PLACEHOLDER,
    STORE,
    RestServer,
    link,
    sample_graph,
)

Json = dict[str, Any]


def nodes(*extra: Json) -> list[Json]:
    """Return the sample's nodes and *extra*."""
    return [*sample_graph()["nodes"], *extra]


def links(*extra: Json) -> list[Json]:
    """Return the sample's links and *extra*."""
    return [*sample_graph()["links"], *extra]


def without(name: str) -> Json:
    """Return the sample without a field."""
    graph = sample_graph()
    del graph[name]
    return graph


def node(id_: str, block: str, **inputs: Any) -> Json:
    """Return a node as a client sends it."""
    return {"id": id_, "block_id": block, "input_default": inputs}


def runs_graph(id_: str, version: Any = 1) -> Json:
    """Return a node that runs another graph."""
    schema = {"type": "object", "properties": {}}
    return node(
        "agent",
        AGENT,
        graph_id=id_,
        graph_version=version,
        input_schema=schema,
        output_schema=schema,
    )


#: What is wrong, the graph, the status, and what its answer says.
UNSAVABLE: list[tuple[str, Any, int, str]] = [
    ("no name", without("name"), 422, "name"),
    ("no description", without("description"), 422, "description"),
    ("a name that is a number", sample_graph(name=7), 422, "valid string"),
    ("a name with U+0000", sample_graph(name="a\x00b"), 422, "U+0000"),
    ("a name of 2,000 characters", sample_graph(name="n" * 2_000), 422, "at most"),
    ("a name of 600 characters", sample_graph(name="n" * 600), 400, "name of over 500"),
    ("version 0", sample_graph(version=0), 422, "greater than or equal to 1"),
    ("a version that is a text", sample_graph(version="new"), 422, "valid integer"),
    ("a version over 64 bits", sample_graph(version=2**60), 422, "less than or equal"),
    ("nodes that are an object", sample_graph(nodes={}), 422, "valid list"),
    ("a node that is a text", sample_graph(nodes=["in"]), 422, "nodes"),
    ("a node without a block", sample_graph(nodes=[{"id": "a"}], links=[]), 422, "block_id"),
    ("a node's input that is a list", sample_graph(nodes=nodes({"id": "x", "block_id": STORE, "input_default": []})), 422, "input_default"),
    ("a node id of 10 kB", sample_graph(nodes=nodes(node("x" * 10_000, STORE))), 422, "at most"),
    ("a node id with U+0000", sample_graph(nodes=nodes(node("\x00", STORE))), 422, "U+0000"),
    ("a link without a sink", sample_graph(links=[{"source_id": "in", "source_name": "result", "sink_name": "input"}]), 422, "sink_id"),
    ("a link that is static in words", sample_graph(links=[{**link("in", "result", "store", "input"), "is_static": "perhaps"}]), 422, "boolean"),
    ("links that are null", sample_graph(links=None), 422, "links"),
    ("sub_graphs that are a text", sample_graph(sub_graphs="none"), 422, "sub_graphs"),
    ("a sub-graph without a name", sample_graph(sub_graphs=[{"description": ""}]), 422, "name"),
    ("metadata that is a text", sample_graph(nodes=nodes({"id": "x", "block_id": STORE, "metadata": "left"})), 422, "metadata"),
    ("two nodes of one id", sample_graph(nodes=nodes(node("in", STORE))), 400, "same id"),
    ("two sub-graphs of one id", sample_graph(sub_graphs=[sample_graph(id="s"), sample_graph(id="s")]), 400, "used 2 times"),
    ("an unknown block", sample_graph(nodes=nodes(node("x", "no-such-block"))), 400, "no-such-block"),
    ("a link from nowhere", sample_graph(links=links(link("ghost", "result", "store", "data"))), 400, "ghost is invalid node id"),
    ("a link to nowhere", sample_graph(links=links(link("in", "result", "ghost", "data"))), 400, "ghost is invalid node id"),
    ("a link from no pin", sample_graph(links=links(link("in", "nothing", "store", "data"))), 400, "`nothing` invalid"),
    ("a link to no pin", sample_graph(links=links(link("in", "result", "store", "nothing"))), 400, "`nothing` invalid"),
    ("a pin name of 600 characters", sample_graph(links=links(link("in", "result", "store", "p" * 600))), 400, "pin name of over 500"),
    ("an input without a name", sample_graph(nodes=nodes(node("x", INPUT))), 400, "This field is required"),
    ("an output without a name", sample_graph(nodes=nodes(node("x", OUTPUT))), 400, "This field is required"),
    ("an input of a reserved name", sample_graph(nodes=nodes(node("x", INPUT, name="my_credentials"))), 400, "reserved input name"),
    ("an agent node that names no graph", sample_graph(nodes=nodes(node("x", AGENT))), 400, "This field is required"),
    ("a graph that runs itself", sample_graph(id="me", nodes=nodes(runs_graph("me"))), 400, "must not contain itself"),
    ("graphs that run each other", sample_graph(id="a", nodes=nodes(runs_graph("b")), sub_graphs=[sample_graph(id="b", nodes=nodes(runs_graph("a")))]), 400, "must not contain itself"),
    ("1,001 nodes", sample_graph(nodes=[node(f"n{i}", STORE) for i in range(1_001)], links=[]), 400, "the limit is 1000"),
    ("101 sub-graphs", sample_graph(sub_graphs=[sample_graph(id=f"s{i}") for i in range(101)]), 400, "the limit is 100"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("graph", "status", "says"),
    [case[1:] for case in UNSAVABLE],
    ids=[case[0] for case in UNSAVABLE],
)
async def test_a_wrong_graph_is_refused_and_nothing_is_written(
    server: RestServer, graph: Any, status: int, says: str
) -> None:
    await server.ask("POST", "/api/auth/user")
    before = await server.row_counts()

    response = await server.ask("POST", "/api/graphs", {"graph": graph})

    assert response.status_code == status, response.text
    assert says in response.text
    assert await server.row_counts() == before


async def test_a_wrong_new_version_is_refused_and_nothing_is_written(server: RestServer) -> None:
    saved = await server.new_graph()
    before = await server.row_counts()
    wrong = {**saved, "nodes": [*saved["nodes"], node("x", INPUT)]}

    response = await server.ask("PUT", f"/api/graphs/{saved['id']}", wrong)

    assert response.status_code == 400
    assert response.json()["detail"]["node_errors"] == {"x": {"name": "This field is required"}}
    assert await server.row_counts() == before


#: What is wrong, the graph (which can be saved), and what starting a run of it answers.
NOT_RUNNABLE: list[tuple[str, Json, str]] = [
    ("no nodes", sample_graph(nodes=[], links=[]), "No starting nodes"),
    ("a required pin that nothing fills", sample_graph(nodes=nodes(node("x", CALCULATOR, a=1, b=2))), "This field is required"),
    ("a value of no use", sample_graph(nodes=nodes(node("x", CALCULATOR, a=1, b=2, operation="Guess"))), "is not one of"),
    ("a block that is not built", sample_graph(nodes=nodes(node("x", PLACEHOLDER, name="table"))), "not built into this server yet"),
    ("only a circle", sample_graph(nodes=[node("a", STORE), node("b", STORE)], links=[link("a", "output", "b", "input"), link("b", "output", "a", "input")]), "No starting nodes"),
    ("an input that waits for a link", sample_graph(links=links(link("store", "output", "in", "title"))), "unpopulated links"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("graph", "says"), [case[1:] for case in NOT_RUNNABLE], ids=[case[0] for case in NOT_RUNNABLE]
)
async def test_a_graph_that_cannot_run_says_why_and_no_run_is_written(
    server: RestServer, graph: Json, says: str
) -> None:
    saved = await server.new_graph(graph)
    before = await server.row_counts()

    response = await server.ask(
        "POST", f"/api/graphs/{saved['id']}/execute/1", {"inputs": {"text": "hello"}}
    )

    assert response.status_code == 400, response.text
    assert says in response.text
    assert await server.row_counts() == before


async def test_problems_are_named_by_node_and_field(server: RestServer) -> None:
    saved = await server.new_graph(
        sample_graph(nodes=nodes(node("x", CALCULATOR, a=1), node("y", CALCULATOR, b=1)))
    )
    ids = [one["id"] for one in saved["nodes"][-2:]]

    response = await server.ask("POST", f"/api/graphs/{saved['id']}/execute/1")

    detail = response.json()["detail"]
    assert detail["type"] == "validation_error"
    assert detail["message"] == "Graph validation failed: 4 issues on 2 nodes"
    assert list(detail["node_errors"]) == ids
    assert detail["node_errors"][ids[0]].keys() == {"operation", "b"}
