"""Runs that other servers lose, run twice, stop too late or never end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from backend.core.execution import Execution
from backend.core.ids import ExecutionId
from backend.core.plan import GraphPlan
from backend.core.reviews import Answer, ReviewRecord
from backend.core.status import Status
from backend.core.step import NodeEnded, NodeStarted, NodeYielded, RunStarted, StartNode, step
from backend.engine.tools import Limits
from backend.ports.bus import RunChanged
from backend.ports.dispatch import SignalKind
from tests.unit.engine.engine_blocks import CATALOG, INPUT, OUTPUT, agent, graph
from tests.unit.engine.engine_house import ANN, LIMIT_S, Fault, House
from tests.weaknesses.counting import counted

DAY_US = 24 * 3600 * 1_000_000
THROUGH = "in.result -> does.value\ndoes.result -> out.value"
WAITING = graph("waiting", {"in": INPUT, "does": ("WaitsBlock", {}), "out": OUTPUT}, THROUGH)
QUICK = graph("quick", {"in": INPUT, "does": ("KeyedBlock", {}), "out": OUTPUT}, THROUGH)
BREAKS = graph("breaks", {"in": INPUT, "does": ("BreaksBlock", {}), "out": OUTPUT}, THROUGH)
AT_ONCE = graph("at once", {"in": INPUT, "out": OUTPUT}, "in.result -> out.value")
ASKING = graph(
    "asking",
    {
        "in": INPUT,
        "ask": ("HumanInTheLoopBlock", {"name": "Is this right?"}),
        "yes": OUTPUT,
        "no": ("AgentOutputBlock", {"name": "rejected"}),
    },
    "in.result -> ask.data\nask.approved_data -> yes.value\nask.rejected_data -> no.value",
)


async def until(check: Callable[[], Awaitable[Any]]) -> Any:
    """Return what *check* gives once it is true: rows wake nobody."""
    async with asyncio.timeout(LIMIT_S):
        while not (found := await check()):  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.002)
    return found


def start(house: House, run_id: ExecutionId) -> None:
    house.signals.signal(SignalKind.RUN, run_id)


async def test_a_run_that_was_submitted_and_told_twice_runs_once(house: House) -> None:
    await house.add(QUICK)
    async with house.engine():
        for _ in range(2):
            start(house, await house.submit("quick", run_id="same", run="x"))
        run = await house.ended(ExecutionId("same"))
        start(house, await house.submit("quick", run_id="same", run="x"))
        start(house, after := await house.submit("quick", run="after"))
        await house.ended(after)

    assert run.outputs == {"answer": ["x."]}
    assert set(house.notes.count().values()) == {1}
    assert len(house.notes.runs) == 2
    assert len(house.rows("SELECT 1 FROM executions")) == 2


@pytest.mark.parametrize("how", ["stopped", "paused", "failed node"])
async def test_what_a_run_used_is_told_however_it_ended(house: House, how: str) -> None:
    which = {"stopped": WAITING, "paused": ASKING, "failed node": BREAKS}[how]
    await house.add(which)
    async with house.engine():
        start(house, run_id := await house.submit(which.id, run="x"))
        if how == "stopped":
            await house.notes.held.wait()
            await house.user.ask_stop(run_id, now_us=house.clock.now_us())
            house.signals.signal(SignalKind.STOP, run_id)
        if how == "paused":
            await until(lambda: is_paused(house, run_id))
        else:
            await house.ended(run_id)
        run = await house.run(run_id)

    assert run.stats is not None
    assert run.stats.node_count >= 1
    assert run.stats.node_error_count == (how == "failed node")


async def test_children_that_end_at_once_are_all_seen_by_their_parents(house: House) -> None:
    """The parent looks for what is on disk: there is no message to miss."""
    await house.add(AT_ONCE)
    outer = graph(
        "outer",
        {
            "in": INPUT,
            "items": ("StepThroughItemsBlock", {}),
            "does": agent("at once"),
            "o": OUTPUT,
        },
        "in.result -> items.items\nitems.item -> does.run\ndoes.answer -> o.value",
    )
    await house.add(outer)

    async with house.engine():
        start(house, run_id := await house.submit("outer", run=list(range(50))))
        run = await house.ended(run_id)

    assert run.outputs == {"answer": list(range(50))}


async def test_a_burst_of_runs_takes_no_more_slots_than_there_are(house: House) -> None:
    await house.add(WAITING)
    house.notes.hold = asyncio.Event()
    async with house.engine(slots=3, limits=Limits(runs_per_user=3)) as engine:
        runs = [await house.submit("waiting", run=number) for number in range(12)]
        for run_id in runs:
            start(house, run_id)
        await until(lambda: has_held(house, 3))

        assert engine.worker.active == 3
        house.notes.hold.set()
        for run_id in runs:
            await house.ended(run_id)

    most = running = 0
    for event in house.events.seen:
        if isinstance(event, RunChanged):
            running += (event.record.status is Status.RUNNING) and event.record.revision == 1
            running -= event.record.status is Status.COMPLETED
            most = max(most, running)
    assert most <= 3


async def test_runs_that_wait_for_a_slot_ask_the_database_for_nothing(house: House) -> None:
    """They are admitted when another ends; nobody sends them round in a circle meanwhile."""
    await house.add(WAITING)
    house.notes.hold = asyncio.Event()
    with counted(house) as cost:
        async with house.engine(slots=1):
            start(house, first := await house.submit("waiting", run="x"))
            await house.notes.held.wait()
            waiting = [await house.submit("waiting", run="x") for _ in range(20)]
            for run_id in waiting:
                start(house, run_id)
            # What is heard after them has been dealt with when it is done: so have they.
            await house.user.ask_stop(waiting[-1], now_us=house.clock.now_us())
            house.signals.signal(SignalKind.STOP, waiting[-1])
            await house.ended(waiting[-1])
            before = cost.looks
            house.notes.hold.set()
            for run_id in [first, *waiting]:
                await house.ended(run_id)

    assert before <= 3
    # Each run is loaded once, claimed, and ends; the rest is the sweep of each second.
    assert cost.calls <= 8 * len(waiting)


async def test_a_node_that_never_ends_holds_up_nobody_else(house: House) -> None:
    both = graph(
        "both",
        {"in": INPUT, "stuck": ("WaitsBlock", {}), "does": ("KeyedBlock", {}), "out": OUTPUT},
        "in.result -> stuck.value\nin.result -> does.value\ndoes.result -> out.value",
    )
    await house.add(both)
    await house.add(QUICK)
    async with house.engine():
        start(house, run_id := await house.submit("both", run="x"))
        await house.notes.held.wait()
        start(house, other := await house.submit("quick", run="y"))

        assert (await house.ended(other)).outputs == {"answer": ["y."]}
        await until(lambda: outputs_of(house, run_id))
        assert (await house.run(run_id)).status is Status.RUNNING


async def test_a_rejection_holds_whenever_the_executor_dies(house: House) -> None:
    """Answered means answered: the node does not ask a second time, and does not stay waiting."""
    await house.add(ASKING)
    run_id = await house.submit("asking", run="x")
    async with house.engine():
        [review] = await until(lambda: open_reviews(house, run_id))
    answer = Answer(node_exec_id=review.node_exec_id, approved=False)
    await house.user.answer_reviews([answer], now_us=house.clock.now_us())
    for number in (1, 2, 3):
        fault = Fault(dies_before=number)
        async with house.engine(fault):
            await house.until_dead(run_id, fault)

    async with house.engine():
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED
    assert run.outputs == {"rejected": ["x"]}
    assert Status.REVIEW not in {node.status for node in await house.nodes(run_id)}


async def test_inputs_of_a_failed_node_are_not_logged(house: House) -> None:
    await house.add(BREAKS)
    with capture_logs() as lines:
        async with house.engine():
            start(house, run_id := await house.submit("breaks", run="a secret word"))
            run = await house.ended(run_id)

    assert run.stats is not None
    assert run.stats.node_error_count == 1
    assert "a secret word" not in repr(lines)


def test_a_value_that_comes_a_day_later_finds_the_execution_that_waits_for_it() -> None:
    """And a second value for the same pin makes an execution of its own, however old the first."""
    join = graph(
        "join",
        {
            "in": INPUT,
            "items": ("StreamBlock", {}),
            "other": ("StreamBlock", {}),
            "both": ("CreateDictionaryBlock", {}),
        },
        "in.result -> items.value\nin.result -> other.value\n"
        "items.result -> both.values_#_a\nother.result -> both.values_#_b",
    )
    run = Execution(
        id=ExecutionId("r"), user_id=ANN, plan=GraphPlan(join, CATALOG), inputs={"run": 1}
    )
    run, [begun] = step(run, RunStarted(at_us=1))
    assert isinstance(begun, StartNode)
    run, _ = step(run, NodeStarted(ordinal=0, at_us=2))
    run, effects = step(run, NodeYielded(ordinal=0, name="result", value=1, at_us=3))
    run, _ = step(run, NodeEnded(ordinal=0, error=None, at_us=4))
    started = [effect.execution for effect in effects if isinstance(effect, StartNode)]
    assert len(started) == 2
    one, two = sorted(started, key=lambda execution: execution.ordinal)
    for day, (source, value) in enumerate([(one, "a1"), (one, "a2"), (two, "b1"), (two, "b2")]):
        run, effects = step(
            run,
            NodeYielded(
                ordinal=source.ordinal, name="result", value=value, at_us=5 + 2 * day * DAY_US
            ),
        )
        started += [effect.execution for effect in effects if isinstance(effect, StartNode)]

    assert [execution.input["values"] for execution in started[2:] if execution.input] == [
        {"a": "a1", "b": "b1"},
        {"a": "a2", "b": "b2"},
    ]


async def is_paused(house: House, run_id: ExecutionId) -> bool:
    return (await house.run(run_id)).status is Status.REVIEW


async def open_reviews(house: House, run_id: ExecutionId) -> list[ReviewRecord]:
    return await house.user.waiting_reviews(page=1, page_size=10) * await is_paused(house, run_id)


async def has_held(house: House, count: int) -> bool:
    return len(house.notes.runs) == count


async def outputs_of(house: House, run_id: ExecutionId) -> Any:
    return (await house.run(run_id)).outputs
