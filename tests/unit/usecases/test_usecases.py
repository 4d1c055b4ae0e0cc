"""The sample graphs are what the contract says, and can be run or at least planned."""

from backend.core.plan import GraphPlan
from backend.discovery import load_catalog
from backend.usecases import reddit_marketing, sample


def test_the_sample_graph_has_the_contracts_nodes_and_links() -> None:
    graph = sample.create_test_graph()

    plan = GraphPlan(graph, load_catalog())

    assert [node.block.name for node in plan.nodes] == [
        "AgentInputBlock",
        "AgentInputBlock",
        "FillTextTemplateBlock",
        "StoreValueBlock",
    ]
    assert [(link.source_name, link.sink_name, link.is_static) for link in graph.links] == [
        ("result", "values_#_a", True),
        ("result", "values_#_b", True),
        ("output", "input", False),
    ]


def test_the_sample_graph_starts_at_its_inputs() -> None:
    plan = GraphPlan(sample.create_test_graph(), load_catalog())

    started = plan.starting_nodes({"input_1": "Hello", "input_2": "World"}, {})

    assert [inputs["value"] for _, inputs in started] == ["Hello", "World"]


def test_the_template_of_the_sample_waits_for_both_inputs() -> None:
    plan = GraphPlan(sample.create_test_graph(), load_catalog())

    prepared = plan.nodes[2].prepare({"values_#_a": "Hello", "values_#_b": "World"}, None)

    assert isinstance(prepared, dict)
    assert prepared["values"] == {"c": "!!!", "a": "Hello", "b": "World"}


def test_a_graph_is_the_same_each_time_it_is_drawn() -> None:
    assert sample.create_test_graph() == sample.create_test_graph()


def test_the_reddit_graph_is_planned() -> None:
    catalog = load_catalog()

    plan = GraphPlan(reddit_marketing.create_test_graph(), catalog)

    reader = plan.nodes[0].block
    assert not reader.placeholder
    assert reader.name == "GetRedditPostsBlock"
    assert set(reader.credentials) == {"credentials"}
    assert plan.nodes[4].linked == ("post_id", "comment")
