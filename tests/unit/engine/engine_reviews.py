"""Graphs that ask people, and people who answer."""

import asyncio
from collections.abc import Callable
from typing import Any

from backend.core.ids import GraphId
from backend.core.records import NodeRecord
from backend.core.reviews import Answer, ReviewRecord
from backend.core.status import Status
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
MIDDLE = graph("middle", {**HANDS, "does": agent("asking")}, THROUGH)
OUTER = graph("outer", {**HANDS, "does": agent("middle")}, THROUGH, (MIDDLE, ASKING))
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
