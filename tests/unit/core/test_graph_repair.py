"""What is old in an agent is mended where it is certain what was meant, told, and left elsewhere."""

from typing import Any

import pytest

from backend.core.graph import AGENT_EXECUTOR_ID, Graph, Link, Node
from backend.core.graph_repair import Repair, RepairKind, repaired
from backend.core.ids import BlockId, GraphId, LinkId, NodeId
from backend.discovery import load_catalog

CATALOG = load_catalog()


def block(name: str) -> str:
    found = CATALOG.named(name)
    assert found is not None
    return found.id


def node(block_name: str, node_id: str = "n", /, **values: Any) -> Node:
    return Node(id=NodeId(node_id), block_id=BlockId(block(block_name)), input_default=values)


def link(sink_name: str, sink: str = "n", source: str = "s", source_name: str = "output") -> Link:
    return Link(
        id=LinkId(f"{source}-{sink_name}"),
        source_id=NodeId(source),
        source_name=source_name,
        sink_id=NodeId(sink),
        sink_name=sink_name,
    )


def graph(*nodes: Node, links: tuple[Link, ...] = (), **more: Any) -> Graph:
    return Graph(
        **{"id": GraphId("g"), "name": "g", "description": "", "nodes": nodes, "links": links}
        | more
    )


def kinds(report: list[Repair]) -> list[RepairKind]:
    return [one.kind for one in report]


def test_what_is_not_old_stays_the_same_graph() -> None:
    new = graph(node("FillTextTemplateBlock", format="{{a}} {b}", values={"a": 1, "b": 2}))

    made, report = repaired(new, CATALOG)

    assert made is new
    assert report == []


def test_an_old_id_of_a_block_becomes_the_present_one_in_sub_graphs_too() -> None:
    old, now = next(iter(CATALOG._aliases.items()))
    one = Node(id=NodeId("n"), block_id=BlockId(old))
    inside = graph(one, id=GraphId("sub"))

    made, report = repaired(graph(one, sub_graphs=(inside,)), CATALOG)

    assert [made.nodes[0].block_id, made.sub_graphs[0].nodes[0].block_id] == [now, now]
    assert kinds(report) == [RepairKind.BLOCK, RepairKind.BLOCK]


def test_a_retired_model_becomes_its_successor_and_others_stay() -> None:
    old = node("AITextGeneratorBlock", "old", model="o1-preview", prompt="o1-preview")
    new = node("AITextGeneratorBlock", "new", model="gpt-4o")
    text = node("StoreValueBlock", "text", model="o1-preview")

    made, report = repaired(graph(old, new, text), CATALOG)

    assert [one.input_default.get("model") for one in made.nodes] == ["o1", "gpt-4o", "o1-preview"]
    assert made.nodes[0].input_default["prompt"] == "o1-preview"
    assert [one.node_id for one in report] == ["old"]


@pytest.mark.parametrize(
    ("name", "old", "now"),
    [
        ("CombineTextsBlock", "input1", "input_$_0"),
        ("CombineTextsBlock", "input2", "input_$_1"),
        ("FillTextTemplateBlock", "named_texts_#_who", "values_#_who"),
        ("PostRedditCommentBlock", "data_#_post_id", "post_id"),
    ],
)
def test_pins_that_are_called_otherwise_now_are_renamed_in_values_and_links(
    name: str, old: str, now: str
) -> None:
    made, report = repaired(graph(node(name, **{old: "x"}), links=(link(old),)), CATALOG)

    assert made.nodes[0].input_default == {now: "x"}
    assert [one.sink_name for one in made.links] == [now]
    assert kinds(report) == [RepairKind.PIN, RepairKind.PIN]


def test_a_value_under_the_new_name_stands_before_one_under_the_old() -> None:
    old = node("CombineTextsBlock", **{"input1": "old", "input_$_0": "new"})

    made, _ = repaired(graph(old), CATALOG)

    assert made.nodes[0].input_default["input_$_0"] == "new"


def test_a_secret_where_there_are_credentials_now_is_taken_out_with_its_link() -> None:
    old = node("SendDiscordMessageBlock", discord_bot_token="secret-1", channel_name="x")
    links = (link("discord_bot_token"), link("message_content"))

    made, report = repaired(graph(old, links=links), CATALOG)

    assert made.nodes[0].input_default == {"channel_name": "x"}
    assert [one.sink_name for one in made.links] == ["message_content"]
    assert kinds(report) == [RepairKind.CREDENTIALS, RepairKind.CREDENTIALS]
    assert "secret-1" not in " ".join(one.text for one in report)


