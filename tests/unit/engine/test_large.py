"""Runs of many nodes and many items. How long they take is the benches' affair."""

from itertools import pairwise

import pytest

from backend.core.graph import Graph
from backend.core.status import Status
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, graph
from tests.unit.engine.engine_house import House

pytestmark = pytest.mark.slow

ITEMS = graph(
    "items",
    {
        "in": INPUT,
        "each": ("StepThroughItemsBlock", {}),
        "text": ("FillTextTemplateBlock", {"format": "item {{ x }}"}),
        "out": OUTPUT,
    },
    "in.result -> each.items\neach.item -> text.values_#_x\ntext.output -> out.value",
)


def chain(length: int) -> Graph:
    """Return *length* texts, each made from the one before."""
    template = ("FillTextTemplateBlock", {"format": "{{ x | length }}{{ x[-3:] }}"})
    names = [f"n{number}" for number in range(length)]
    links = [f"{a}.output -> {b}.values_#_x" for a, b in pairwise(names)]
    nodes = {"in": INPUT, **dict.fromkeys(names, template), "out": OUTPUT}
    ends = ["in.result -> n0.values_#_x", f"{names[-1]}.output -> out.value"]
    return graph(f"chain {length}", nodes, "\n".join([*ends, *links]))


async def test_ten_thousand_items_give_ten_thousand_outputs_in_order(house: House) -> None:
    await house.add(ITEMS)

    async with house.engine():
        run_id = await house.submit("items", run=list(range(10_000)))
        run = await house.ended(run_id, limit_s=120)

    assert run.status is Status.COMPLETED
    assert run.outputs == {"answer": [f"item {number}" for number in range(10_000)]}
    [[rows]] = house.rows("SELECT count(*) FROM node_executions WHERE status = 'COMPLETED'")
    assert rows == 20_002


async def test_a_chain_of_a_thousand_nodes_comes_to_its_end(house: House) -> None:
    await house.add(chain(1_000))

    async with house.engine():
        run_id = await house.submit("chain 1000", run="abc")
        run = await house.ended(run_id, limit_s=120)

    assert run.status is Status.COMPLETED
    assert run.stats is not None
    assert run.stats.node_count == 1_002
