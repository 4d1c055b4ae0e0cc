"""Nodes that call other nodes of their graph: what comes of it, crashes, people, stops, limits."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from backend.core.graph import Graph
from backend.core.status import Status
from backend.engine.tools import Limits
from backend.sdk import BlockContext, Effect
from tests.unit.engine.engine_blocks import (
    INNER,
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
from tests.unit.engine.engine_house import House
from tests.unit.engine.engine_reviews import (
    ASK,
    answer,
    fault_at,
    no,
    open_reviews,
    statuses,
    until,
    yes,
)

SEEN = ("AgentOutputBlock", {"name": "seen"})
CALLS = ("CallsBlock", {"rounds": 2})

#: Two tools; one is an agent. What the first gives also goes over its own link.
TOOLS = graph(
    "tools",
    {
        "in": INPUT,
        "calls": CALLS,
        "keyed": ("KeyedBlock", {}),
        "agent": agent("inner"),
        "out": OUTPUT,
        "seen": SEEN,
    },
    """
    in.result -> calls.value
    calls.tools -> keyed.value
    calls.tools -> agent.run
    keyed.result -> seen.value
    calls.result -> out.value
    """,
    (INNER,),
)
TOOLS_OUTPUTS = {
    "answer": [
        [["result", "x0."], None],
        [["answer", "x0."], None],
        [["result", "x1."], None],
        [["answer", "x1."], None],
    ],
    "seen": ["x0.", "x1."],
}


def one_tool(block: tuple[str, dict[str, Any]], pin: str = "value") -> Graph:
    """Return a graph whose one node calls another."""
    return graph(
        "one",
        {"in": INPUT, "calls": ("CallsBlock", {}), "tool": block, "out": OUTPUT},
        f"in.result -> calls.value\ncalls.tools -> tool.{pin}\ncalls.result -> out.value",
    )


async def test_what_tools_give_comes_back_and_goes_over_their_own_links(house: House) -> None:
    await house.add(TOOLS)
    async with house.engine():
        run = await house.ended(await house.submit("tools", run="x"))

    assert (run.status, run.outputs) == (Status.COMPLETED, TOOLS_OUTPUTS)
    assert max(house.notes.count().values()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dies_before", "dies_after"])
async def test_no_call_that_is_done_is_made_again_whichever_commit_was_the_last(
    house: House, kind: str
) -> None:
    await house.add(TOOLS)
    number, died = 0, True
    while died:
        number += 1
        run_id = await house.submit("tools", run="x")
        fault = fault_at(kind, number)
        async with house.engine(fault):
            died = await house.until_dead(run_id, fault)
        rows = house.rows("SELECT id FROM node_executions WHERE status = 'COMPLETED'")
        before = house.notes.count()
        async with house.engine():
            run = await house.ended(run_id)

        assert (run.status, run.outputs) == (Status.COMPLETED, TOOLS_OUTPUTS)
        after = house.notes.count()
        assert {one: after[one] for (one,) in rows} == {one: before[one] for (one,) in rows}
        assert all(len(house.notes.keys(one)) == 1 for one in after)
        assert len(statuses(await house.nodes(run_id), "keyed")) == 2

    assert number > 6  # there were so many points


async def test_a_tool_that_fails_tells_its_caller_and_nobody_else_fails(house: House) -> None:
    await house.add(one_tool(("BreaksBlock", {})))
    async with house.engine():
        run_id = await house.submit("one", run="x")
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED
    [[[pin, told], error]] = (run.outputs or {})["answer"]
    assert (pin, told) == ("error", error)
    assert "broken by x0" in error
    assert statuses(await house.nodes(run_id), "tool") == [Status.FAILED]


async def test_a_tool_that_asks_a_person_lets_the_run_wait_and_its_caller_hears_the_answer(
    house: House,
) -> None:
    await house.add(one_tool(ASK, "data"))
    async with house.engine() as engine:
        run_id = await house.submit("one", run="x")
        [review] = await open_reviews(house)
        assert review.payload == "x0"
        await until(lambda: engine.worker.active == 0)

        assert await answer(house, yes(review, edited=True, payload="better", message="so"))
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED
    assert run.outputs == {
        "answer": [[["approved_data", "better"], ["review_message", "so"], None]]
    }
    assert statuses(await house.nodes(run_id), "tool") == [Status.COMPLETED]


@pytest.mark.slow
async def test_a_tool_asks_in_a_run_whose_executor_dies_and_a_rejection_comes_back(
    house: House,
) -> None:
    await house.add(one_tool(ASK, "data"))
    async with house.engine():
        run_id = await house.submit("one", run="x")
        [review] = await open_reviews(house)
    async with house.engine():
        await answer(house, no(review, "never"))
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED
    assert (run.outputs or {})["answer"][0][1:2] == [["review_message", "never"]]


async def test_one_place_is_enough_for_callers_and_their_tools(house: House) -> None:
    await house.add(TOOLS)
    async with house.engine(limits=Limits(parallel_nodes=1)):
        run = await house.ended(await house.submit("tools", run="x"))

    assert (run.status, run.outputs) == (Status.COMPLETED, TOOLS_OUTPUTS)


async def test_two_that_are_each_others_tools_do_not_wait_for_one_another(house: House) -> None:
    made = graph(
        "mutual",
        {"in": INPUT, "a": ("CallsBlock", {}), "b": ("CallsBlock", {}), "out": OUTPUT},
        """
        in.result -> a.value
        in.result -> b.value
        a.tools -> b.value
        b.tools -> a.value
        a.result -> out.value
        """,
    )
    for node in ("a", "b"):
        made = with_policy(made, node, concurrency=1)
    await house.add(made)
    async with house.engine():
        run = await house.ended(await house.submit("mutual", run="x"))

    assert run.status is Status.COMPLETED
    assert len((run.outputs or {})["answer"]) > 1


async def test_tools_that_call_tools_without_end_come_to_an_end(house: House) -> None:
    await house.add(
        graph(
            "endless",
            {"in": INPUT, "a": ("CallsBlock", {}), "b": ("CallsBlock", {}), "out": OUTPUT},
            "in.result -> a.value\na.tools -> b.value\nb.tools -> a.value\na.result -> out.value",
        )
    )
    async with house.engine():
        run = await house.ended(await house.submit("endless", run="x"))

    assert run.status is Status.COMPLETED
    assert "over 20 deep" in str(run.outputs)
    assert run.stats is not None
    assert run.stats.node_error_count == 1


@pytest.mark.slow
async def test_a_stop_ends_a_caller_and_what_it_has_called(house: House) -> None:
    await house.add(one_tool(("WaitsBlock", {})))
    async with house.engine():
        run_id = await house.submit("one", run="x")
        await house.notes.held.wait()
        await house.user.ask_stop(run_id, now_us=house.clock.now_us())
        run = await house.ended(run_id)

    assert run.status is Status.TERMINATED
    nodes = await house.nodes(run_id)
    assert statuses(nodes, "tool") == statuses(nodes, "calls") == [Status.TERMINATED]


async def test_the_limit_of_node_executions_counts_calls(house: House) -> None:
    await house.add(TOOLS)
    async with house.engine(limits=Limits(node_executions=5)):
        run = await house.ended(await house.submit("tools", run="x"))

    assert run.status is Status.FAILED
    assert run.stats is not None
    assert "MAX_NODE_EXECUTIONS_PER_RUN" in (run.stats.error or "")


async def test_a_caller_whose_time_is_up_waits_for_nobody(house: House) -> None:
    await house.add(with_policy(one_tool(("WaitsBlock", {})), "calls", time_limit_s=0.05))
    house.notes.hold = asyncio.Event()
    async with house.engine():
        run_id = await house.submit("one", run="x")
        await until(lambda: "FAILED" in str(house.rows("SELECT status FROM node_executions")))
        house.notes.hold.set()
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED
    nodes = await house.nodes(run_id)
    assert statuses(nodes, "tool") == [Status.COMPLETED]
    assert statuses(nodes, "calls") == [Status.FAILED]


class StraysBlock(Noting):
    """Calls a node that is none of its tools."""

    id = "00000000-0000-4000-8000-0000000000f1"
    effect = Effect.READ
    Input, Output = AnyInput, AnyOutput

    async def run(self, inputs: AnyInput, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        assert context.tools is not None
        result = await context.tools.call("1", str(inputs.value), {"value": "x"})
        yield "result", result.error


@pytest.mark.parametrize("node", ["danger", "calls", "out", "nowhere"])
async def test_only_a_linked_node_can_be_called(
    house: House, monkeypatch: pytest.MonkeyPatch, node: str
) -> None:
    offer(monkeypatch, StraysBlock)
    await house.add(
        graph(
            "strays",
            {
                "in": INPUT,
                "calls": ("StraysBlock", {}),
                "tool": ("ReadBlock", {}),
                "danger": ("OnceBlock", {}),
                "out": OUTPUT,
            },
            """
            in.result -> calls.value
            calls.tools -> tool.value
            tool.result -> danger.value
            calls.result -> out.value
            """,
        )
    )
    async with house.engine():
        run = await house.ended(await house.submit("strays", run=node))

    nodes = await house.nodes(run.id)
    assert statuses(nodes, "calls") == [Status.FAILED]
    assert [one.node_id for one in nodes] == ["in", "calls"]
    assert "is no tool of node" in str([one.error for one in nodes])
