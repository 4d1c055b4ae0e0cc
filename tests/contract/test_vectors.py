"""The tables of vectors/: values into pins, dynamic names, joins, statuses.

They are plain data: whoever writes a client or another server can use them, too.
"""

import itertools
import json
from pathlib import Path
from typing import Any, Final

import pytest

from backend.core import pins
from backend.core.errors import BadRequest, ConversionFailed, IllegalTransition
from backend.core.execution import Execution, NodeExecution
from backend.core.graph import Graph, Link, Node
from backend.core.ids import BlockId, ExecutionId, GraphId, LinkId, NodeId, UserId
from backend.core.plan import GraphPlan, Refusal
from backend.core.schema import converter_for
from backend.core.status import Status, advance
from backend.core.step import NodeStarted, NodeYielded, RunStarted, StartNode, step
from backend.discovery import load_catalog

Row = dict[str, Any]
CATALOG: Final = load_catalog()

#: The pins of the rows, as Condition has them: both are required, and take anything.
PINS: Final = {"a": "value1", "b": "value2"}


def vectors(name: str, part: str) -> Any:
    path = Path(__file__).parent / "vectors" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))[part]


def table(name: str, part: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "row", vectors(name, part), ids=lambda row: json.dumps(row, ensure_ascii=True)[:80]
    )


def convert(row: Row) -> Any:
    converter = converter_for(row["schema"])
    return converter(row["value"]) if converter else row["value"]


@table("coercion", "converted")
def test_a_value_becomes_what_its_pin_takes(row: Row) -> None:
    result = convert(row)

    assert result == row["result"]
    assert type(result) is type(row["result"])


@table("coercion", "unions")
def test_a_value_that_is_one_of_a_unions_types_stays(row: Row) -> None:
    result = convert(row)

    assert result == row["result"]
    assert type(result) is type(row["result"])


@table("coercion", "refused")
def test_what_cannot_be_converted_is_refused(row: Row) -> None:
    with pytest.raises(ConversionFailed, match="Failed to convert"):
        convert(row)


@table("dynamic_pins", "reads")
def test_a_path_reads_what_it_leads_to(row: Row) -> None:
    path = pins.path_from("r", row["name"])

    assert path is not None
    assert pins.read(row["value"], path) == row["found"]


@table("dynamic_pins", "reads_nothing")
def test_a_name_that_is_no_path_reads_nothing(row: Row) -> None:
    assert pins.path_from("r", row["name"]) is None


@table("dynamic_pins", "writes")
def test_dynamic_keys_are_written_left_to_right(row: Row) -> None:
    result = pins.merge(row["data"])

    assert result[row["base"]] == row["merged"]
    originals = {name: value for name, value in row["data"].items() if pins.is_dynamic(name)}
    assert originals.items() <= result.items()


@table("dynamic_pins", "refused")
def test_an_index_to_write_is_a_small_number(row: Row) -> None:
    with pytest.raises(BadRequest, match="index"):
        pins.merge(row["data"])


@table("dynamic_pins", "bases")
def test_a_pin_has_a_base(row: Row) -> None:
    assert pins.base_name(row["pin"]) == row["base"]


@pytest.mark.parametrize(("now", "wanted"), list(itertools.product(Status, Status)))
def test_a_status_follows_only_where_the_table_says(now: Status, wanted: Status) -> None:
    if wanted.value in vectors("statuses", "follows")[now.value]:
        assert advance(now, wanted) is wanted
        return

    with pytest.raises(IllegalTransition, match=f"{wanted} cannot follow {now}"):
        advance(now, wanted)


def node(name: str, block: str, given: Row) -> Node:
    spec = CATALOG.named(block)
    assert spec is not None
    return Node(id=NodeId(name), block_id=BlockId(spec.id), input_default=given)


def link(source: str, pin: str, *, sink_pin: str, is_static: bool = False) -> Link:
    return Link(
        id=LinkId(f"{source} {sink_pin}"),
        source_id=NodeId(source),
        source_name=pin,
        sink_id=NodeId("n"),
        sink_name=sink_pin,
        is_static=is_static,
    )


def planned(nodes: list[Node], links: list[Link]) -> GraphPlan:
    graph = Graph(id=GraphId("g"), name="g", description="", nodes=tuple(nodes), links=tuple(links))
    return GraphPlan(graph, CATALOG)


def prepared(row: Row) -> dict[str, Any] | Refusal:
    """Return what the node of *row* runs with."""
    source = node("s", "StoreValueBlock", {"input": 1})
    links = [link("s", "output", sink_pin=pin) for pin in row["links"]]
    plan = planned([node("n", row["block"], row["given"]), source], links)
    return plan.nodes_by_id["n"].prepare(row["received"], None)


@table("inputs", "accepted")
def test_a_node_runs_with_what_fits_its_pins(row: Row) -> None:
    inputs = prepared(row)

    assert inputs == row["inputs"]


@table("inputs", "refused")
def test_a_node_does_not_run_with_what_does_not_fit(row: Row) -> None:
    refusal = prepared(row)

    assert isinstance(refusal, Refusal)
    assert refusal.reason.startswith(f"Input data missing or mismatch for `{row['block']}`: ")
    assert row["words"] in refusal.reason
    assert refusal.may_heal is row["waits"]


def arrive(values: list[tuple[str, Any]]) -> list[NodeExecution]:
    """Let *values* arrive at the pins of a node; return its executions, oldest first."""
    statics = {name.removeprefix("!"): name.startswith("!") for name, _ in values}
    sources = [node(pin, "StoreValueBlock", {"input": 1}) for pin in PINS]
    links = [
        link(pin, "output", sink_pin=wanted, is_static=statics.get(pin, False))
        for pin, wanted in PINS.items()
    ]
    plan = planned([*sources, node("n", "ConditionBlock", {"operator": "=="})], links)
    run = Execution(id=ExecutionId("r"), user_id=UserId("u"), plan=plan, inputs={})
    run, effects = step(run, RunStarted(at_us=1))
    running = {e.execution.node.id: e.execution for e in effects if isinstance(e, StartNode)}
    for execution in running.values():
        run, _ = step(run, NodeStarted(ordinal=execution.ordinal, at_us=2))
    seen: dict[int, NodeExecution] = {}
    for name, value in values:
        source = running[NodeId(name.removeprefix("!"))]
        run, _ = step(run, NodeYielded(ordinal=source.ordinal, name="output", value=value, at_us=3))
        seen |= {each.ordinal: each for each in run.take_changes()}
    return [each for _, each in sorted(seen.items()) if each.node.id == "n"]


@table("joins", "joins")
def test_values_that_arrive_are_joined(row: Row) -> None:
    executions = arrive(row["arrive"])

    ran = [each for each in executions if each.status is not Status.INCOMPLETE]
    waits = [each for each in executions if each.status is Status.INCOMPLETE]
    assert [values(each.input) for each in ran] == row["run"]
    assert [values(each.received) for each in waits] == row["waits"]


def values(found: dict[str, Any] | None) -> dict[str, Any]:
    given = found or {}
    return {pin: given[name] for pin, name in PINS.items() if name in given}
