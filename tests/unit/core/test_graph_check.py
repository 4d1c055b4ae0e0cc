"""Every problem of a graph is found, at once, and said by node and field."""

from typing import Any

import pytest
from core_samples import CATALOG, agent_node, graph, link, node

from backend.core.errors import GraphInvalid
from backend.core.graph import Graph, Link, Node
from backend.core.graph_check import (
    MAX_LINKS,
    MAX_NODES,
    GraphReport,
    check_graph,
    normalise_links,
    require_valid,
)
from backend.core.ids import GraphId

KEY = {"id": "k", "provider": "openweathermap", "type": "api_key"}


def saved(*parts: Node | Link | str | Graph) -> GraphReport:
    return check_graph(graph(*parts), CATALOG, for_run=False)


def to_run(*parts: Node | Link | str | Graph, masks: dict[str, Any] | None = None) -> GraphReport:
    return check_graph(graph(*parts), CATALOG, for_run=True, masks=masks)


def test_a_good_graph_has_no_problems() -> None:
    parts = (
        node("i", "AgentInput", {"name": "x"}),
        node("t", "FillTextTemplate", {"format": "{{a}}", "values_#_b": 1}),
        node("s", "StoreValue"),
        "i.result>t.values_#_a",
        "t.output>s.input",
    )

    assert saved(*parts).is_valid
    assert to_run(*parts).is_valid


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (
            "s.output>ghost.input",
            (
                "Link (s, 'output') <-> (ghost, 'input'), ghost is invalid node id, "
                "available nodes: s, t"
            ),
        ),
        (
            "ghost.x>t.input",
            "Link (ghost, 'x') <-> (t, 'input'), ghost is invalid node id, available nodes: s, t",
        ),
        (
            "s.outptu>t.input",
            "Link (s, 'outptu') <-> (t, 'input'), `outptu` invalid, Allowed fields: error, output",
        ),
        (
            "s.output>t.inputt_#_k",
            (
                "Link (s, 'output') <-> (t, 'inputt_#_k'), `inputt_#_k` invalid, "
                "Allowed fields: data, input"
            ),
        ),
    ],
)
def test_a_link_to_nowhere_says_what_there_is(broken: str, text: str) -> None:
    report = saved(node("s", "StoreValue"), node("t", "StoreValue"), broken)

    assert report.structure == (text,)


def test_tool_pins_and_dynamic_pins_may_be_linked() -> None:
    report = saved(
        node("s", "StoreValue"),
        node("t", "StoreValue"),
        "s.tools>t.input",
        "s.tools_^_t_~_input>t.input",
        "s.output_#_k_$_0>t.input_@_x",
    )

    assert report.is_valid


def test_an_agent_node_has_the_pins_of_its_sub_graph() -> None:
    report = saved(
        agent_node("g", "sub"),
        node("s", "StoreValue"),
        "g.sum>s.input",
        "s.output>g.a",
        "g.error>s.input",
        "s.output>g.inputs",
    )

    assert [text.split(", `")[1] for text in report.structure] == [
        "error` invalid, Allowed fields: sum",
        "inputs` invalid, Allowed fields: a, b",
    ]


def test_an_unknown_block_is_named_with_and_without_links() -> None:
    report = saved(node("x", "gone"), node("s", "StoreValue"), "x.a>s.input")

    assert report.structure[0].startswith(
        "Link (x, 'a') <-> (s, 'input'), gone is invalid block id, available blocks: {"
    )
    assert report.structure[1] == "Invalid block gone for node #x"


def test_all_problems_are_reported_at_once() -> None:
    broken = graph(
        node("a", "AgentInput"),
        node("b", "AgentOutput"),
        node("c", "Calculator", {"a": 1}),
    )

    with pytest.raises(GraphInvalid) as caught:
        require_valid(broken, CATALOG, for_run=True)

    assert str(caught.value) == "Graph validation failed: 4 issues on 3 nodes"
    assert caught.value.problems == {
        "a": {"name": "This field is required"},
        "b": {"name": "This field is required"},
        "c": {"b": "This field is required", "operation": "This field is required"},
    }


