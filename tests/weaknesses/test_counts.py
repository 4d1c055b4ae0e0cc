"""Ten times the work costs about ten times as much, and not a hundred times: counted, not timed."""

import threading
from itertools import pairwise
from typing import Any

import psutil
import pytest

from backend.adapters.storage.reviews import add as reviews_add
from backend.adapters.storage.reviews import new_row
from backend.core import json
from backend.core.graph import Graph
from backend.core.ids import ExecutionId, GraphId, NodeExecutionId, NodeId, UserId
from backend.core.reviews import ReviewRecord, ReviewStatus
from backend.core.schema import PinSchema
from backend.core.status import Status
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, agent, graph
from tests.unit.engine.engine_house import House
from tests.weaknesses.counting import Cost, counted

#: Ten times as many nodes may cost so many times as much: ten, and a little that is fixed.
MOST = 11


def chain(length: int, block: str) -> Graph:
    names = [f"n{number}" for number in range(length)]
    links = [f"{one}.result -> {other}.value" for one, other in pairwise(names)]
    ends = ["in.result -> n0.value", f"{names[-1]}.result -> out.value"]
    nodes: dict[str, Any] = {"in": INPUT, **dict.fromkeys(names, (block, {})), "out": OUTPUT}
    return graph(f"chain {length}", nodes, "\n".join([*ends, *links]))


def texts(length: int) -> Graph:
    """Return a chain of blocks that wait for nothing."""
    names = [f"n{number}" for number in range(length)]
    links = [f"{one}.output -> {other}.values_#_x" for one, other in pairwise(names)]
    ends = ["in.result -> n0.values_#_x", f"{names[-1]}.output -> out.value"]
    template = ("FillTextTemplateBlock", {"format": "{{ x }}"})
    nodes: dict[str, Any] = {"in": INPUT, **dict.fromkeys(names, template), "out": OUTPUT}
    return graph(f"chain {length}", nodes, "\n".join([*ends, *links]))


async def cost_of(house: House, which: Graph, value: Any) -> Cost:
    """Run *which* and return what it cost."""
    await house.add(which)
    with counted(house) as cost:
        run_id = await house.submit(which.id, run=value)
        async with house.engine():
            run = await house.ended(run_id)
    assert run.status is Status.COMPLETED
    return cost


async def test_ten_times_the_nodes_write_ten_times_the_rows(house: House) -> None:
    """Each of these steps is a barrier, so that its rows go to disk before the next begins."""
    few = await cost_of(house, chain(10, "ReadBlock"), "x")
    many = await cost_of(house, chain(100, "ReadBlock"), "x")

    assert few.rows >= 12
    assert many.rows <= MOST * few.rows
    # A node is written at its start and its end, no more.
    assert many.rows <= 2 * 102 + 2


async def test_a_chain_of_steps_that_wait_for_nothing_is_a_handful_of_commits(
    house: House,
) -> None:
    """Nothing looks again every tenth of a second whether a node is ready."""
    few = await cost_of(house, texts(10), "x")
    many = await cost_of(house, texts(100), "x")

    assert many.rows <= MOST * few.rows
    assert few.calls <= 15
    assert many.calls <= few.calls + 10


@pytest.mark.slow
async def test_outputs_that_come_one_by_one_are_written_once(house: House) -> None:
    """An agent node hands on what its child yields, as it comes."""
    hands = {"in": INPUT, "out": OUTPUT}
    child = graph(
        "child",
        {**hands, "count": ("CountBlock", {"limit": 10}), "work": ("ReadBlock", {})},
        "in.result -> count.n\ncount.again -> work.value\nwork.result -> count.n\n"
        "work.result -> out.value",
    )
    longer = graph(
        "longer",
        {**hands, "count": ("CountBlock", {"limit": 100}), "work": ("ReadBlock", {})},
        "in.result -> count.n\ncount.again -> work.value\nwork.result -> count.n\n"
        "work.result -> out.value",
    )
    through = "in.result -> does.run\ndoes.answer -> out.value"

    few = await cost_of(house, graph("a", {**hands, "does": agent("child")}, through, (child,)), 0)
    many = await cost_of(
        house, graph("b", {**hands, "does": agent("longer")}, through, (longer,)), 0
    )

    assert few.rows > 30
    assert many.rows <= MOST * few.rows
    assert many.size <= MOST * few.size


async def test_reading_a_run_takes_the_same_statements_however_many_nodes_it_has(
    house: House,
) -> None:
    costs = []
    for length in (10, 100):
        await house.add(texts(length))
        run_id = await house.submit(f"chain {length}", run="x")
        async with house.engine():
            await house.ended(run_id)
        with counted(house) as cost:
            found = await house.user.execution_with_nodes(run_id, limit=1_000)
        assert found is not None
        assert len(found[1]) == length + 2
        costs.append(cost.statements)

    # One more where a node was caught by a commit while it worked: its outputs lie apart then.
    assert max(costs) <= 5


async def test_open_questions_are_listed_with_one_statement(house: House) -> None:
    asking = graph(
        "asking",
        {
            "in": INPUT,
            "items": ("StepThroughItemsBlock", {}),
            "ask": ("HumanInTheLoopBlock", {"name": "?"}),
        },
        "in.result -> items.items\nitems.item -> ask.data",
    )
    await house.add(asking)
    run_id = await house.submit("asking", run=[])
    staging = house.storage.values.staging()
    rows = [new_row(question(run_id, n), run_id, staging) for n in range(20)]
    await house.storage.database.write(lambda connection: reviews_add(connection, rows))

    with counted(house) as cost:
        found = await house.user.waiting_reviews(page=1, page_size=100)

    assert len(found) == 20
    # The transaction itself is a statement, too.
    assert cost.statements <= 2


def question(run_id: ExecutionId, number: int) -> ReviewRecord:
    return ReviewRecord(
        node_exec_id=NodeExecutionId(f"node {number}"),
        node_id=NodeId("ask"),
        user_id=UserId("ann"),
        run_id=run_id,
        graph_id=GraphId("asking"),
        graph_version=1,
        payload=number,
        instructions="?",
        editable=True,
        status=ReviewStatus.WAITING,
    )


async def test_an_input_is_checked_against_its_schema_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[Any] = []
    real = PinSchema.mismatch

    def noted(self: PinSchema, data: Any, **options: Any) -> str | None:
        if "format" in data:
            checked.append(data)
        return real(self, data, **options)

    monkeypatch.setattr(PinSchema, "mismatch", noted)

    await cost_of(house, texts(10), "x")

    assert len(checked) == 10


async def test_a_value_becomes_text_where_it_is_kept_and_nowhere_else(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to count its bytes, not for a log that nobody reads."""
    made: list[Any] = []
    real = json.dumps

    def noted(value: Any) -> bytes:
        made.append(value)
        return real(value)

    monkeypatch.setattr(json, "dumps", noted)

    await cost_of(house, texts(100), "a long word")

    # The inputs and the outputs of each node; the run's own inputs and outputs.
    assert sum("a long word" in repr(value) for value in made) <= 2 * 102 + 5


async def test_no_run_starts_a_process_or_a_thread_of_its_own(house: House) -> None:
    await cost_of(house, texts(10), "x")
    processes, threads = len(psutil.Process().children()), threading.active_count()

    await house.add(texts(20))
    runs = [await house.submit("chain 20", run="x") for _ in range(20)]
    async with house.engine():
        for run_id in runs:
            await house.ended(run_id)
            assert len(psutil.Process().children()) == processes
            # The loop's own pool may grow by one or two, once for all runs.
            assert threading.active_count() <= threads + 2
