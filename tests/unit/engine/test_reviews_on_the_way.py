"""Runs that wait for people, over crashes, in other runs, and when they are stopped."""

import asyncio
from typing import Any

import pytest

from backend.core.graph import Graph
from backend.core.ids import ExecutionId
from backend.core.records import ExecutionRecord, NewExecution
from backend.core.reviews import STOPPED
from backend.core.status import Status
from backend.ports.bus import RunChanged
from backend.ports.dispatch import SignalKind
from tests.unit.engine.engine_house import House
from tests.unit.engine.engine_reviews import (
    ASKING,
    BESIDE,
    NESTED,
    OUTER,
    PRINTING,
    answer,
    fault_at,
    open_reviews,
    until,
    yes,
)


async def test_an_answer_survives_every_crash_on_the_way(house: House) -> None:
    """The executor dies at each commit in turn, before and after it, and nobody asks again."""
    await house.add(ASKING)
    run_id = await house.submit("asking", run="x")
    async with house.engine():
        [review] = await open_reviews(house)
    await answer(house, yes(review, edited=True, payload="y"))
    told = len(house.events.seen)
    for kind in ("dies_before", "dies_after"):
        for number in (1, 2, 3):
            fault = fault_at(kind, number)
            async with house.engine(fault):
                await house.until_dead(run_id, fault)

    async with house.engine():
        run = await house.ended(run_id)

    assert run.outputs == {"answer": ["y."], "said": ["Execution approved by reviewer"]}
    assert Status.REVIEW not in {event.record.status for event in house.events.seen[told:]}
    assert len(house.rows("SELECT 1 FROM reviews")) == 1


@pytest.mark.parametrize("kind", ["dies_before", "dies_after", "answer_lost"])
async def test_a_run_comes_to_its_question_whatever_dies_on_the_way(
    house: House, kind: str
) -> None:
    await house.add(NESTED)
    run_id = await house.submit("nested", run="x")
    for number in range(1, 6):
        fault = fault_at(kind, number)
        async with house.engine(fault):
            waiting = asyncio.create_task(open_reviews(house))
            dead = asyncio.create_task(fault.died.wait())
            await asyncio.wait([waiting, dead], return_when=asyncio.FIRST_COMPLETED)
            for task in (waiting, dead):
                task.cancel()
            await asyncio.wait([waiting, dead])

    async with house.engine():
        [review] = await open_reviews(house)
        await answer(house, yes(review))
        run = await house.ended(run_id)

    assert run.outputs == {"answer": ["x."]}
    assert set(house.notes.count().values()) == {1}


async def test_a_nested_run_waits_and_its_parent_goes_on_with_it(house: House) -> None:
    await house.add(NESTED)
    async with house.engine():
        run_id = await house.submit("nested", run="x")
        [review] = await open_reviews(house)
        assert (await house.run(run_id)).status is Status.RUNNING

        await answer(house, yes(review, edited=True, payload="y"))
        run = await house.ended(run_id)

    assert run.outputs == {"answer": ["y."]}


@pytest.mark.parametrize("first", ["the executor", "the answer"])
async def test_a_nested_run_is_found_again_by_its_parent_after_a_restart(
    house: House, first: str
) -> None:
    await house.add(NESTED)
    run_id = await house.submit("nested", run="x")
    async with house.engine():
        [review] = await open_reviews(house)

    if first == "the answer":
        await answer(house, yes(review))
    async with house.engine() as engine:
        if first == "the executor":
            await until(lambda: engine.worker.active)
            await answer(house, yes(review))
        run = await house.ended(run_id)

    assert run.outputs == {"answer": ["x."]}


async def test_an_answer_that_comes_while_the_parent_looks_for_its_nested_run_is_not_missed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks first for what moves, then for what stands still: in between the run went on."""
    await house.add(NESTED)
    run_id = await house.submit("nested", run="x")
    async with house.engine():
        [review] = await open_reviews(house)
    looked = house.storage.finished_run

    async def answered_before(child: ExecutionId) -> ExecutionRecord | None:
        monkeypatch.setattr(house.storage, "finished_run", looked)
        await house.user.answer_reviews([yes(review)], now_us=house.clock.now_us())
        return await looked(child)

    monkeypatch.setattr(house.storage, "finished_run", answered_before)

    async with house.engine():
        run = await house.ended(run_id)

    assert run.outputs == {"answer": ["x."]}


@pytest.mark.parametrize("restarted", [False, True])
async def test_runs_whose_nested_runs_wait_for_people_hold_no_slot(
    house: House,
    restarted: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Nobody knows for how many days; the others must not wait for that."""
    await house.add(OUTER)
    await house.add(PRINTING)
    for number in range(3):
        await house.submit("outer", run=f"x{number}")
    if restarted:
        async with house.engine(slots=1):
            await open_reviews(house, 3)
    async with house.engine(slots=1):
        reviews = await open_reviews(house, 3)

        other = await house.submit("printing", run="y")
        printed = await house.ended(other)
        await answer(house, yes(reviews[0]))
        query = "SELECT root_id FROM executions WHERE id = ?"
        ended = await house.ended(house.rows(query, reviews[0].run_id)[0][0])

    assert printed.outputs == {"answer": ["y"]}
    assert ended.status is Status.COMPLETED


