"""What an operator has paused begins nothing more, loses nothing, and goes on when it is let go."""

import asyncio
from dataclasses import replace

import pytest

from backend.core.ids import ExecutionId, GraphId
from backend.core.records import Hold, HoldKind
from backend.core.status import Status
from backend.engine.engine import Engine
from backend.ports.dispatch import SignalKind
from tests.unit.engine.engine_blocks import EVERYTHING, INPUT, OUTPUT, agent, graph
from tests.unit.engine.engine_house import House
from tests.unit.engine.engine_reviews import until

TWO_STEPS = graph(
    "two",
    {"in": INPUT, "waits": ("WaitsBlock", {}), "then": ("KeyedBlock", {}), "out": OUTPUT},
    "in.result -> waits.value\nwaits.result -> then.value\nthen.result -> out.value",
)
THROUGH = "in.result -> does.run\ndoes.answer -> out.value"
OUTER = graph(
    "outer",
    {"in": INPUT, "does": agent("two"), "out": OUTPUT},
    THROUGH,
    (TWO_STEPS,),
)
QUICK = graph(
    "quick",
    {"in": INPUT, "does": ("KeyedBlock", {}), "out": OUTPUT},
    "in.result -> does.value\ndoes.result -> out.value",
)


def hold_of(what: HoldKind, run_id: ExecutionId, graph_id: str) -> Hold:
    ids = {HoldKind.RUN: str(run_id), HoldKind.GRAPH: graph_id, HoldKind.SERVER: ""}
    return Hold(kind=what, id=ids[what], created_us=1)


async def at_its_first_step(house: House, graph_id: str) -> ExecutionId:
    house.notes.hold = asyncio.Event()
    run_id = await house.submit(graph_id, run="x")
    house.signals.signal(SignalKind.RUN, run_id)
    await house.notes.held.wait()
    return run_id


async def left(engine: Engine, *, active: int = 0) -> None:
    await until(lambda: engine.worker.active == active)


@pytest.mark.slow
@pytest.mark.parametrize("what", list(HoldKind))
async def test_a_paused_run_ends_the_step_it_is_at_and_begins_no_other(
    house: House, what: HoldKind
) -> None:
    await house.add(TWO_STEPS)
    async with house.engine() as engine:
        run_id = await at_its_first_step(house, "two")
        hold = hold_of(what, run_id, "two")
        assert await house.storage.hold(hold)
        await until(lambda: engine.worker.active_runs[run_id].held)
        assert house.notes.hold is not None

        house.notes.hold.set()
        await left(engine)

        nodes = {str(node.node_id): node.status for node in await house.nodes(run_id)}
        assert nodes["waits"] is Status.COMPLETED
        assert nodes.get("then", Status.QUEUED) is Status.QUEUED
        assert (await house.run(run_id)).status is Status.RUNNING
        assert await house.storage.let_go(hold.kind, hold.id)
        run = await house.ended(run_id)

    assert (run.status, run.outputs) == (Status.COMPLETED, {"answer": ["x."]})
    assert set(house.notes.count().values()) == {1}


@pytest.mark.parametrize("what", list(HoldKind))
async def test_what_is_paused_before_it_begins_waits_over_restarts(
    house: House, what: HoldKind
) -> None:
    await house.add(QUICK)
    await house.add(replace(QUICK, id=GraphId("other")))
    run_id = await house.submit("quick", run="x")
    hold = hold_of(what, run_id, "quick")
    await house.storage.hold(hold)
    for _ in range(2):
        async with house.engine():
            house.signals.signal(SignalKind.RUN, run_id)
            if what is not HoldKind.SERVER:
                await house.ended(await house.submit("other", run="y"))
            await asyncio.sleep(0.05)
    assert (await house.run(run_id)).status is Status.QUEUED

    await house.storage.let_go(hold.kind, hold.id)
    async with house.engine():
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED


@pytest.mark.slow
async def test_a_paused_run_can_be_stopped(house: House) -> None:
    await house.add(TWO_STEPS)
    async with house.engine() as engine:
        run_id = await at_its_first_step(house, "two")
        waiting = await house.submit("two", run="y")
        await house.storage.hold(Hold(kind=HoldKind.SERVER))
        await until(lambda: engine.worker.active_runs[run_id].held)

        for one in (run_id, waiting):
            await house.user.ask_stop(one, now_us=house.clock.now_us())
            house.signals.signal(SignalKind.STOP, one)

        assert (await house.ended(run_id)).status is Status.TERMINATED
        assert (await house.ended(waiting)).status is Status.TERMINATED


