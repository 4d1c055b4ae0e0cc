"""Agent files as people have them."""

import json
from itertools import count
from typing import Any

import pytest

from backend.core.errors import BadRequest, GraphInvalid
from backend.core.graph import Graph
from backend.services.portable import file_ids, read_graph, to_file
from backend.usecases.sample import create_test_graph

STORE = "1ff065e9-88e8-4358-9d82-8dc91f622ba9"
LINK = {"source_id": "a", "source_name": "output", "sink_id": "b", "sink_name": "input"}


def node(node_id: str, **more: Any) -> dict[str, Any]:
    return {"id": node_id, "block_id": STORE, **more}


def read(file: Any) -> Graph:
    numbers = count(1)
    return read_graph(json.dumps(file), name="a file", fresh=lambda: f"fresh {next(numbers)}")


def test_what_is_written_reads_back_as_it_was() -> None:
    graph = create_test_graph()

    assert read(to_file(graph)) == graph


@pytest.mark.parametrize("wrap", [lambda g: {"graph": g}, json.dumps, lambda g: g])
def test_a_graph_may_be_wrapped_or_exported_twice(wrap: Any) -> None:
    file = {"id": "g", "name": "it", "nodes": [node("a")]}

    assert read(wrap(file)).name == "it"


def test_what_says_nothing_may_be_missing() -> None:
    graph = read({"nodes": [{"block_id": STORE}]})

    assert (graph.id, graph.version, graph.is_active) == ("fresh 1", 1, True)
    assert (graph.name, graph.description) == ("a file", "")
    assert graph.nodes[0].id == "fresh 2"


def test_links_that_stand_only_at_the_nodes_are_found_once() -> None:
    graph = read(
        {"nodes": [node("a", output_links=[LINK]), node("b", input_links=[{**LINK, "id": "l"}])]}
    )

    assert [(link.source_id, link.sink_id) for link in graph.links] == [("a", "b")]


def test_links_of_the_graph_stand_before_those_at_the_nodes() -> None:
    other = {**LINK, "source_name": "error"}

    graph = read({"nodes": [node("a", output_links=[other]), node("b")], "links": [LINK]})

    assert [link.source_name for link in graph.links] == ["output"]


def test_sub_graphs_may_have_their_old_name() -> None:
    graph = read({"nodes": [], "subgraphs": [{"id": "s", "nodes": [node("a")]}]})

    assert [sub.id for sub in graph.sub_graphs] == ["s"]


def test_all_problems_are_told_at_once_by_node() -> None:
    file = {
        "nodes": [{"id": "a"}, node("b", input_default=[1])],
        "links": [{**LINK, "source_id": ""}],
    }

    with pytest.raises(GraphInvalid) as caught:
        read(file)

    assert {key: set(found) for key, found in caught.value.problems.items()} == {
        "a": {"block_id"},
        "b": {"input_default", "input"},
    }


@pytest.mark.parametrize("file", [[], 1, None, {}, {"nodes": 3}, "not JSON", {"graph": {}}])
def test_what_holds_no_graph_is_refused(file: Any) -> None:
    with pytest.raises(BadRequest):
        read(file)


@pytest.mark.parametrize("nodes", [["a"], [None], [[]]])
def test_a_node_that_is_no_object_is_refused(nodes: Any) -> None:
    with pytest.raises(GraphInvalid, match="node 1 is no object"):
        read({"nodes": nodes})


def test_ids_of_a_saved_graph_lead_back_to_the_file() -> None:
    sent = read({"nodes": [node("a"), node("b")]})
    saved = read({"nodes": [node("x"), node("y")]})

    assert file_ids(sent, saved) == {"x": "a", "y": "b"}
