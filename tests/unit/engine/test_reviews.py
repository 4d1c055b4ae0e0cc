"""Runs that wait for people: paused, answered, taken up again by another executor, stopped."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from backend.core.graph import Graph
from backend.core.ids import ExecutionId, GraphId
from backend.core.records import NewExecution, NodeRecord
from backend.core.reviews import AUTO_APPROVED, STOPPED, Answer, ReviewRecord
from backend.core.status import Status
from backend.ports.bus import RunChanged
from backend.ports.dispatch import SignalKind
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, agent, graph
from tests.unit.engine.engine_house import LIMIT_S, Fault, House

ASK = ("HumanInTheLoopBlock", {"name": "Is this right?"})
PRINT: tuple[str, dict[str, Any]] = ("PrintToConsoleBlock", {})
REJECTED = ("AgentOutputBlock", {"name": "rejected"})
SAID = ("AgentOutputBlock", {"name": "said"})

HANDS = {"in": INPUT, "out": OUTPUT}
SENSITIVE = "sensitive_action_safe_mode"

ASKING = graph(
    "asking",
    {"in": INPUT, "ask": ASK, "does": ("KeyedBlock", {}), "out": OUTPUT, "no": REJECTED, "s": SAID},
    "in.result -> ask.data\nask.approved_data -> does.value\ndoes.result -> out.value\n"
    "ask.rejected_data -> no.value\nask.review_message -> s.value",
)
EACH = graph(
    "each",
    {"in": INPUT, "items": ("StepThroughItemsBlock", {}), "ask": ASK, "out": OUTPUT, "s": SAID},
    "in.result -> items.items\nitems.item -> ask.data\nask.approved_data -> out.value\n"
    "ask.review_message -> s.value",
)
LOOP = graph(
    "loop",
    {"in": INPUT, "count": ("CountBlock", {}), "ask": ASK, "out": OUTPUT},
    "in.result -> count.n\ncount.again -> ask.data\nask.approved_data -> count.n\n"
    "count.done -> out.value",
)
PRINTING = graph(
    "printing",
    {"in": INPUT, "print": PRINT, "out": OUTPUT, "bad": REJECTED},
    "in.result -> print.text\nprint.output -> out.value\nprint.error -> bad.value",
)
SHOWS = graph(
    "shows", {**HANDS, "print": PRINT}, "in.result -> print.text\nprint.output -> out.value"
)
THROUGH = "in.result -> does.run\ndoes.answer -> out.value"
NESTED = graph("nested", {"in": INPUT, "does": agent("asking"), "out": OUTPUT}, THROUGH, (ASKING,))
#: One branch asks while the other takes its time.
BESIDE = graph(
    "beside",
    {"in": INPUT, "ask": ASK, "does": ("WaitsBlock", {}), "out": OUTPUT},
    "in.result -> ask.data\nin.result -> does.value\nask.approved_data -> out.value",
)


async def open_reviews(house: House, count: int = 1) -> list[ReviewRecord]:
    """Wait until *count* questions of runs that wait are open; return them, oldest first."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            found = await house.user.waiting_reviews(page=1, page_size=100)
            runs = {review.run_id for review in found}
            paused = [(await house.run(run_id)).status is Status.REVIEW for run_id in runs]
            if len(found) == count and all(paused):
                # The newest come first; those of one moment by their ids.
                nodes = {n.id: n.ordinal for run_id in runs for n in await house.nodes(run_id)}
                return sorted(found, key=lambda review: nodes[review.node_exec_id])
            await asyncio.sleep(0.002)


async def until(check: Callable[[], object]) -> None:
    """Wait for what nobody tells: rows, and what an engine holds."""
    async with asyncio.timeout(LIMIT_S):
        while not check():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.002)


def fault_at(kind: str, number: int) -> Fault:
    """Return what happens at one commit."""
    fault = Fault()
    setattr(fault, kind, number)
    return fault


async def answer(house: House, *answers: Answer) -> bool:
    run_id, goes_on = await house.user.answer_reviews(answers, now_us=house.clock.now_us())
    if goes_on:
        house.signals.signal(SignalKind.RUN, run_id)
    return goes_on


def yes(review: ReviewRecord, **more: Any) -> Answer:
    return Answer(node_exec_id=review.node_exec_id, approved=True, **more)


def no(review: ReviewRecord, message: str | None = None) -> Answer:
    return Answer(node_exec_id=review.node_exec_id, approved=False, message=message)


async def settings(house: House, graph_id: str, **changes: bool) -> None:
    await house.user.change_graph_settings(GraphId(graph_id), changes, now_us=1)


def statuses(nodes: list[NodeRecord], node_id: str) -> list[Status]:
    return [node.status for node in nodes if node.node_id == node_id]


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
