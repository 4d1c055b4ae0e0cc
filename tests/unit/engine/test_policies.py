"""Time limits, retries, failures that end runs, and answers about what may have happened."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog

from backend.core.graph import Graph
from backend.core.ids import ExecutionId
from backend.core.records import NodeRecord
from backend.core.reviews import ReviewRecord
from backend.core.status import Status
from backend.engine.tools import Limits
from backend.sdk import BlockContext, Effect
from tests.unit.engine.engine_blocks import (
    INPUT,
    OUTPUT,
    AnyInput,
    AnyOutput,
    Noting,
    agent,
    graph,
    offer,
    with_policy,
)
from tests.unit.engine.engine_house import Fault, House
from tests.unit.engine.engine_reviews import answer, no, open_reviews, until, yes

LINKS = "in.result -> does.value\ndoes.result -> out.value"
#: Soon, and as often as need be.
SOON = {"retries": 5, "retry_wait_s": 0.001}


def one(block: str, **defaults: object) -> Graph:
    return graph("one", {"in": INPUT, "does": (block, defaults), "out": OUTPUT}, LINKS)


async def done(house: House, run_id: ExecutionId) -> NodeRecord:
    [node] = [node for node in await house.nodes(run_id) if node.node_id == "does"]
    return node


async def test_a_node_is_tried_again_with_its_key_until_it_works(house: House) -> None:
    await house.add(with_policy(one("FlakyBlock"), "does", **SOON))
    async with house.engine():
        run_id = await house.submit("one", run="x")
        run = await house.ended(run_id)

    node = await done(house, run_id)
    assert (run.status, node.status, node.error) == (Status.COMPLETED, Status.COMPLETED, None)
    # What was passed on before a failure is not passed on again.
    assert run.outputs == {"answer": ["x/first", "x/second"]}
    assert len(house.notes.runs) == 3
    assert len(set(house.notes.runs)) == 1
    assert run.stats is not None
    assert run.stats.node_error_count == 0
    assert house.rows("SELECT tries FROM node_executions WHERE node_id = 'does'") == [(2,)]


async def test_a_node_that_never_works_fails_after_its_last_try(house: House) -> None:
    made = with_policy(one("FlakyBlock", away=99), "does", retries=2, retry_wait_s=0)
    await house.add(made)
    async with house.engine():
        run_id = await house.submit("one", run="x")
        await house.ended(run_id)

    node = await done(house, run_id)
    assert node.status is Status.FAILED
    assert "away for the 3. time" in (node.error or "")
    assert len(house.notes.runs) == 3


@pytest.mark.parametrize(
    ("block", "policy"),
    [
        ("FlakyBlock", {}),
        ("FlakyBlock", {**SOON, "retry_on": ["timeout", "unknown"]}),
        ("BreaksBlock", SOON),
    ],
)
async def test_a_failure_that_the_policy_does_not_name_is_not_tried_again(
    house: House, block: str, policy: dict[str, object]
) -> None:
    await house.add(with_policy(one(block), "does", **policy))
    async with house.engine():
        run_id = await house.submit("one", run="x")
        await house.ended(run_id)

    assert (await done(house, run_id)).status is Status.FAILED
    assert len(house.notes.runs) == 1


async def test_tries_are_counted_across_the_deaths_of_engines(house: House) -> None:
    await house.add(with_policy(one("FlakyBlock", away=99), "does", retries=3, retry_wait_s=0.001))
    run_id = await house.submit("one", run="x")
    deaths = 0
    for number in range(2, 7):
        fault = Fault(dies_after=number)
        async with house.engine(fault):
            deaths += await house.until_dead(run_id, fault)
    async with house.engine():
        await house.ended(run_id)

    assert deaths
    # Each death may repeat the try that it interrupted, and no more.
    assert 4 <= len(house.notes.runs) <= 4 + deaths
    assert len({key for _, key in house.notes.runs}) == 1
    assert house.rows("SELECT tries FROM node_executions WHERE node_id = 'does'") == [(3,)]


@pytest.mark.slow
@pytest.mark.parametrize(("after_s", "waits_s"), [(0.05, 0.05), (90_000.0, 3600.0)])
async def test_a_service_that_asks_to_wait_is_heard_for_an_hour_at_most(
    house: House, after_s: float, waits_s: float
) -> None:
    made = one("FlakyBlock", away=1, after_s=after_s)
    await house.add(with_policy(made, "does", retries=1, retry_wait_s=0))
    with structlog.testing.capture_logs() as logs:
        async with house.engine():
            run_id = await house.submit("one", run="x")
            await until(lambda: house.rows("SELECT max(tries) FROM node_executions") == [(1,)])
            await house.user.ask_stop(run_id, now_us=house.clock.now_us())
            await house.ended(run_id)

    assert [log["wait_s"] for log in logs if log["event"] == "node_tried_again"] == [waits_s]


@pytest.mark.slow
async def test_a_stop_ends_the_wait_for_another_try(house: House) -> None:
    await house.add(with_policy(one("FlakyBlock"), "does", retries=1, retry_wait_s=3600,
                                retry_wait_most_s=3600))  # fmt: skip
    async with house.engine():
        run_id = await house.submit("one", run="x")
        await until(lambda: house.rows("SELECT max(tries) FROM node_executions") == [(1,)])

        await house.user.ask_stop(run_id, now_us=house.clock.now_us())
        run = await house.ended(run_id)

    node = await done(house, run_id)
    assert (run.status, node.status) == (Status.TERMINATED, Status.TERMINATED)


async def test_a_node_that_takes_too_long_fails_and_says_whose_limit_it_was(house: House) -> None:
    await house.add(with_policy(one("WaitsBlock"), "does", time_limit_s=0.02))
    async with house.engine():
        run_id = await house.submit("one", run="x")
        await house.ended(run_id)

    node = await done(house, run_id)
    assert node.status is Status.FAILED
    assert node.error == (
        "TimeLimit: WaitsBlock took longer than 0.02 s (the node's policy, time_limit_s)"
    )


async def test_the_installations_limit_holds_where_nobody_says_more(house: House) -> None:
    await house.add(one("WaitsBlock"))
    async with house.engine(limits=Limits(node_s=0.02)):
        run_id = await house.submit("one", run="x")
        await house.ended(run_id)

    assert (await done(house, run_id)).error == (
        "TimeLimit: WaitsBlock took longer than 0.02 s (setting MAX_NODE_TIME_S)"
    )


async def test_a_node_that_was_too_slow_is_tried_again_where_its_policy_says_so(
    house: House,
) -> None:
    made = with_policy(one("WaitsBlock"), "does", time_limit_s=0.02, retries=1, retry_wait_s=0)
    await house.add(made)
    async with house.engine():
        run_id = await house.submit("one", run="x")
        await house.ended(run_id)

    assert len(house.notes.runs) == 2
    assert (await done(house, run_id)).status is Status.FAILED


@pytest.mark.slow
async def test_a_block_that_is_deaf_is_left_alone_and_named(house: House) -> None:
    await house.add(one("WaitsBlock"))
    house.notes.deaf_s = 3600
    async with house.engine() as engine:
        run_id = await house.submit("one", run="x")
        await house.notes.held.wait()

        await house.user.ask_stop(run_id, now_us=house.clock.now_us())
        run = await house.ended(run_id, limit_s=10)

        assert run.status is Status.TERMINATED
        assert engine.left_alone == 1
    node = await done(house, run_id)
    assert node.status is Status.TERMINATED
    assert node.error == "WaitsBlock did not stop when it was cancelled, and was left alone"


@pytest.mark.slow
async def test_what_a_block_yields_after_it_was_left_alone_does_not_count(house: House) -> None:
    await house.add(with_policy(one("DeafBlock"), "does", time_limit_s=0.01, **SOON))
    async with house.engine() as engine:
        run_id = await house.submit("one", run="x")
        run = await house.ended(run_id)
        assert engine.left_alone == 1
        house.notes.held.set()
        await until(lambda: not engine.left_alone)

    assert run.outputs == {"answer": ["x, the second time"]}
    assert (await done(house, run_id)).outputs == {"result": ["x, the second time"]}


async def test_a_run_fails_with_a_node_whose_policy_says_so(house: House) -> None:
    made = graph(
        "one",
        {"in": INPUT, "does": ("BreaksBlock", {}), "waits": ("WaitsBlock", {}), "out": OUTPUT},
        "in.result -> does.value\nin.result -> waits.value\nwaits.result -> out.value",
    )
    await house.add(with_policy(made, "does", on_error="fail"))
    async with house.engine():
        run_id = await house.submit("one", run="x")
        run = await house.ended(run_id)

    assert run.status is Status.FAILED
    assert run.stats is not None
    assert (run.stats.error or "").startswith("node BreaksBlock (#does) failed: ")
    nodes = {str(node.node_id): node.status for node in await house.nodes(run_id)}
    assert nodes == {
        "in": Status.COMPLETED,
        "does": Status.FAILED,
        "waits": Status.TERMINATED,
    }


@pytest.mark.parametrize("number", range(2, 6))
async def test_a_run_that_fails_with_its_node_does_so_whenever_the_engine_dies(
    house: House, number: int
) -> None:
    await house.add(with_policy(one("BreaksBlock"), "does", on_error="fail"))
    run_id = await house.submit("one", run="x")
    fault = Fault(dies_after=number)
    async with house.engine(fault):
        await house.until_dead(run_id, fault)
    async with house.engine():
        run = await house.ended(run_id)

    assert run.status is Status.FAILED


async def test_a_run_that_moves_for_too_long_fails(house: House) -> None:
    await house.add(one("WaitsBlock"))
    async with house.engine(limits=Limits(run_s=0.05)):
        run_id = await house.submit("one", run="x")
        run = await house.ended(run_id)

    assert run.status is Status.FAILED
    assert run.stats is not None
    assert run.stats.error == "the run took longer than 0.05 s (setting MAX_RUN_TIME_S)"


async def test_each_try_of_an_agent_is_a_run_of_its_own(house: House) -> None:
    inner = graph(
        "inner",
        {"in": INPUT, "does": ("BreaksBlock", {}), "out": OUTPUT},
        "in.result -> does.value\ndoes.result -> out.value",
    )
    outer = graph(
        "outer",
        {"in": INPUT, "does": agent("inner"), "out": OUTPUT},
        "in.result -> does.run\ndoes.answer -> out.value",
        (with_policy(inner, "does", on_error="fail"),),
    )
    retried = with_policy(outer, "does", **SOON, retry_on=["execution"])
    await house.add(retried)
    async with house.engine():
        run_id = await house.submit("outer", run="x")
        await house.ended(run_id)

    children = house.rows("SELECT status FROM executions WHERE parent_id = ?", run_id)
    assert children == [("FAILED",)] * 6


async def dies_at_work(house: House, run_id: ExecutionId) -> None:
    """Let an engine die while the next block is at work."""
    fault = Fault()
    house.notes.on_run = fault.died.set
    async with house.engine(fault):
        assert await house.until_dead(run_id, fault)
    house.notes.on_run = lambda: None


async def asked_about_it(house: House) -> tuple[ExecutionId, ReviewRecord]:
    """Let an engine die while a node that must run once is at work; the next one asks about it."""
    await house.add(with_policy(one("OnceBlock"), "does", unknown_outcome="ask"))
    run_id = await house.submit("one", run="x")
    await dies_at_work(house, run_id)
    assert len(house.notes.runs) == 1
    async with house.engine():
        [review] = await open_reviews(house)
    assert "not known whether it took effect" in (review.instructions or "")
    assert (review.editable, review.payload) == (False, {"value": "x"})
    return run_id, review


async def test_a_person_lets_a_node_run_again_whose_outcome_is_not_known(house: House) -> None:
    run_id, review = await asked_about_it(house)

    await answer(house, yes(review))
    async with house.engine():
        run = await house.ended(run_id)

    assert (run.status, run.outputs) == (Status.COMPLETED, {"answer": ["x"]})
    assert len(house.notes.runs) == 2


async def test_a_person_says_that_it_is_not_run_again(house: House) -> None:
    run_id, review = await asked_about_it(house)

    await answer(house, no(review, "it was sent"))
    async with house.engine():
        await house.ended(run_id)

    node = await done(house, run_id)
    assert node.status is Status.FAILED
    assert "UnknownOutcome: it was not run again: it was sent" in (node.error or "")
    assert len(house.notes.runs) == 1


async def test_a_node_that_is_interrupted_again_after_a_yes_fails(house: House) -> None:
    run_id, review = await asked_about_it(house)
    await answer(house, yes(review))
    await dies_at_work(house, run_id)
    runs = len(house.notes.runs)
    async with house.engine():
        await house.ended(run_id)

    assert (runs, len(house.notes.runs)) == (2, 2)
    assert "UnknownOutcome" in ((await done(house, run_id)).error or "")


class CancelsBlock(Noting):
    """Ends its own task, as a library that mixes up its scopes does."""

    id = "00000000-0000-4000-8000-0000000000c1"
    effect = Effect.READ
    Input, Output = AnyInput, AnyOutput

    async def run(self, inputs: AnyInput, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        self.note(context)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        yield "result", inputs.value


async def test_a_block_that_cancels_its_own_task_has_failed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, CancelsBlock)
    await house.add(one("CancelsBlock"))
    async with house.engine():
        run_id = await house.submit("one", run="x")
        run = await house.ended(run_id, limit_s=5)

    node = await done(house, run_id)
    assert (run.status, node.status) == (Status.COMPLETED, Status.FAILED)
    assert node.error == "CancelsBlock cancelled its own task"
    assert len(house.notes.runs) == 1
