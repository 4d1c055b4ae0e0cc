"""Values that are too large for a row, on their way through runs."""

import asyncio
from collections.abc import AsyncGenerator
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest

from backend.core.execution import NodeExecution
from backend.core.graph import Graph, Node
from backend.core.ids import NodeId
from backend.core.plan import NodePlan
from backend.core.status import Status
from backend.engine.block_run import BlockFailed, BlockRun
from backend.engine.context import Usage
from backend.engine.handed_on import HandedOn
from backend.engine.tools import Limits
from backend.ports.bus import NodeChanged
from backend.sdk import BlockContext
from tests.unit.engine.engine_blocks import CATALOG, INNER, INPUT, OUTPUT, agent, graph
from tests.unit.engine.engine_house import Fault, House, open_house

LARGE = "é" * 300_000
#: Steps of all kinds, and a nested run, each with another large value.
STEPS = graph(
    "steps",
    {
        "in": INPUT,
        "read": ("ReadBlock", {}),
        "stream": ("StreamBlock", {}),
        "agent": agent("inner"),
        "keyed": ("KeyedBlock", {}),
        "out": OUTPUT,
    },
    """
    in.result -> read.value
    read.result -> stream.value
    stream.result -> agent.run
    agent.answer -> keyed.value
    keyed.result -> out.value
    """,
    (INNER,),
)
WAITING = graph(
    "waiting",
    {"in": INPUT, "read": ("ReadBlock", {}), "wait": ("WaitsBlock", {}), "out": OUTPUT},
    "in.result -> read.value\nread.result -> wait.value\nwait.result -> out.value",
)


def pure_chain(length: int) -> Graph:
    names = [f"n{number}" for number in range(length)]
    nodes = {"in": INPUT, **dict.fromkeys(names, ("StoreValueBlock", {})), "out": OUTPUT}
    links = [f"{a}.output -> {b}.input" for a, b in pairwise(names)]
    ends = ["in.result -> n0.input", f"{names[-1]}.output -> out.value"]
    return graph("pure chain", nodes, "\n".join([*ends, *links]))


def value_files(house: House) -> list[Path]:
    return sorted(house.path.parent.rglob("*.value"))


@pytest.mark.parametrize("value", [LARGE, ["é" * 20] * 20_000])
async def test_a_large_value_through_ten_pure_nodes_is_one_value_and_one_file(
    house: House, value: Any
) -> None:
    await house.add(pure_chain(10))

    async with house.engine():
        run = await house.ended(await house.submit("pure chain", run=value))

    assert (run.status, run.outputs) == (Status.COMPLETED, {"answer": [value]})
    assert len(value_files(house)) == 1
    given = [
        one
        for event in house.events.seen
        if isinstance(event, NodeChanged)
        for one in chain(event.record.inputs.values(), *event.record.outputs.values())
        if one == value
    ]
    # As it came into the run, and as its first block gave it.
    assert len(given) > 20
    assert len({id(one) for one in given}) <= 2
    longest = "SELECT max(length(coalesce(input, '')) + length(coalesce(outputs, ''))) FROM "
    assert house.rows(f"{longest} node_executions")[0][0] < 10_000
    nodes = await house.nodes(run.id)
    assert [node.inputs["input"] for node in nodes[1:-1]] == [value] * 10


class Writing:
    """The files of values, where the whole process dies before or after its nth writing."""

    def __init__(self, house: House, fault: Fault, *, number: int, after: bool) -> None:
        self._values = house.storage.values
        self._fault = fault
        self._number = number
        self._after = after
        self._real = house.storage.values.write
        self.count = 0

    async def __call__(self, staging: Any) -> None:
        self.count += bool(staging.files)
        if self.count != self._number or not staging.files:
            await self._real(staging)
            return
        if self._after:
            await self._real(staging)
        self._fault.died.set()
        await asyncio.Event().wait()


async def lives_through(folder: Path, fault: Fault, kind: str, number: int) -> bool:
    """Run `STEPS` until *fault* kills it, and to its end in a second process; say if it died."""
    async with open_house(folder) as house:
        await house.add(STEPS)
        run_id = await house.submit("steps", run=LARGE)
        if kind.startswith("write"):
            after = kind == "write_after"
            writing = Writing(house, fault, number=number, after=after)
            house.storage.values.write = writing  # type: ignore[method-assign]
        async with house.engine(fault):
            died = await house.until_dead(run_id, fault)
    # Another process: it remembers nothing of what the first one had written.
    async with open_house(folder) as house:
        async with house.engine():
            run = await house.ended(run_id)

        assert (run.status, run.stats and run.stats.error) == (Status.COMPLETED, None)
        assert run.outputs == {"answer": [f"{LARGE}/{number}.." for number in range(3)]}
        assert [path.parent.name for path in value_files(house)] == [run_id] * len(
            value_files(house)
        )
        assert house.events.too_early == []
    return died


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["write_before", "write_after", "dies_before", "dies_after"])
async def test_a_large_value_survives_a_death_at_any_point(tmp_path: Path, kind: str) -> None:
    """Before its file is written, before its row is committed, and after."""
    number, died = 0, True
    while died:
        number += 1
        fault = Fault()
        if kind.startswith("dies"):
            setattr(fault, kind, number)
        folder = tmp_path / str(number)
        folder.mkdir()
        died = await lives_through(folder, fault, kind, number)

    assert number > 4


