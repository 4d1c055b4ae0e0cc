"""Runs that are stopped: queued, at work, deaf for a while, nested, at any moment."""

import asyncio
import time

import pytest

from backend.core.ids import ExecutionId
from backend.core.status import FINAL, Status
from backend.engine.engine import Engine
from backend.engine.node_task import GRACE_S
from backend.engine.run_loop import RunLoop
from backend.ports.dispatch import SignalKind
from tests.unit.engine.engine_blocks import EVERYTHING, INPUT, OUTPUT, agent, graph
from tests.unit.engine.engine_house import House

LINKS = "in.result -> does.value\ndoes.result -> out.value"
WAITING = graph("waiting", {"in": INPUT, "does": ("WaitsBlock", {}), "out": OUTPUT}, LINKS)
QUICK = graph("quick", {"in": INPUT, "does": ("KeyedBlock", {}), "out": OUTPUT}, LINKS)
MIDDLE = graph(
    "middle",
    {"in": INPUT, "does": agent("waiting"), "out": OUTPUT},
    "in.result -> does.run\ndoes.answer -> out.value",
)
OUTER = graph(
    "outer",
    {"in": INPUT, "does": agent("middle"), "out": OUTPUT},
    "in.result -> does.run\ndoes.answer -> out.value",
    (MIDDLE, WAITING),
)


async def stop(house: House, run_id: ExecutionId) -> bool:
    asked = await house.user.ask_stop(run_id, now_us=house.clock.now_us())
    house.signals.signal(SignalKind.STOP, run_id)
    return asked


def statuses(house: House, table: str) -> set[str]:
    return {row[0] for row in house.rows(f"SELECT status FROM {table}")}


async def test_a_run_that_waits_for_a_slot_is_stopped_and_nothing_of_it_runs(house: House) -> None:
    await house.add(WAITING)
    await house.add(QUICK)
    async with house.engine(slots=1):
        first = await house.submit("waiting", run="x")
        house.signals.signal(SignalKind.RUN, first)
        await house.notes.held.wait()
        queued = await house.submit("quick", run="x")
        house.signals.signal(SignalKind.RUN, queued)

        assert await stop(house, queued)
        run = await house.ended(queued, limit_s=5)

        assert run.status is Status.TERMINATED
        assert (await house.run(first)).status is Status.RUNNING
    assert house.rows("SELECT 1 FROM node_executions WHERE run_id = ?", queued) == []


async def test_a_run_stopped_while_no_engine_was_there_does_nothing_more(house: House) -> None:
    await house.add(QUICK)
    run_id = await house.submit("quick", run="x")
    await stop(house, run_id)

    async with house.engine():
        run = await house.ended(run_id)

    assert run.status is Status.TERMINATED
    assert house.notes.runs == []


@pytest.mark.parametrize("deaf_s", [0.0, 0.2])
async def test_a_run_at_work_ends_as_stopped_when_its_nodes_have_cleaned_up(
    house: House, deaf_s: float
) -> None:
    await house.add(WAITING)
    house.notes.deaf_s = deaf_s
    async with house.engine():
        run_id = await house.submit("waiting", run="x")
        await house.notes.held.wait()
        begin = house.clock.monotonic_s()

        await stop(house, run_id)
        run = await house.ended(run_id)

        assert house.clock.monotonic_s() - begin >= deaf_s
        told = await house.told_last()
    nodes = {str(n.node_id): n.status for n in await house.nodes(run_id)}
    assert (run.status, nodes["does"]) == (Status.TERMINATED, Status.TERMINATED)
    assert told.status is Status.TERMINATED


async def test_a_node_that_had_no_time_to_clean_up_is_not_called_deaf(house: House) -> None:
    await house.add(WAITING)
    async with house.engine() as engine:
        run_id = await house.submit("waiting", run="x")
        await house.notes.held.wait()

        engine.worker.active_runs[run_id].stop()
        time.sleep(1.5 * GRACE_S)  # noqa: ASYNC251 - everything stands still, as in a frozen process
        run = await house.ended(run_id)

    assert run.status is Status.TERMINATED
    [node] = [node for node in await house.nodes(run_id) if node.node_id == "does"]
    assert (node.status, node.error) == (Status.TERMINATED, None)


async def test_all_nested_runs_are_stopped_with_their_root(house: House) -> None:
    await house.add(OUTER)
    async with house.engine():
        run_id = await house.submit("outer", run="x")
        await house.notes.held.wait()

        await stop(house, run_id)
        await house.ended(run_id)

    assert len(house.rows("SELECT 1 FROM executions")) == 3
    assert statuses(house, "executions") == {"TERMINATED"}


async def test_a_stop_is_not_forgotten_when_the_engine_dies(house: House) -> None:
    await house.add(OUTER)
    house.notes.deaf_s = 60
    async with house.engine():
        run_id = await house.submit("outer", run="x")
        await house.notes.held.wait()
        await stop(house, run_id)
    runs = len(house.notes.runs)

    async with house.engine():
        run = await house.ended(run_id)
        for (child,) in house.rows("SELECT id FROM executions"):
            await house.ended(child)

    assert run.status is Status.TERMINATED
    assert statuses(house, "executions") == {"TERMINATED"}
    assert len(house.notes.runs) == runs


async def test_a_node_that_is_stopped_before_its_task_has_had_a_turn_ends_too(
    house: House,
) -> None:
    await house.add(WAITING)
    async with house.engine() as engine:
        run_id = await house.submit("waiting", run="x")
        house.signals.signal(SignalKind.RUN, run_id)
        async with asyncio.timeout(5):
            # Who looks in each turn of the event loop sees a task before its first one.
            while (loop := _at_work(engine, run_id)) is None:  # noqa: ASYNC110 - see above
                await asyncio.sleep(0)

        loop.stop()
        run = await house.ended(run_id, limit_s=5)

    assert run.status is Status.TERMINATED
    assert house.notes.runs == []
    nodes = {str(n.node_id): n.status for n in await house.nodes(run_id)}
    assert nodes["does"] is Status.TERMINATED


def _at_work(engine: Engine, run_id: ExecutionId) -> RunLoop | None:
    """Return the run's loop once a node of it has a task."""
    loop = engine.worker.active_runs.get(run_id)
    if loop is None or not any(map(loop.task_of, loop.execution.running)):
        return None
    return loop


@pytest.mark.slow
async def test_at_whatever_moment_the_stop_comes_nothing_goes_on_afterwards(house: House) -> None:
    """Also in the middle of a child's being added."""
    await house.add(EVERYTHING)
    async with house.engine():
        for turns in range(0, 400, 8):
            run_id = await house.submit("everything", run=0)
            house.signals.signal(SignalKind.RUN, run_id)
            for _ in range(turns):
                await asyncio.sleep(0)

            await stop(house, run_id)
            run = await house.ended(run_id)

            assert run.status in {Status.TERMINATED, Status.COMPLETED}
            children = house.rows("SELECT status FROM executions WHERE root_id = ?", run_id)
            assert {Status(row[0]) for row in children} <= FINAL
            nodes = [node.status for node in await house.nodes(run_id)]
            assert not {Status.QUEUED, Status.RUNNING} & set(nodes)
        done = len(house.notes.runs)
        await asyncio.sleep(0.05)

    assert len(house.notes.runs) == done
    assert statuses(house, "executions") <= {"TERMINATED", "COMPLETED"}
