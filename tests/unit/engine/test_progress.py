"""An engine that loses a run finds it again; a run that waits for something is left alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from backend.core.ids import ExecutionId
from backend.core.status import Status
from backend.engine.engine import Engine
from backend.engine.progress import ProgressWatch
from backend.engine.run_loop import RunLoop
from backend.engine.tools import Limits
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, agent, graph, with_policy
from tests.unit.engine.engine_house import House
from tests.unit.engine.engine_reviews import ASKING, BESIDE, answer, open_reviews, until, yes

LINKS = "in.result -> does.value\ndoes.result -> out.value"
WAITS = graph("waits", {"in": INPUT, "does": ("WaitsBlock", {}), "out": OUTPUT}, LINKS)


def impatient(engine: Engine) -> ProgressWatch:
    """Return a watch that takes what it sees the second time for lost."""
    return ProgressWatch(engine.worker, engine._tools, patience_s=0.0)


@asynccontextmanager
async def at_work(
    house: House, limits: Limits | None = None
) -> AsyncIterator[tuple[Engine, ExecutionId, RunLoop]]:
    """A run whose node waits until the test lets it go on."""
    house.notes.hold = asyncio.Event()
    await house.add(WAITS)
    async with house.engine(limits=limits) as engine:
        run_id = await house.submit("waits", run="x")
        await house.notes.held.wait()
        yield engine, run_id, engine.worker.active_runs[run_id]


@pytest.mark.slow
async def test_a_run_whose_task_is_lost_goes_on_by_itself(house: House) -> None:
    async with at_work(house) as (engine, run_id, loop):
        loop._tasks.clear()  # as if a defect of ours had ended the task without a word
        assert house.notes.hold is not None
        house.notes.hold.set()

        assert await impatient(engine).look() == [run_id]

        run = await house.ended(run_id)
        await until(lambda: not engine.worker.active)
        assert engine.worker.limits().full_users == ()
        assert not engine.worker.count_again()
    assert (run.status, run.outputs) == (Status.COMPLETED, {"answer": ["x"]})
    assert run.attempt == 2


async def test_a_node_that_was_cancelled_though_nobody_asked_for_it_is_not_passed_over(
    house: House,
) -> None:
    """As all tasks are when the process ends."""
    async with at_work(house) as (engine, run_id, loop):
        [ordinal] = loop.execution.running
        node = loop.task_of(ordinal)
        assert node is not None
        node.task.cancel()
        await asyncio.wait([node.task])
        await engine.journal.flush()

        [does] = [one for one in await house.nodes(run_id) if one.node_id == "does"]
        assert does.status is Status.RUNNING
        assert house.notes.hold is not None
        house.notes.hold.set()
        assert await impatient(engine).look() == [run_id]
        run = await house.ended(run_id)

    assert (run.status, run.outputs) == (Status.COMPLETED, {"answer": ["x"]})


@pytest.mark.parametrize(
    "seconds",
    [
        # As long as the lease and half a minute.
        pytest.param((0.0, 10.0, 25.0, 41.0, 59.0, 61.0), id="looks"),
        # The time of a frozen process counts for none of its runs.
        pytest.param((0.0, 300.0, 310.0, 325.0, 341.0), id="frozen"),
    ],
)
async def test_what_is_lost_is_waited_for_as_long_as_somebody_looked(
    house: House, monkeypatch: pytest.MonkeyPatch, seconds: tuple[float, ...]
) -> None:
    async with at_work(house) as (engine, run_id, loop):
        loop._tasks.clear()
        now_s = house.clock.monotonic_s()

        found = []
        for passed_s in seconds:
            monkeypatch.setattr(house.clock, "monotonic_s", lambda s=passed_s: now_s + s)
            found.append(await engine.watch.look())

        assert found == [[] for _ in seconds[1:]] + [[run_id]]


async def test_a_run_that_the_worker_forgets_is_begun_again_from_its_rows(house: House) -> None:
    async with at_work(house) as (engine, run_id, _):
        del engine.worker.active_runs[run_id]
        assert house.notes.hold is not None
        house.notes.hold.set()

        run = await house.ended(run_id)

        # Nobody gave its place back: nobody would wait for it for ever.
        await until(lambda: not engine.worker.active)
        await engine.watch.look()
        assert not engine.worker._admission._active
    assert (run.status, run.outputs) == (Status.COMPLETED, {"answer": ["x"]})


@pytest.mark.slow
async def test_a_lost_place_is_given_to_the_next(house: House) -> None:
    async with at_work(house, Limits(runs_per_graph=1)) as (engine, run_id, loop):
        engine.worker.active_runs.pop(run_id)
        await loop.give_up()
        await house.user.ask_stop(run_id, now_us=1)  # let in whatever the limits say
        await house.ended(run_id)
        second = await house.submit("waits", run="y")
        assert house.notes.hold is not None
        house.notes.hold.set()

        await until(lambda: not engine.worker.active)
        await engine.watch.look()

        assert (await house.ended(second)).status is Status.COMPLETED


async def test_a_run_that_is_lost_again_and_again_fails_with_a_reason(house: House) -> None:
    async with at_work(house) as (engine, run_id, _):
        watch = impatient(engine)
        async with asyncio.timeout(20):
            while (await house.run(run_id)).status is Status.RUNNING:
                lost = engine.worker.active_runs.get(run_id)
                if lost is not None and not engine.worker.is_loading(run_id):
                    lost._tasks.clear()
                    await watch.look()
                engine.worker._more = True
                engine.worker._wake.set()
                await asyncio.sleep(0.002)
        run = await house.run(run_id)

    assert run.status is Status.FAILED
    assert run.stats is not None
    assert (run.stats.error or "").startswith(
        "the run stood still 6 times at the same point: nothing works on node execution"
    )


@pytest.mark.slow
async def test_a_node_past_its_limit_that_nobody_ends_is_begun_again(house: House) -> None:
    async with at_work(house, Limits(node_s=3600.0)) as (engine, run_id, loop):
        [ordinal] = loop.execution.running
        task = loop.task_of(ordinal)
        assert task is not None
        assert task._tried_s is not None
        task._tried_s -= 3602.0  # its timer was lost
        house.notes.held.clear()

        assert await impatient(engine).look() == [run_id]

        await house.notes.held.wait()
        assert engine.worker.active_runs[run_id] is not loop


@pytest.mark.slow
async def test_runs_that_wait_for_something_are_left_alone(house: House) -> None:
    retries = graph("retries", {"in": INPUT, "does": ("FlakyBlock", {}), "out": OUTPUT}, LINKS)
    later = {"retries": 3, "retry_wait_s": 3600.0, "retry_wait_most_s": 3600.0}
    nested = graph(
        "nested",
        {"in": INPUT, "does": agent("asking"), "out": OUTPUT},
        "in.result -> does.run\ndoes.answer -> out.value",
        (ASKING,),
    )
    for made in (with_policy(retries, "does", **later), nested, BESIDE):
        await house.add(made)
    async with at_work(house, Limits(runs_per_graph=1, node_s=0.0)) as (engine, run_id, _):
        others = [await house.submit(name, run="x") for name in ("retries", "nested", "beside")]
        queued = await house.submit("waits", run="y")
        await open_reviews_of(house)
        await until(lambda: house.rows("SELECT max(tries) FROM node_executions") == [(1,)])
        # The agent inside "nested" leaves when its question is on disk.
        await until(lambda: set(engine.worker.active_runs) == {run_id, *others})
        watch = impatient(engine)

        assert [await watch.look(), await watch.look()] == [[], []]

        assert set(engine.worker.active_runs) == {run_id, *others}
        assert (await house.run(queued)).status is Status.QUEUED


async def test_a_run_that_is_held_is_left_alone(house: House) -> None:
    async with at_work(house) as (engine, run_id, loop):
        loop.hold()
        assert house.notes.hold is not None
        house.notes.hold.set()
        await until(lambda: not loop._tasks)
        watch = impatient(engine)

        # What comes next is noted as running, and nothing works on it yet.
        assert [await watch.look(), await watch.look()] == [[], []]

        loop.go_on()
        assert (await house.ended(run_id)).status is Status.COMPLETED


async def open_reviews_of(house: House) -> None:
    """Wait until both graphs that ask have asked."""
    await until(lambda: house.rows("SELECT count(*) FROM reviews") == [(2,)])


async def test_a_run_that_waited_for_a_person_goes_on_after_looks(house: House) -> None:
    await house.add(ASKING)
    async with house.engine() as engine:
        run_id = await house.submit("asking", run="x")
        [review] = await open_reviews(house)
        watch = impatient(engine)

        assert [await watch.look(), await watch.look()] == [[], []]

        await answer(house, yes(review))
        assert (await house.ended(run_id)).status is Status.COMPLETED