def test_structural_problems_stand_in_the_message_first_first() -> None:
    broken = graph(node("s", "StoreValue"), "s.x>s.input", "s.y>s.input")

    with pytest.raises(GraphInvalid) as caught:
        require_valid(broken, CATALOG, for_run=False)

    first, second = str(caught.value).split("; ")
    assert "`x` invalid" in first
    assert "`y` invalid" in second
    assert caught.value.problems == {}


def test_a_half_finished_graph_may_be_saved_but_its_faces_must_be_whole() -> None:
    parts = (node("c", "Calculator"), node("o", "AgentOutput"), node("g", "Agent"))

    report = saved(*parts)

    assert set(report.nodes) == {"o", "g"}
    assert set(report.nodes["g"]) == {
        "user_id",
        "graph_id",
        "graph_version",
        "inputs",
        "input_schema",
        "output_schema",
    }


@pytest.mark.parametrize(
    ("defaults", "links", "mask"),
    [
        ({"text": "x"}, (), {}),
        ({"text": ""}, (), {}),
        ({"text_$_0": "x"}, (), {}),
        ({}, ("s.output>m.text",), {}),
        ({"text": None}, ("s.output>m.text_#_k",), {}),
        ({"text": None}, (), {"text": "x"}),
    ],
)
def test_a_required_pin_is_given_by_a_value_a_link_or_a_mask(
    defaults: dict[str, Any], links: tuple[str, ...], mask: dict[str, Any]
) -> None:
    report = to_run(
        node("s", "StoreValue", {"input": 1}),
        node("m", "Print", defaults),
        *links,
        masks={"m": mask},
    )

    assert report.is_valid


def test_null_satisfies_only_a_pin_that_takes_null() -> None:
    report = to_run(
        node("p", "Print", {"text": None}),
        node("m", "Maybe", {"text": None}),
    )

    assert report.nodes == {"p": {"text": "This field is required"}}


@pytest.mark.parametrize("name", ["credentials", "my_credentials"])
def test_names_of_credentials_are_reserved(name: str) -> None:
    report = saved(node("i", "AgentInput", {"name": name}))

    assert report.nodes == {
        "i": {
            "name": f"'{name}' is a reserved input name: "
            "'credentials' and `*_credentials` are reserved"
        }
    }


def test_a_discriminator_must_have_a_value_even_to_be_saved() -> None:
    assert saved(node("r", "AuthenticatedRequest")).nodes == {
        "r": {"credentials": "Requires url to be set"}
    }
    assert saved(node("r", "AuthenticatedRequest", {"url": "  "})).nodes == {
        "r": {"credentials": "Requires url to be set"}
    }
    assert saved(node("r", "AuthenticatedRequest", {"url": "https://a.example"})).is_valid
    assert saved(node("m", "Model")).is_valid  # the model has a default


def test_a_link_is_a_value_for_what_depends_on_it() -> None:
    report = saved(node("s", "StoreValue"), node("r", "AuthenticatedRequest"), "s.output>r.url")

    assert report.is_valid


def test_dependencies_hold_for_a_run_and_only_where_the_pin_has_a_value() -> None:
    alone = node("t", "Task", {"duration": 5})

    assert saved(alone).is_valid
    assert to_run(alone).nodes == {"t": {"duration": "Requires unit to be set"}}
    assert to_run(node("t", "Task")).is_valid
    assert to_run(node("t", "Task", {"duration": 5, "unit": "day"})).is_valid
    assert to_run(alone, masks={"t": {"unit": "day"}}).is_valid


def test_a_placeholder_may_be_saved_and_not_run() -> None:
    later = node("n", "NotYet", {"text": "x"})

    assert saved(later).is_valid
    assert to_run(later).nodes == {
        "n": {"block_id": "Block NotYet is known but not built into this server yet"}
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "These credentials are required"),
        ({}, "These credentials are required"),
        ({"provider": "x"}, "These credentials are required"),
        ("key", "Invalid credentials: key is not an object"),
        ({"id": "k"}, "Invalid credentials: provider, type must be a text"),
    ],
)
def test_a_run_needs_credentials(value: Any, text: str) -> None:
    weather = node("w", "Weather", {"city": "Bern", "credentials": value})

    assert saved(weather).is_valid
    assert to_run(weather).nodes == {"w": {"credentials": text}}
    assert to_run(weather, masks={"w": {"credentials": KEY}}).is_valid


