"""Runs that wait for people: what is asked, what is answered, and what comes of it."""

import asyncio
from typing import Any

import pytest

from backend.core.reviews import AUTO_APPROVED
from backend.core.status import Status
from tests.unit.engine.engine_blocks import agent, graph
from tests.unit.engine.engine_house import House
from tests.unit.engine.engine_reviews import (
    ASKING,
    BESIDE,
    EACH,
    HANDS,
    LOOP,
    NESTED,
    PRINTING,
    SENSITIVE,
    SHOWS,
    THROUGH,
    answer,
    no,
    open_reviews,
    settings,
    statuses,
    until,
    yes,
)


async def test_a_run_waits_for_its_answer_and_goes_on_with_the_edited_data(house: House) -> None:
    await house.add(ASKING)
    async with house.engine() as engine:
        run_id = await house.submit("asking", run={"n": 1})
        [review] = await open_reviews(house)
        nodes = await house.nodes(run_id)
        assert statuses(nodes, "ask") == [Status.REVIEW]
        assert (review.payload, review.instructions) == ({"n": 1}, "Is this right?")
        assert engine.worker.active == 0

        assert await answer(house, yes(review, edited=True, payload={"n": 2}, message="better"))
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED
    assert run.outputs == {"answer": ["{'n': 2}."], "said": ["better"]}
    assert statuses(await house.nodes(run_id), "ask") == [Status.COMPLETED]
    assert run.stats is not None
    assert run.stats.node_count == 5


async def test_a_rejection_comes_out_on_its_own_pin_and_is_no_failure(house: House) -> None:
    await house.add(ASKING)
    async with house.engine():
        run_id = await house.submit("asking", run="x")
        [review] = await open_reviews(house)

        await answer(house, no(review))
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED
    assert run.outputs == {"rejected": ["x"], "said": ["Execution rejected by reviewer"]}
    assert statuses(await house.nodes(run_id), "ask") == [Status.COMPLETED]


async def test_a_run_goes_on_only_when_nothing_of_it_is_open(house: House) -> None:
    await house.add(EACH)
    async with house.engine():
        run_id = await house.submit("each", run=["a", "b", "c"])
        first, second, third = await open_reviews(house, 3)

        assert not await answer(house, yes(second))
        assert not await answer(house, no(third), yes(second))
        assert (await house.run(run_id)).status is Status.REVIEW
        assert await answer(house, yes(first, message="well"))
        run = await house.ended(run_id)

    assert run.outputs is not None
    assert run.outputs["answer"] == ["a", "b"]
    said = ["well", "Execution approved by reviewer", "Execution rejected by reviewer"]
    assert run.outputs["said"] == said


async def test_a_node_of_a_loop_asks_no_more_when_all_its_future_is_approved(house: House) -> None:
    await house.add(LOOP)
    async with house.engine():
        run_id = await house.submit("loop", run=0)
        [first] = await open_reviews(house)
        await answer(house, yes(first))
        [second] = await open_reviews(house)

        # Data beside it is not looked at.
        await answer(house, yes(second, approve_further=True, edited=True, payload=7))
        run = await house.ended(run_id)

    nodes = await house.nodes(run_id)
    assert second.node_exec_id != first.node_exec_id
    assert run.outputs == {"answer": [3]}
    assert statuses(nodes, "ask") == [Status.COMPLETED] * 3
    said = [dict(node.outputs)["review_message"] for node in nodes if node.node_id == "ask"]
    assert said[2] == [AUTO_APPROVED]