@pytest.mark.slow
async def test_a_pause_that_is_taken_back_at_once_is_none(house: House) -> None:
    await house.add(TWO_STEPS)
    async with house.engine() as engine:
        run_id = await at_its_first_step(house, "two")
        await house.storage.hold(Hold(kind=HoldKind.RUN, id=run_id))
        await until(lambda: engine.worker.active_runs[run_id].held)
        await house.storage.let_go(HoldKind.RUN, run_id)
        await until(lambda: not engine.worker.active_runs[run_id].held)
        assert house.notes.hold is not None
        house.notes.hold.set()
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED
    assert house.rows("SELECT attempt FROM executions") == [(1,)]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["root", "nested"])
async def test_nested_runs_are_paused_with_their_root_or_alone(house: House, what: str) -> None:
    await house.add(OUTER)
    async with house.engine() as engine:
        run_id = await at_its_first_step(house, "outer")
        if what == "root":
            hold = Hold(kind=HoldKind.RUN, id=run_id)
        else:
            hold = Hold(kind=HoldKind.GRAPH, id="two")
        await house.storage.hold(hold)
        [(child,)] = house.rows("SELECT id FROM executions WHERE parent_id = ?", run_id)
        await until(lambda: engine.worker.active_runs[child].held)
        assert house.notes.hold is not None
        house.notes.hold.set()
        await left(engine, active=0 if what == "root" else 1)

        await house.storage.let_go(hold.kind, hold.id)
        run = await house.ended(run_id)

    assert (run.status, run.outputs) == (Status.COMPLETED, {"answer": ["x."]})
    assert set(house.notes.count().values()) == {1}


WAITS = graph(
    "waits",
    {"in": INPUT, "does": ("WaitsBlock", {}), "out": OUTPUT},
    "in.result -> does.value\ndoes.result -> out.value",
)
MIDDLE = graph("middle", {"in": INPUT, "does": agent("waits"), "out": OUTPUT}, THROUGH)
TOP = graph("top", {"in": INPUT, "does": agent("middle"), "out": OUTPUT}, THROUGH, (MIDDLE, WAITS))


@pytest.mark.parametrize("how", ["stopped", "failed"])
async def test_what_is_being_stopped_is_not_paused_any_more(house: House, how: str) -> None:
    """Its parent waits for its end; what is below it takes a while to clean up."""
    await house.add(TOP)
    house.notes.deaf_s = 0.3
    async with house.engine() as engine:
        run_id = await at_its_first_step(house, "top")
        root = engine.worker.active_runs[run_id]
        middle = next(loop for loop in engine.worker.active_runs.values() if loop.stored.depth == 1)

        if how == "stopped":
            await house.user.ask_stop(run_id, now_us=house.clock.now_us())
            house.signals.signal(SignalKind.STOP, run_id)
        else:
            root.fail("its time is up")
        await until(lambda: middle.execution.stop_as is not None)
        await house.storage.hold(Hold(kind=HoldKind.GRAPH, id="middle"))
        engine.worker.look()
        run = await house.ended(run_id, limit_s=5)
        await left(engine)

    wanted = Status.TERMINATED if how == "stopped" else Status.FAILED
    assert run.status is wanted
    ends = {row[0] for row in house.rows("SELECT status FROM executions WHERE depth > 0")}
    assert ends == {"TERMINATED"}


@pytest.mark.slow
async def test_pauses_at_any_moment_change_nothing_of_a_run(house: House) -> None:
    await house.add(EVERYTHING)
    for turns in range(0, 300, 30):
        async with house.engine() as engine:
            run_id = await house.submit("everything", run=0)
            house.signals.signal(SignalKind.RUN, run_id)
            for _ in range(turns):
                await asyncio.sleep(0)

            await house.storage.hold(Hold(kind=HoldKind.SERVER))
            engine.worker.look()
            await left(engine)
            await house.storage.let_go(HoldKind.SERVER, "")
            engine.worker.look()
            run = await house.ended(run_id)

            assert run.status is Status.COMPLETED
            assert run.outputs is not None
            assert run.outputs["last"] == ["3."]
    kept = house.rows(
        "SELECT n.id FROM node_executions n JOIN executions e ON e.id = n.run_id"
        " WHERE n.status <> 'COMPLETED'"
    )
    assert kept == []
    assert set(house.notes.count().values()) == {1}
