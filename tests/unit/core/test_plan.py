"""What a node runs with, and with which nodes a run starts."""

from typing import Any

import pytest
from core_samples import CATALOG, agent_node, graph, node

from backend.core.errors import BadRequest, GraphInvalid
from backend.core.graph import Node
from backend.core.plan import GraphPlan, NodePlan, Refusal


def planned(it: Node, *links: str) -> NodePlan:
    """Return the plan of *it*, whose links come from a node `s`."""
    plan = GraphPlan(graph(it, node("s", "StoreValue", {"input": 1}), *links), CATALOG)
    return plan.nodes_by_id[it.id]


def prepared(it: Node, received: dict[str, Any], *links: str, mask: Any = None) -> dict[str, Any]:
    result = planned(it, *links).prepare(received, mask)
    assert isinstance(result, dict), result
    return result


def refused(it: Node, received: dict[str, Any], *links: str) -> Refusal:
    result = planned(it, *links).prepare(received, None)
    assert isinstance(result, Refusal)
    return result


def test_values_are_converted_to_the_types_of_their_pins() -> None:
    inputs = prepared(node("c", "Calculator"), {"operation": "Add", "a": "4", "b": 5})

    assert inputs == {"operation": "Add", "a": 4.0, "b": 5.0}


def test_a_value_that_can_never_fit_will_not_heal() -> None:
    refusal = refused(node("c", "Calculator"), {"operation": "Foo", "a": 1, "b": 2})

    assert refusal.reason == (
        "Input data missing or mismatch for `Calculator`: "
        "operation: 'Foo' is not one of ['Add', 'Subtract']"
    )
    assert not refusal.may_heal


def test_dynamic_keys_stay_beside_what_they_make() -> None:
    template = node("t", "FillTextTemplate", {"format": "f", "values_#_c": "!"})
    links = ("s.output>t.values_#_a", "s.output>t.values_#_b")

    inputs = prepared(template, {"values_#_b": 2, "values_#_a": 1}, *links)

    assert inputs == {
        "format": "f",
        "values_#_c": "!",
        "values_#_a": 1,
        "values_#_b": 2,
        "values": {"c": "!", "a": 1, "b": 2},
    }
    missing = refused(template, {"values_#_a": 1}, *links)
    assert missing.may_heal
    assert missing.reason.endswith("unpopulated links ['values_#_b']")


def test_a_part_goes_into_the_whole_whichever_came_first() -> None:
    template = node("t", "FillTextTemplate", {"format": "f"})
    links = ("s.output>t.values_#_a", "s.output>t.values")
    parts = {"values_#_a": 1}
    whole = {"values": {"b": 2}}

    first = prepared(template, {**parts, **whole}, *links)
    second = prepared(template, {**whole, **parts}, *links)

    assert first["values"] == second["values"] == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("block", "data", "pin", "value"),
    [
        ("AgentInput", {"name": 5, "value": 7}, "name", "5"),
        ("AgentNumberInput", {"name": 5, "value": 7.9}, "name", "5"),
        ("AgentNumberInput", {"name": "n", "value": 7.9}, "value", 7),
        ("AgentToggleInput", {"name": "t", "value": "false"}, "value", False),
        ("AgentDateInput", {"name": "d", "value": "2020-01-01"}, "value", "2020-01-01"),
        ("CombineTexts", {"input_$_0": "a", "input_$_2": 3}, "input", ["a", "null", "3"]),
        ("AddToList", {"list": "a"}, "list", ["a"]),
        ("ConcatenateLists", {"lists": [1, [2], None]}, "lists", [[1], [2], [None]]),
        ("FindInDictionary", {"input": [1], "key": 0}, "key", 0),
        ("GetDate", {"offset": "7"}, "offset", "7"),
    ],
)
def test_defaults_are_converted_too(block: str, data: dict[str, Any], pin: str, value: Any) -> None:
    assert prepared(node("n", block, data), {})[pin] == value


def test_a_linked_pin_never_falls_back_to_its_default() -> None:
    store = node("n", "StoreValue", {"input": "default"})

    assert refused(store, {}, "s.output>n.input").may_heal
    assert prepared(store, {"input": 1}, "s.output>n.input") == {"input": 1}