async def test_values_that_the_request_gave_are_there_after_a_pause(house: House) -> None:
    """The reference loses them (A8), and with them what its blocks know of their run."""
    await house.add(ASKING)
    run = NewExecution(
        id=ExecutionId("masked"),
        user_id=house.user.user_id,
        graph_id=ASKING.id,
        graph_version=1,
        inputs={"run": "x"},
        masks={"out": {"name": "masked"}},
        created_us=1,
    )
    await house.storage.submit(run)
    async with house.engine():
        [review] = await open_reviews(house)
    async with house.engine():
        await answer(house, yes(review))
        ended = await house.ended(run.id)

    assert ended.outputs is not None
    assert ended.outputs["masked"] == ["x."]
    # The key of a step is its execution's, as if there had been no pause.
    [(node, key)] = house.notes.runs
    assert node == key


async def stop(house: House, run_id: ExecutionId) -> None:
    assert await house.user.ask_stop(run_id, now_us=house.clock.now_us())
    house.signals.signal(SignalKind.STOP, run_id)


def review_rows(house: House) -> list[tuple[str, str, int]]:
    return house.rows("SELECT status, message, processed FROM reviews")


@pytest.mark.parametrize("which", [ASKING, NESTED], ids=["asking", "nested"])
async def test_a_stop_ends_a_run_that_waits_and_closes_its_questions(
    house: House, which: Graph
) -> None:
    await house.add(which)
    async with house.engine():
        run_id = await house.submit(which.id, run="x")
        await open_reviews(house)

        await stop(house, run_id)
        run = await house.ended(run_id, limit_s=5)

    assert run.status is Status.TERMINATED
    assert review_rows(house) == [("REJECTED", STOPPED, 1)]
    assert house.rows("SELECT 1 FROM executions WHERE status <> 'TERMINATED'") == []
    assert house.rows("SELECT 1 FROM node_executions WHERE status = 'REVIEW'") == []
    told = [e.record.status for e in house.events.seen if isinstance(e, RunChanged)]
    assert told[-1] is Status.TERMINATED


async def test_the_stop_of_a_nested_run_that_waits_reaches_its_parent(house: House) -> None:
    await house.add(NESTED)
    async with house.engine():
        run_id = await house.submit("nested", run="x")
        [review] = await open_reviews(house)

        await stop(house, review.run_id)
        run = await house.ended(run_id, limit_s=5)

    [node] = [node for node in await house.nodes(run_id) if node.node_id == "does"]
    assert (run.status, node.status) == (Status.COMPLETED, Status.FAILED)
    assert "ended as TERMINATED" in (node.error or "")


async def test_a_stop_while_the_rest_still_works_closes_open_questions_too(house: House) -> None:
    await house.add(BESIDE)
    async with house.engine():
        run_id = await house.submit("beside", run="x")
        await house.notes.held.wait()

        await stop(house, run_id)
        run = await house.ended(run_id, limit_s=5)

    assert run.status is Status.TERMINATED
    assert review_rows(house) == [("REJECTED", STOPPED, 1)]


@pytest.mark.slow
async def test_a_stop_that_comes_while_a_run_is_about_to_wait_is_not_lost(house: House) -> None:
    """It was asked for on disk; the signal was lost, and the run came to wait after that."""
    await house.add(BESIDE)
    house.notes.hold = asyncio.Event()
    async with house.engine():
        run_id = await house.submit("beside", run="x")
        await house.notes.held.wait()

        assert await house.user.ask_stop(run_id, now_us=house.clock.now_us())
        house.notes.hold.set()
        run = await house.ended(run_id, limit_s=10)

    assert run.status is Status.TERMINATED
    assert review_rows(house) == [("REJECTED", STOPPED, 1)]


@pytest.mark.parametrize("noted", ["before", "after"])
async def test_a_stop_that_meets_the_commit_of_a_pause_takes_no_number_twice(
    house: House, noted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is queued again under the next number; who has seen that wants no older news."""
    await house.add(ASKING)
    commit = house.storage.commit
    numbers: list[tuple[str, int]] = []

    async def slow(staged: Any) -> Any:
        pauses = any(row[0] == Status.REVIEW.value for row in staged.run_rows)
        if pauses and noted == "before":
            await stop(house, run_id)
        refused = await commit(staged)
        if pauses:
            if noted == "after":
                await stop(house, run_id)
            numbers.extend(house.rows("SELECT status, revision FROM executions"))
            await asyncio.sleep(0.05)  # the executor hears of it
        return refused

    monkeypatch.setattr(house.storage, "commit", slow)
    async with house.engine():
        run_id = await house.submit("asking", run="x")
        house.signals.signal(SignalKind.RUN, run_id)
        run = await house.ended(run_id)

    assert run.status is Status.TERMINATED
    [(status, queued_at)] = numbers
    assert status == Status.QUEUED.value
    assert queued_at not in {event.record.revision for event in house.events.seen}
    assert (queued_at,) not in house.rows("SELECT revision FROM node_executions")


async def test_who_watches_looks_before_news_of_a_run_that_goes_on(house: House) -> None:
    """Another executor may have had it before, and tell what it did too late or never."""
    await house.add(ASKING)
    run_id = await house.submit("asking", run="x")
    topic = f"run:{run_id}"
    async with house.engine():
        [review] = await open_reviews(house)
    assert (topic, 0) not in house.events.looks
    told = len(house.events.seen)
    await answer(house, yes(review))

    async with house.engine():
        await house.ended(run_id)

    assert (topic, told) in house.events.looks
    assert len(house.events.seen) > told
