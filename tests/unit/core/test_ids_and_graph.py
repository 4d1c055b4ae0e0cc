"""Ids that are derived, and graphs that get new ones."""

import itertools
import uuid

import pytest
from core_samples import agent_node, graph, node

from backend.core.graph import all_graphs, sub_graph_of, with_new_ids
from backend.core.ids import GraphId, IdSeries, UserId, derived_id


def test_a_derived_id_is_a_uuid_and_always_the_same() -> None:
    made = derived_id("run", 5)

    parsed = uuid.UUID(made)
    assert str(parsed) == made
    assert parsed.version == 8
    assert parsed.variant == uuid.RFC_4122
    assert made == derived_id("run", 5) == derived_id("run", "5")


def test_different_parts_give_different_ids() -> None:
    ids = [derived_id(*parts) for parts in (("a", 1), ("a", 2), ("b", 1), ("a1",), ("a", "1", ""))]

    assert len(set(ids)) == 5


def test_a_series_gives_each_number_a_uuid_of_its_own_and_always_the_same() -> None:
    ids = [IdSeries("run")[number] for number in range(10_000)]

    assert ids == [IdSeries("run")[number] for number in range(10_000)]
    assert len({*ids, *(IdSeries("other")[number] for number in range(10_000))}) == 20_000
    for made in ids[:100]:
        parsed = uuid.UUID(made)
        assert (str(parsed), parsed.version, parsed.variant) == (made, 8, uuid.RFC_4122)


def test_new_ids_are_new_everywhere_and_links_and_agents_follow() -> None:
    sub = graph(node("x", "StoreValue"), "x.output>x.data", id=GraphId("sub"))
    numbers = itertools.count()
    old = graph(
        agent_node("g", "sub"),
        agent_node("h", "elsewhere"),
        node("s", "Print"),
        "g.sum>s.text",
        sub,
    )

    new = with_new_ids(old, owner=UserId("me"), fresh=lambda: f"new-{next(numbers)}")

    ids: list[str] = []
    for one in all_graphs(new):
        ids += [one.id, *(each.id for each in one.nodes), *(each.id for each in one.links)]
    assert all(id_.startswith("new-") for id_ in ids)
    assert len(set(ids)) == len(ids)
    [g, h, s] = new.nodes
    assert (new.links[0].source_id, new.links[0].sink_id) == (g.id, s.id)
    assert sub_graph_of(g) == (new.sub_graphs[0].id, 1)
    assert sub_graph_of(h) == ("elsewhere", 1)
    assert {g.input_default["user_id"], new.user_id, new.sub_graphs[0].user_id} == {"me"}
    assert old.nodes[0].input_default["user_id"] == "somebody"


def test_a_graph_may_keep_its_own_id() -> None:
    numbers = itertools.count()

    new = with_new_ids(
        graph(node("s", "Print"), graph(id=GraphId("sub"))),
        owner=UserId("me"),
        fresh=lambda: f"new-{next(numbers)}",
        keep_graph_id=True,
    )

    assert new.id == "graph"
    assert new.sub_graphs[0].id != "sub"


@pytest.mark.parametrize(
    ("graph_id", "version"), [(None, 1), ("", 1), ("sub", None), ("sub", "1"), (5, 1)]
)
def test_a_node_without_a_graph_and_version_runs_none(graph_id: object, version: object) -> None:
    agent = agent_node("g", "sub")
    agent.input_default.update(graph_id=graph_id, graph_version=version)

    assert sub_graph_of(agent) is None
    assert sub_graph_of(node("s", "StoreValue", {"graph_id": "x", "graph_version": 1})) is None