def test_credentials_stay_only_where_they_are_the_owners() -> None:
    own = node("AITextGeneratorBlock", "own", credentials={"id": "mine", "provider": "openai"})
    other = node("AITextGeneratorBlock", "other", credentials={"id": "theirs"})
    empty = node("AITextGeneratorBlock", "empty", credentials=None)

    made, report = repaired(graph(own, other, empty), CATALOG, owned={"mine"}.__contains__)

    assert made.nodes[0].input_default["credentials"]["id"] == "mine"
    assert made.nodes[1].input_default == {}
    assert [one.node_id for one in report] == ["other"]


@pytest.mark.parametrize(
    ("text", "values", "sinks", "now"),
    [
        ("Hi {who}", {"who": "x"}, (), "Hi {{who}}"),
        ("Hi {who} {other}", {"who": "x"}, (), "Hi {{who}} {other}"),
        ("Hi {who} {other}", {}, ("values",), "Hi {{who}} {{other}}"),
        ("Hi {who}", {}, ("values_#_who",), "Hi {{who}}"),
        ("Hi {{who}} {other}", {"other": 1}, (), None),
        ("{% if who %}{who}{% endif %}", {"who": 1}, (), None),
        ('{"a": {who}}', {"who": 1}, (), None),  # the last two may be a pair
        ("Hi {who}", {}, (), None),
    ],
)
def test_places_with_one_brace_get_two_where_a_value_is_given_for_them(
    text: str, values: dict[str, Any], sinks: tuple[str, ...], now: str | None
) -> None:
    old = node("FillTextTemplateBlock", format=text, values=values)

    made, report = repaired(graph(old, links=tuple(map(link, sinks))), CATALOG)

    assert made.nodes[0].input_default["format"] == (text if now is None else now)
    assert kinds(report) == ([] if now is None else [RepairKind.TEMPLATE])


def sub(graph_id: str, version: int, inputs: str, output: str = "out") -> Graph:
    return graph(
        node("AgentInputBlock", f"{graph_id}-in", name=inputs),
        node("AgentOutputBlock", f"{graph_id}-out", name=output),
        id=GraphId(graph_id),
        version=version,
    )


def runs(graph_id: str, version: int) -> Node:
    return Node(
        id=NodeId("n"),
        block_id=AGENT_EXECUTOR_ID,
        input_default={"graph_id": graph_id, "graph_version": version},
    )


@pytest.mark.parametrize(
    ("subs", "found"),
    [
        ([sub("a", 3, "q"), sub("b", 4, "q")], ("a", 3)),  # its version
        ([sub("a", 9, "q"), sub("b", 9, "z")], ("a", 9)),  # else its pins alone
        ([sub("a", 3, "q"), sub("b", 3, "z")], ("a", 3)),  # of one version: its pins
        ([sub("a", 3, "q"), sub("b", 3, "q")], None),  # two that fit: not certain
        ([sub("a", 3, "z")], None),  # it has no such input
        ([sub("a", 3, "q", output="other")], None),
    ],
)
def test_a_graph_of_another_server_is_found_in_the_file(
    subs: list[Graph], found: tuple[str, int] | None
) -> None:
    links = (link("q"), link("x", sink="t", source="n", source_name="out"))
    old = graph(runs("gone", 3), links=links, sub_graphs=tuple(subs))

    made, report = repaired(old, CATALOG)

    values = made.nodes[0].input_default
    assert (values["graph_id"], values["graph_version"]) == (found or ("gone", 3))
    assert kinds(report) == ([] if found is None else [RepairKind.SUB_GRAPH])


def test_a_graph_that_its_owner_has_saved_is_not_looked_for() -> None:
    old = graph(runs("mine", 3), sub_graphs=(sub("a", 3, "q"),))

    made, _ = repaired(old, CATALOG, saved={(GraphId("mine"), 3)})

    assert made is old


def test_a_link_to_an_argument_of_a_tool_server_leads_to_its_part() -> None:
    tool = node("MCPToolBlock", server_url="https://tools.example.com/mcp")
    sinks = ("city", "tool_arguments", "tool_arguments_#_unit", "selected_tool")

    made, report = repaired(graph(tool, links=tuple(map(link, sinks))), CATALOG)

    assert [one.sink_name for one in made.links] == ["tool_arguments_#_city", *sinks[1:]]
    assert [one.kind for one in report] == [RepairKind.PIN]
