"""Blocks in threads and worker processes: the same rules, and whatever they do hurts only their run."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.adapters.processes import WorkerPool
from backend.core.records import ExecutionRecord
from backend.core.status import Status
from backend.engine.tools import Limits
from backend.ports.dispatch import SignalKind
from backend.ports.processes import ProcessLimits
from tests.unit.engine.engine_blocks import INPUT, graph
from tests.unit.engine.engine_house import Fault, House
from tests.unit.engine.engine_placed import ThreadedBlock

MEGABYTE = 1024 * 1024
LIMITS = ProcessLimits(count=1, time_s=60.0, memory_bytes=200 * MEGABYTE, value_bytes=MEGABYTE)
LONG = "." * 200


def deed(how: str, **more: Any) -> Any:
    return graph("deed", {"deed": ("DeedBlock", {"how": how, **more})}, "")


THREE = graph("three", {"deed": ("DeedBlock", {"how": "three"})}, "")
#: A loop of a thousand pure nodes.
PURE = graph(
    "pure",
    {"in": INPUT, "count": ("CountBlock", {"limit": 1000})},
    "in.result -> count.n\ncount.again -> count.n",
)


async def ended(house: House, graph_id: str) -> ExecutionRecord:
    run_id = await house.submit(graph_id)
    house.signals.signal(SignalKind.RUN, run_id)
    return await house.ended(run_id)


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    made = WorkerPool(LIMITS)
    yield made
    await made.close()
    assert made.pids == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("spin", "longer than 1 s (setting BLOCK_PROCESS_TIME_LIMIT_S)"),
        ("sleep", "longer than 1 s (setting BLOCK_PROCESS_TIME_LIMIT_S)"),
        ("leak", "more than 200 MB of memory (setting BLOCK_PROCESS_MEMORY_MB)"),
        ("leave", "its process ended with exit code 7"),
        ("system_exit", "SystemExit 3"),
        ("interrupt", "KeyboardInterrupt"),
        ("flood", "more than 300 outputs (setting MAX_OUTPUTS_PER_NODE)"),
    ],
)
async def test_what_misbehaves_hurts_only_its_own_run_and_others_end_meanwhile(
    house: House, how: str, says: str
) -> None:
    pool = WorkerPool(LIMITS)
    await house.add(deed(how))
    await house.add(PURE)
    await house.add(THREE)
    async with house.engine(processes=pool, limits=Limits(outputs_per_node=300)):
        # The limit is for what the block does, not for the first start of a worker.
        assert (await ended(house, "three")).status is Status.COMPLETED
        if how in ("spin", "sleep"):
            pool.limits = replace(LIMITS, time_s=1.0)
        bad = await house.submit("deed")
        house.signals.signal(SignalKind.RUN, bad)
        good = await house.submit("pure", run=1)
        house.signals.signal(SignalKind.RUN, good)

        fine, failed = await house.ended(good), await house.ended(bad)

        # A second one finds a worker, whatever became of the first.
        pool.limits = LIMITS
        assert (await ended(house, "three")).status is Status.COMPLETED
    await pool.close()

    assert fine.status is Status.COMPLETED
    assert failed.ended_us is not None
    assert fine.ended_us is not None
    if how in ("spin", "sleep"):
        assert fine.ended_us < failed.ended_us
    (node,) = await house.nodes(bad)
    assert node.status == "FAILED"
    assert says in (node.error or "")
    assert node.outputs["result"][0] == how  # what it yielded before is kept


async def one(house: House, pool: WorkerPool | None, block: str, **inputs: Any) -> Any:
    """Run a graph of one node; return the node's record."""
    await house.add(graph("one", {"node": (block, inputs)}, ""))
    async with house.engine(processes=pool):
        run = await house.submit("one")
        house.signals.signal(SignalKind.RUN, run)
        await house.ended(run)
    (node,) = await house.nodes(run)
    return node


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("raw", "result: a value has no JSON form"),
        ("wrong_pin", "'nowhere', which is none of its output pins"),
        ("refuse", "raised by DeedBlock with message: not like this. block_id: 0000"),
    ],
)
async def test_outputs_from_a_process_are_held_to_the_same_rules(
    house: House, pool: WorkerPool, how: str, says: str
) -> None:
    node = await one(house, pool, "DeedBlock", how=how)

    assert (node.status, says in node.error) == ("FAILED", True), node.error