async def test_a_sensitive_block_runs_with_the_inputs_that_a_person_left(house: House) -> None:
    await house.add(PRINTING)
    await settings(house, "printing", sensitive_action_safe_mode=True)
    async with house.engine():
        run_id = await house.submit("printing", run="x")
        [review] = await open_reviews(house)
        assert (review.payload, review.instructions) == ({"text": "x"}, "PrintToConsoleBlock")

        await answer(house, yes(review, edited=True, payload={"text": "y"}))
        run = await house.ended(run_id)

    assert run.outputs == {"answer": ["y"]}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (lambda review: no(review, "too loud"), "Block execution rejected by reviewer: too loud"),
        (no, "Block execution rejected by reviewer"),
        (lambda review: yes(review, edited=True, payload=[1]), "must be an object"),
        (lambda review: yes(review, edited=True, payload={}), "text"),
    ],
)
async def test_a_sensitive_block_that_may_not_run_fails_and_says_why(
    house: House, said: Any, reason: str
) -> None:
    await house.add(PRINTING)
    await settings(house, "printing", sensitive_action_safe_mode=True)
    async with house.engine():
        run_id = await house.submit("printing", run="x")
        [review] = await open_reviews(house)

        await answer(house, said(review))
        run = await house.ended(run_id)

    [node] = [node for node in await house.nodes(run_id) if node.node_id == "print"]
    assert (run.status, node.status) == (Status.COMPLETED, Status.FAILED)
    assert reason in (node.error or "")
    assert run.outputs == {"rejected": [node.error]}


@pytest.mark.slow
async def test_nobody_is_asked_where_the_owner_has_said_so(house: House) -> None:
    await house.add(NESTED)
    await house.add(PRINTING)
    await settings(house, "nested", human_in_the_loop_safe_mode=False)
    async with house.engine():
        asking = await house.ended(await house.submit("nested", run="x"))
        printing = await house.ended(await house.submit("printing", run="x"))

    assert asking.outputs == {"answer": ["x."]}
    assert printing.outputs == {"answer": ["x"]}
    assert house.rows("SELECT 1 FROM reviews") == []


async def test_what_is_set_for_an_agent_holds_for_those_that_it_runs(house: House) -> None:
    await house.add(graph("outer", {**HANDS, "does": agent("shows")}, THROUGH, (SHOWS,)))
    await settings(house, "outer", sensitive_action_safe_mode=True)
    async with house.engine():
        run_id = await house.submit("outer", run="x")
        [review] = await open_reviews(house)
        await answer(house, yes(review))
        run = await house.ended(run_id)

    assert review.graph_id == "shows"
    assert run.outputs == {"answer": ["x"]}


@pytest.mark.parametrize("said", ["yes", "no"])
async def test_an_answer_holds_though_its_owner_has_stopped_asking_since(
    house: House, said: str
) -> None:
    for one, asks in ((ASKING, "human_in_the_loop_safe_mode"), (PRINTING, SENSITIVE)):
        await house.add(one)
        await settings(house, one.id, **{asks: True})
    async with house.engine():
        runs = [await house.submit(one.id, run="x") for one in (ASKING, PRINTING)]
        reviews = {review.graph_id: review for review in await open_reviews(house, 2)}
        await settings(house, "asking", human_in_the_loop_safe_mode=False)
        await settings(house, "printing", sensitive_action_safe_mode=False)

        edits: dict[str, Any] = {"asking": "y", "printing": {"text": "y"}}
        for name, review in reviews.items():
            edited = yes(review, edited=True, payload=edits[name])
            await answer(house, edited if said == "yes" else no(review))
        asked, printed = [(await house.ended(run_id)).outputs or {} for run_id in runs]

    if said == "yes":
        assert (asked["answer"], printed["answer"]) == (["y."], ["y"])
    else:
        assert asked.keys() == {"rejected", "said"}
        assert printed.keys() == {"rejected"}


async def test_the_rest_of_a_run_goes_on_while_one_branch_waits(house: House) -> None:
    await house.add(BESIDE)
    house.notes.hold = asyncio.Event()
    async with house.engine():
        run_id = await house.submit("beside", run="x")
        await house.notes.held.wait()
        await until(lambda: house.rows("SELECT 1 FROM reviews"))
        assert (await house.run(run_id)).status is Status.RUNNING

        house.notes.hold.set()
        [review] = await open_reviews(house)
        nodes = await house.nodes(run_id)
        await answer(house, yes(review))
        run = await house.ended(run_id)

    assert statuses(nodes, "does") == [Status.COMPLETED]
    assert run.outputs == {"answer": ["x"]}
    assert house.notes.count().most_common(1)[0][1] == 1