@pytest.mark.parametrize("what", ["input", "value"])
async def test_a_run_whose_value_is_lost_fails_and_says_so(house: House, what: str) -> None:
    await house.add(WAITING)
    run_id = await house.submit("waiting", run=LARGE)
    if what == "value":
        async with house.engine():
            await house.notes.held.wait()
    for path in value_files(house):
        path.write_bytes(b'"spoiled"')

    async with house.engine():
        run = await house.ended(run_id)
    nodes = await house.nodes(run_id)

    assert run.status is Status.FAILED
    assert run.stats is not None
    assert run.stats.error is not None
    assert run.stats.error.startswith("ValueLost: the file of a value of 600002 bytes is damaged")
    assert run.inputs["run"].startswith("[lost: the file of a value")
    assert all(node.status is not Status.RUNNING for node in nodes)


# Limits.

LIMITS = Limits(value_bytes=1000)


@pytest.mark.parametrize("size", [999, 1000])
async def test_an_output_over_the_limit_fails_its_node(house: House, size: int) -> None:
    """`KeyedBlock` puts a dot behind it."""
    value, ok = "x" * size, size < LIMITS.value_bytes
    keyed = graph(
        "keyed",
        {"in": INPUT, "keyed": ("KeyedBlock", {}), "out": OUTPUT},
        "in.result -> keyed.value\nkeyed.result -> out.value",
    )
    await house.add(keyed)

    async with house.engine(limits=LIMITS):
        run = await house.ended(await house.submit("keyed", run=value))
    [node] = [one for one in await house.nodes(run.id) if one.node_id == "keyed"]

    assert (node.error is None) == ok
    assert run.outputs == ({"answer": [f"{value}."]} if ok else {})
    if not ok:
        assert node.error is not None
        assert "a value of 1001 bytes is larger than" in node.error
        assert "(setting MAX_VALUE_MB)" in node.error


async def test_what_a_worker_process_gives_has_the_same_limit() -> None:
    async def far_away(_: BlockRun) -> AsyncGenerator[tuple[str, Any], None]:
        yield "result", ["x" * 500]
        yield "result", ["x" * 1000]

    spec = CATALOG.named("ReadBlock")
    assert spec is not None
    node = NodePlan(0, Node(id=NodeId("node"), block_id=spec.id), spec)
    execution = NodeExecution(0, "execution", node, 1)
    run = BlockRun(None, {}, execution, BlockContext(user_id="ann"), Usage(), LIMITS, far_away)

    outputs = run.async_outputs()
    first = await anext(outputs)
    with pytest.raises(BlockFailed, match="MAX_VALUE_MB"):
        await anext(outputs)

    assert first == ("result", ["x" * 500])


async def test_an_input_put_together_over_the_limit_fails_its_node(house: House) -> None:
    """Each of its parts is small enough."""
    await house.add(
        graph(
            "joined",
            {"in": INPUT, "text": ("FillTextTemplateBlock", {"format": "{{ a }}"}), "out": OUTPUT},
            "in.result -> text.values_#_a\nin.result -> text.values_#_b\ntext.output -> out.value",
        )
    )

    async with house.engine(limits=LIMITS):
        run = await house.ended(await house.submit("joined", run="x" * 600))
    [node] = [one for one in await house.nodes(run.id) if one.node_id == "text"]

    assert node.error is not None
    assert "values: a value of" in node.error
    assert "(setting MAX_VALUE_MB)" in node.error


# Handing on.


def test_what_was_changed_in_place_is_not_handed_on_as_what_it_was() -> None:
    handed_on = HandedOn(16 * 1024 * 1024)
    first = handed_on.plain(list(range(50_000)))
    same = handed_on.plain(list(range(50_000)))

    first.append("changed")
    fresh = handed_on.plain(list(range(50_000)))

    assert same is first
    assert fresh == list(range(50_000))


def test_a_large_value_is_remembered_for_a_while_only() -> None:
    handed_on = HandedOn(16 * 1024 * 1024)
    first = handed_on.plain(["0" * 100_000])

    for number in range(1, 9):
        handed_on.plain([str(number) * 100_000])

    assert handed_on.plain(["0" * 100_000]) is not first