def test_null_never_satisfies_a_required_pin() -> None:
    refusal = refused(node("n", "StoreValue"), {"input": None}, "s.output>n.input")

    assert refusal.reason.endswith("'input' is a required property")
    assert refusal.may_heal


def test_an_agent_node_takes_what_its_sub_graph_takes() -> None:
    agent = agent_node("g", "sub", b=2)

    assert prepared(agent, {"a": "1"}, "s.output>g.a") == {"b": 2, "a": "1"}
    assert prepared(agent, {"a": None}, "s.output>g.a") == {"b": 2, "a": None}
    assert refused(agent, {}).reason.endswith("'a' is a required property")


def test_a_mask_stands_before_all_others_dynamic_keys_included() -> None:
    template = node("t", "FillTextTemplate", {"format": "f", "values": {"a": 1}})

    inputs = prepared(template, {}, mask={"format": "g", "values_#_b": 2})

    assert inputs["format"] == "g"
    assert inputs["values"] == {"a": 1, "b": 2}


@pytest.mark.parametrize("schema", [{"properties": ["abc"]}, {"properties": {"a": 5}}])
def test_an_agent_node_with_an_unusable_schema_is_no_plan(schema: dict[str, Any]) -> None:
    agent = agent_node("g", "sub")
    agent.input_default["input_schema"] = schema

    with pytest.raises(GraphInvalid, match="unusable input_schema"):
        planned(agent)


def test_a_plan_needs_known_blocks_and_nodes() -> None:
    with pytest.raises(GraphInvalid, match="Invalid block gone for node #x"):
        GraphPlan(graph(node("x", "gone")), CATALOG)
    with pytest.raises(GraphInvalid, match="does not exist"):
        GraphPlan(graph(node("s", "StoreValue"), "s.output>x.y"), CATALOG)


def test_a_run_starts_with_the_nodes_that_wait_for_nothing_and_its_inputs() -> None:
    plan = GraphPlan(
        graph(
            node("a", "AgentInput", {"name": "x"}),
            node("b", "AgentInput", {"name": "y", "value": 2}),
            node("odd", "AgentInput", {"name": ["no", "name"], "value": 3}, metadata={}),
            node("note", "Note"),
            node("s", "StoreValue", {"input": 1}),
            node("t", "StoreValue"),
            "s.output>t.input",
        ),
        CATALOG,
    )

    started = plan.starting_nodes({"x": 1, "ignored": 5}, {"s": {"input": 9}})

    assert [(each.id, inputs.get("value", inputs.get("input"))) for each, inputs in started] == [
        ("a", 1),
        ("b", 2),
        ("odd", 3),
        ("s", 9),
    ]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((), "No starting nodes"),
        ((node("t", "StoreValue"), "t.output>t.input"), "No starting nodes"),
        ((node("c", "Calculator"),), "required property"),
        (
            (
                node("i", "AgentInput", {"name": "x"}),
                node("s", "StoreValue", {"input": 1}),
                "s.output>i.value",
            ),
            "unpopulated links",
        ),
    ],
)
def test_a_run_that_cannot_start_says_why(parts: tuple[Any, ...], words: str) -> None:
    plan = GraphPlan(graph(*parts), CATALOG)

    with pytest.raises(BadRequest, match=words):
        plan.starting_nodes({}, {})


def test_an_output_goes_to_its_links_and_a_tool_call_to_its_sink() -> None:
    source = planned(
        node("m", "Model"),
        "m.response>s.input",
        "m.response_#_k>s.data",
        "m.tools>s.input",
        "m.tools_^_x_~_y>s.data",
    )

    def sinks(output: str) -> list[tuple[str, bool]]:
        return [(route.sink_name, route.whole) for route in source.routes(output)]

    assert sinks("response") == [("input", True), ("data", False)]
    assert sinks("tools_^_s_~_input") == [("input", True)]
    assert sinks("tools_^_s_~_data") == [("data", True)]
    assert sinks("other") == []