def test_a_node_with_optional_credentials_is_skipped_without_them() -> None:
    optional = {"credentials_optional": True}
    weather = node("w", "Weather", {"city": "Bern", "credentials": KEY}, metadata=optional)

    without, given = to_run(weather), to_run(weather, masks={"w": {"credentials": KEY}})

    assert without.is_valid
    assert without.skipped == {"w"}
    assert given.skipped == frozenset()


def test_a_node_with_another_problem_is_reported_and_not_skipped() -> None:
    weather = node("w", "Weather", metadata={"credentials_optional": True})

    report = to_run(weather)

    assert report.nodes == {"w": {"city": "This field is required"}}
    assert report.skipped == frozenset()


def test_a_note_never_stands_in_the_way() -> None:
    assert to_run(node("n", "Note"), node("s", "StoreValue", {"input": 1})).is_valid


def test_sub_graphs_are_checked_too() -> None:
    sub = graph(node("o", "AgentOutput"), "o.x>o.value", id=GraphId("sub"))

    report = saved(agent_node("g", "sub"), sub)

    assert report.nodes == {"o": {"name": "This field is required"}}
    assert len(report.structure) == 1


def test_credentials_of_sub_graphs_are_checked_when_they_run() -> None:
    sub = graph(node("w", "Weather", {"city": "Bern"}), id=GraphId("sub"))

    assert to_run(agent_node("g", "sub"), sub).is_valid


def test_a_graph_cannot_contain_itself_at_any_depth() -> None:
    once = graph(agent_node("g", "graph"))
    twice = graph(agent_node("g", "sub"), graph(agent_node("h", "graph"), id=GraphId("sub")))
    older = graph(agent_node("g", "graph", version=1), version=2)

    for circle in (once, twice):
        [problem] = check_graph(circle, CATALOG, for_run=False).structure
        assert "must not contain itself" in problem
    assert check_graph(older, CATALOG, for_run=False).is_valid


def test_nodes_of_one_graph_have_different_ids() -> None:
    report = saved(node("a", "StoreValue"), node("a", "Print"))

    assert report.structure == ("Several nodes have the same id: a",)


def test_sizes_have_limits_that_are_named() -> None:
    nodes = [node(str(number), "StoreValue") for number in range(MAX_NODES + 1)]
    links = [link("0.output>1.input")] * (MAX_LINKS + 1)

    many_nodes = saved(*nodes).structure
    many_links = saved(*nodes[:2], *links).structure
    long_name = check_graph(graph(name="x" * 501), CATALOG, for_run=False).structure
    long_pin = saved(*nodes[:2], f"0.{'x' * 501}>1.input").structure
    long_id = saved(node("x" * 201, "StoreValue")).structure
    many_subs = saved(*(graph(id=GraphId(str(number))) for number in range(101))).structure

    assert many_nodes == ("Graph graph has 1001 nodes; the limit is 1000",)
    assert many_links == ("Graph graph has 10001 links; the limit is 10000",)
    assert long_name == ("Graph graph has a name of over 500 characters",)
    assert long_pin == ("Graph graph has a link with a pin name of over 500 characters",)
    assert long_id == ("Graph graph has a node id of over 200 characters",)
    assert many_subs == ("The graph has 101 sub-graphs; the limit is 100",)


def test_an_error_stays_readable_however_much_is_wrong() -> None:
    broken = graph(node("s", "StoreValue"), *(f"s.x{number}>s.input" for number in range(100)))

    with pytest.raises(GraphInvalid, match=r"80 more") as caught:
        require_valid(broken, CATALOG, for_run=False)

    assert len(str(caught.value)) < 5_000


def test_links_from_static_outputs_become_static_and_doubles_go() -> None:
    drawn = graph(
        node("s", "StoreValue"),
        node("c", "Calculator"),
        "s.output>c.a",
        "!s.output>c.a",
        "c.result>s.input",
        "c.result>s.input",
        "!c.result>s.data",
        graph(node("s", "StoreValue"), "s.output>s.data", id=GraphId("sub")),
    )

    normal = normalise_links(drawn, CATALOG)

    assert [(each.source_id, each.sink_name, each.is_static) for each in normal.links] == [
        ("s", "a", True),
        ("c", "input", False),
        ("c", "data", True),
    ]
    assert normal.sub_graphs[0].links[0].is_static
    assert normalise_links(normal, CATALOG) == normal