async def test_a_block_in_a_process_knows_who_runs_it(house: House, pool: WorkerPool) -> None:
    node = await one(house, pool, "DeedBlock", how="facts")

    assert node.outputs["result"] == ["facts", ["ann", node.id, True]]


async def test_an_async_block_calls_a_function_of_its_own_package(
    house: House, pool: WorkerPool
) -> None:
    node = await one(house, pool, "FarBlock", how="near")

    pid, word = node.outputs["result"][0]
    assert (pid in pool.pids, word) == (True, "near")


async def test_a_function_from_elsewhere_is_refused(house: House, pool: WorkerPool) -> None:
    node = await one(house, pool, "FarBlock", how="stranger")

    assert "is not of the block's own package" in node.error
    assert pool.figures.started == 0


async def test_without_processes_the_block_fails_and_says_why(house: House) -> None:
    node = await one(house, None, "DeedBlock", how="three")

    assert "needs a worker process, and here is none" in node.error


async def test_stopping_a_run_ends_the_process_that_works_for_it(
    house: House, pool: WorkerPool, tmp_path: Path
) -> None:
    place = tmp_path / "pid"
    await house.add(deed("spin", place=str(place)))
    async with house.engine(processes=pool):
        run = await house.submit("deed")
        house.signals.signal(SignalKind.RUN, run)
        async with asyncio.timeout(20):
            while not (await house.nodes(run) and place.exists() and place.read_text()):  # noqa: ASYNC110 - another process wakes nobody
                await asyncio.sleep(0.01)
        await house.user.ask_stop(run, now_us=house.clock.now_us())
        house.signals.signal(SignalKind.STOP, run)

        ended = await house.ended(run)

        assert ended.status is Status.TERMINATED
    assert not psutil.pid_exists(int(place.read_text()))


async def test_after_a_crash_outputs_that_are_on_disk_are_not_given_again(
    house: House, pool: WorkerPool
) -> None:
    await house.add(
        graph(
            "crash",
            {"deed": ("DeedBlock", {"how": "three"}), "read": ("ReadBlock", {})},
            "deed.result -> read.value",
        )
    )
    run = await house.submit("crash")
    for commit in range(1, 30):
        fault = Fault(dies_after=commit)
        async with house.engine(fault, processes=pool):
            house.signals.signal(SignalKind.RUN, run)
            if not await house.until_dead(run, fault):
                break
        assert commit < 29

    ended = await house.run(run)
    assert ended.status is Status.COMPLETED
    nodes = await house.nodes(run)
    (made,) = [node for node in nodes if "how" in node.inputs]
    assert made.outputs["result"] == ["three", 0, 1, 2]
    assert [n.inputs["value"] for n in nodes if n is not made] == ["three", 0, 1, 2]


@pytest.mark.parametrize(
    ("how", "outputs"), [("short", [True, "end"]), ("long" + LONG, [False, "end"])]
)
async def test_a_small_input_stays_on_the_loop_and_a_large_one_does_not(
    house: House, how: str, outputs: list[Any]
) -> None:
    node = await one(house, None, "ThreadedBlock", how=how)

    assert node.outputs["result"] == outputs


@pytest.mark.parametrize(
    ("how", "says"), [("exit", "SystemExit 3"), ("bytes", "result: a value has no JSON form")]
)
async def test_outputs_from_a_thread_are_held_to_the_same_rules(
    house: House, how: str, says: str
) -> None:
    node = await one(house, None, "ThreadedBlock", how=how + LONG)

    assert (node.status, says in node.error) == ("FAILED", True), node.error
    assert node.outputs["result"] == [False]


async def test_others_run_while_a_block_waits_in_its_thread_and_the_files_threads_are_free(
    house: House,
) -> None:
    ThreadedBlock.let_go.clear()
    await house.add(graph("wait", {"node": ("ThreadedBlock", {"how": "wait" + LONG})}, ""))
    await house.add(PURE)
    async with house.engine():
        waiting = [await house.submit("wait") for _ in range(20)]
        for run in waiting:
            house.signals.signal(SignalKind.RUN, run)
        good = await house.submit("pure", run=1)
        house.signals.signal(SignalKind.RUN, good)

        fine = await house.ended(good)
        assert await asyncio.to_thread(lambda: True)
        before = [(await house.run(run)).status for run in waiting]
        ThreadedBlock.let_go.set()
        after = [(await house.ended(run)).status for run in waiting]

    assert fine.status is Status.COMPLETED
    assert Status.COMPLETED not in before
    assert set(after) == {Status.COMPLETED}
