"""Blocks that are right when they are tried alone, and go wrong inside a graph elsewhere."""

from typing import Any

import pytest

from tests.unit.engine.engine_blocks import INPUT, OUTPUT, agent, graph
from tests.unit.engine.engine_house import House

#: A list that holds all that counts as false.
FALSY: list[Any] = [0, False, "", [], {}]

Row = tuple[str, dict[str, Any], str, Any, dict[str, list[Any]]]

#: Block, what it is given in the graph, the pin that is linked, its value, and what comes out.
ROWS: list[Row] = [
    # A key of two types stays what it is: a number is a place in a list.
    ("FindInDictionaryBlock", {"input": ["a", "b"]}, "key", 1, {"output": ["b"]}),
    ("FindInDictionaryBlock", {"key": 1}, "input", ["a", "b"], {"output": ["b"]}),
    ("FindInDictionaryBlock", {"key": "1"}, "input", {"1": 0}, {"output": [0]}),
    (
        "RemoveFromDictionaryBlock",
        {"key": 1},
        "dictionary",
        {"1": "a", "b": 2},
        {"updated_dictionary": [{"b": 2}]},
    ),
    (
        "ReplaceDictionaryValueBlock",
        {"key": "a", "value": 0},
        "dictionary",
        {"a": 1},
        {"updated_dictionary": [{"a": 0}], "old_value": [1]},
    ),
    # A list stays a list.
    (
        "DataSamplingBlock",
        {"sample_size": 2, "sampling_method": "top"},
        "data",
        [{"a": 1}, {"a": 2}, {"a": 3}],
        {"sampled_data": [[{"a": 1}, {"a": 2}]], "sample_indices": [[0, 1]]},
    ),
    # What is false is a value.
    *(("StoreValueBlock", {}, "input", value, {"output": [value]}) for value in FALSY),
    *(("StoreValueBlock", {"data": v}, "input", "x", {"output": [v]}) for v in FALSY),
    *(("AddToListBlock", {"list": [1]}, "entry", v, {"updated_list": [[1, v]]}) for v in FALSY),
    *(
        (
            "MatchTextPatternBlock",
            {"data": value, "match": "a+"},
            "text",
            "aa",
            {"positive": [value]},
        )
        for value in FALSY
    ),
    # Lists inside of lists are refused or kept, never garbled.
    (
        "ConcatenateListsBlock",
        {},
        "lists",
        [[1], [2, 3]],
        {"concatenated_list": [[1, 2, 3]]},
    ),
]


@pytest.mark.parametrize(
    ("block", "given", "pin", "value", "outputs"), ROWS, ids=lambda part: str(part)[:40]
)
async def test_a_block_does_in_a_graph_what_it_does_alone(
    house: House,
    block: str,
    given: dict[str, Any],
    pin: str,
    value: Any,
    outputs: dict[str, list[Any]],
) -> None:
    await house.add(graph("g", {"in": INPUT, "block": (block, given)}, f"in.result -> block.{pin}"))

    run_id = await house.submit("g", run=value)
    async with house.engine():
        await house.ended(run_id)

    [node] = [node for node in await house.nodes(run_id) if node.node_id == "block"]
    assert node.error is None
    assert node.outputs == outputs
    assert [type(each) for each in node.outputs[next(iter(outputs))]] == [
        type(each) for each in next(iter(outputs.values()))
    ]


async def test_pins_that_a_block_has_from_its_base_are_converted_like_its_own(
    house: House,
) -> None:
    given = {"name": 5, "title": 6, "value": "7"}
    await house.add(graph("g", {"number": ("AgentNumberInputBlock", given)}, ""))

    run_id = await house.submit("g")
    async with house.engine():
        await house.ended(run_id)

    [node] = await house.nodes(run_id)
    assert node.inputs == {"name": "5", "title": "6", "value": 7}
    assert node.outputs == {"result": [7]}


@pytest.mark.parametrize(
    ("operation", "a", "b", "words"),
    [("Power", 10, 999, "too large"), ("Divide", 1, 0, "divided by zero")],
)
async def test_a_result_that_json_does_not_have_fails_the_node_and_not_the_run(
    house: House, operation: str, a: float, b: float, words: str
) -> None:
    calculator = ("CalculatorBlock", {"operation": operation, "b": b})
    await house.add(
        graph(
            "g",
            {"in": INPUT, "c": calculator, "out": OUTPUT},
            "in.result -> c.a\nc.error -> out.value",
        )
    )

    run_id = await house.submit("g", run=a)
    async with house.engine():
        run = await house.ended(run_id)

    assert run.outputs is not None
    assert words in run.outputs["answer"][0]


async def test_inputs_of_an_agent_are_not_mistaken_for_pins_of_the_block_that_runs_it(
    house: House,
) -> None:
    """Its own pins take numbers and texts; what has their names in the child takes anything."""
    names = ("graph_version", "user_id", "inputs", "graph_id")
    nodes: dict[str, Any] = {n: ("AgentInputBlock", {"name": n}) for n in names}
    gives = {f"o{n}": ("AgentOutputBlock", {"name": n}) for n in names}
    child = graph(
        "child", {**nodes, **gives}, "\n".join(f"{n}.result -> o{n}.value" for n in names)
    )
    block, defaults = agent("child")
    shape = {"type": "object", "properties": {n: {} for n in names}, "required": [*names]}
    outer = graph(
        "outer",
        {
            "in": INPUT,
            "does": (block, {**defaults, "input_schema": shape, "output_schema": shape}),
            **gives,
        },
        "\n".join(
            line for n in names for line in (f"in.result -> does.{n}", f"does.{n} -> o{n}.value")
        ),
        (child,),
    )
    await house.add(outer)

    run_id = await house.submit("outer", run=[1])
    async with house.engine():
        run = await house.ended(run_id)

    assert run.outputs == {n: [[1]] for n in names}
