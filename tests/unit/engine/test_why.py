"""Why a run does not move: an engine is brought to each reason, and its words are read."""

import asyncio
import json
import re
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from backend.adapters.storage.doctor import examine
from backend.core.graph import Graph
from backend.core.ids import ExecutionId
from backend.engine.engine import Engine
from backend.engine.explain import explained
from backend.engine.tools import Limits
from backend.ports.why import facts_of
from backend.services.why import House as Server
from backend.services.why import Why, explain
from backend.services.why_nodes import Cause
from tests.unit.engine.engine_blocks import CATALOG, INPUT, OUTPUT, agent, graph, with_policy
from tests.unit.engine.engine_house import House
from tests.unit.engine.engine_reviews import ASKING, open_reviews, until

LINKS = "in.result -> does.value\ndoes.result -> out.value"
WAITS = graph("waits", {"in": INPUT, "does": ("WaitsBlock", {}), "out": OUTPUT}, LINKS)
FLAKY = graph("flaky", {"in": INPUT, "does": ("FlakyBlock", {}), "out": OUTPUT}, LINKS)
#: Three items, and a node that holds each of them.
MANY = graph(
    "many",
    {"in": INPUT, "items": ("StepThroughItemsBlock", {}), "does": ("WaitsBlock", {})},
    "in.result -> items.items\nitems.item -> does.value",
)
#: What waits for two values, one of which never comes.
HALF = graph(
    "half",
    {
        "in": INPUT,
        "breaks": ("BreaksBlock", {}),
        "does": ("WaitsBlock", {}),
        "never": ("CountBlock", {}),
    },
    "in.result -> breaks.value\nin.result -> does.value\nin.result -> never.n\n"
    "breaks.result -> never.limit",
)
#: … and one of which comes when `does` has ended.
LATER = graph(
    "later",
    {"in": INPUT, "does": ("WaitsBlock", {}), "both": ("CountBlock", {})},
    "in.result -> does.value\nin.result -> both.n\ndoes.result -> both.limit",
)
NESTED = graph(
    "nested",
    {"in": INPUT, "does": agent("waits"), "out": OUTPUT},
    "in.result -> does.run\ndoes.answer -> out.value",
    (WAITS,),
)
WHEN = r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


async def why(
    house: House, run_id: ExecutionId, engine: Engine | None, *, later_s: float = 0.0
) -> Why:
    """Ask as `agpt why` does: over JSON, and over rows that are only read."""
    with examine(house.path) as records:
        run = records.runs.run(run_id)
        assert run is not None
        facts = None
        if engine is not None:
            asked = list(records.runs.family(run_id))
            facts = facts_of(json.loads(json.dumps(await explained(engine, asked))))
        server = Server(
            executor=engine is not None,
            slots=100,
            catalog=CATALOG,
            facts=facts,
            now_us=house.clock.now_us() + int(later_s * 1e6),
        )
        return explain(records.runs, run, server)


async def begun(house: House, made: Graph, value: Any = "x") -> ExecutionId:
    """Start a run, and wait until a node of it waits."""
    house.notes.held.clear()
    await house.add(made)
    run_id = await house.submit(made.id, run=value)
    await house.notes.held.wait()
    # What has happened in it so far is on disk.
    await until(
        lambda: (
            house.rows(
                "SELECT 1 FROM node_executions WHERE status = 'RUNNING' AND run_id = ?", run_id
            )
            or house.rows("SELECT 1 FROM executions WHERE parent_id = ?", run_id)
        )
    )
    return run_id


async def at_work(house: House) -> ExecutionId:
    return await begun(house, WAITS)


async def second_in_line(house: House) -> ExecutionId:
    await begun(house, WAITS)
    await house.submit("waits", run="y")
    return await house.submit("waits", run="z")


async def retrying(house: House) -> ExecutionId:
    later = {"retries": 3, "retry_wait_s": 3600.0, "retry_wait_most_s": 3600.0}
    await house.add(with_policy(FLAKY, "does", **later))
    run_id = await house.submit("flaky", run="x")
    await until(lambda: house.rows("SELECT max(tries) FROM node_executions") == [(1,)])
    return run_id


async def one_at_once(house: House) -> ExecutionId:
    return await begun(house, with_policy(MANY, "does", concurrency=1), [1, 2, 3])


async def many(house: House) -> ExecutionId:
    return await begun(house, MANY, [1, 2, 3])


async def half(house: House) -> ExecutionId:
    run_id = await begun(house, HALF)
    failed = "SELECT 1 FROM node_executions WHERE node_id = 'breaks' AND status = 'FAILED'"
    await until(lambda: house.rows(failed))
    return run_id


async def later(house: House) -> ExecutionId:
    return await begun(house, LATER)


async def nested(house: House) -> ExecutionId:
    return await begun(house, NESTED)


async def asking(house: House) -> ExecutionId:
    await house.add(ASKING)
    run_id = await house.submit("asking", run="x")
    await open_reviews(house)
    return run_id


async def over(house: House) -> ExecutionId:
    assert house.notes.hold is not None
    house.notes.hold.set()
    await house.add(HALF)
    run_id = await house.submit("half", run="x")
    await house.ended(run_id)
    return run_id


async def stopping(house: House) -> ExecutionId:
    house.notes.deaf_s = 3600.0
    run_id = await begun(house, WAITS)
    await house.user.ask_stop(run_id, now_us=house.clock.now_us())
    return run_id


async def held(house: House) -> ExecutionId:
    run_id = await begun(house, WAITS)
    _do(house, "INSERT INTO holds VALUES ('graph', 'waits', 'the mail server moves', 1)")
    return run_id


async def accepted(house: House) -> ExecutionId:
    """What a look finds in the moment before the executor does."""
    await house.add(WAITS)
    return await house.submit("waits", run="x")


def _do(house: House, statement: str) -> None:
    with closing(sqlite3.connect(house.path)) as database, database:
        database.execute(statement)


@dataclass(frozen=True)
class Case:
    cause: Cause
    reach: Callable[[House], Awaitable[ExecutionId]]
    words: str  #: one of the sentences, a regular expression
    limits: Limits | None = None
    slots: int = 100
    later_s: float = 0.0
    is_wrong: bool = False
    spoil: Callable[[Engine, ExecutionId], object] = lambda *_: None


def _loses_task(engine: Engine, run_id: ExecutionId) -> None:
    engine.worker.active_runs[run_id]._tasks.clear()


def _loses_run(engine: Engine, run_id: ExecutionId) -> None:
    engine.worker._held = True  # nobody takes it up again
    del engine.worker.active_runs[run_id]


def _past_its_time(engine: Engine, run_id: ExecutionId) -> None:
    [ordinal] = engine.worker.active_runs[run_id].execution.running
    task = engine.worker.active_runs[run_id].task_of(ordinal)
    assert task is not None
    assert task._tried_s is not None
    task._tried_s -= 200


CASES = [
    Case(Cause.WORK, at_work, f"Node 'WaitsBlock' has been at work {WHEN} \\(no limit\\)\\.",
         Limits(node_s=0)),
    Case(Cause.WORK, at_work, f"Node 'WaitsBlock' has been at work {WHEN} \\(limit 24 hours: "
         r"setting MAX_NODE_TIME_S\)\.", Limits(node_s=24 * 3600)),
    Case(Cause.LATE, at_work, r".*, past its time \(limit 2 minutes: setting MAX_NODE_TIME_S\)\.",
         Limits(node_s=120), is_wrong=True,
         spoil=_past_its_time),
    Case(Cause.SLOT, second_in_line, r"It waits for a slot: 1 of 1 are taken \(setting "
         r"NUM_GRAPH_WORKERS\); 1 of this user's runs is before it\.", slots=1,
         limits=Limits(runs_per_user=9)),
    Case(Cause.USER_LIMIT, second_in_line, r"It waits for others of this user: 1 of them run, and "
         r"no more may at once \(setting MAX_RUNS_PER_USER\); 1 of", Limits(runs_per_user=1)),
    Case(Cause.GRAPH_LIMIT, second_in_line, r"It waits for others of the same graph: 1 of them run,"
         r" .*_EXECUTIONS_PER_USER\); 1 of this user's runs is before it\.",
         Limits(runs_per_graph=1)),
    Case(Cause.RETRY, retrying, r"Node 'FlakyBlock' waits 3(600|59\d) s more before try 2 of 4; the"
         r" last failed: .*away for the 1\. time"),
    Case(Cause.CONCURRENCY, one_at_once, r"Node 'WaitsBlock' waits for its turn: 1 of it are at "
         r"work, and its policy lets 1 at once \(concurrency\)\."),
    Case(Cause.PARALLEL_NODES, many, r"Node 'WaitsBlock' waits for others of this run: 2 are at "
         r"work, and .* \(setting MAX_PARALLEL_NODES_PER_RUN\)\.", Limits(parallel_nodes=2)),
    Case(Cause.NEVER, half, f"Node 'CountBlock' has had values on pin n {WHEN} and waits for pin "
         "limit, whose only source 'BreaksBlock' has ended: it will never run\\."),
    Case(Cause.INPUT, later, f"Node 'CountBlock' has had values on pin n {WHEN} and waits for pin "
         "limit, from 'WaitsBlock'\\."),
    Case(Cause.NEVER, over, r"Node 'CountBlock' has had .* whose only source 'BreaksBlock' has ended"
         ": it will never run\\."),
    Case(Cause.ENDED, over, r"It ended as COMPLETED at 20.* UTC\."),
    Case(Cause.NESTED_RUN, nested, f"Node 'AgentExecutorBlock' waits for its nested run, {WHEN}\\."),
    Case(Cause.WORK, nested, f"nested run #[0-9a-f-]{{36}}: Node 'WaitsBlock' has been .* {WHEN}"),
    Case(Cause.PERSON, asking, f"Node 'HumanInTheLoopBlock' waits for a person {WHEN}: GET /api/"
         r"review/execution/[0-9a-f-]{36} shows the question, POST /api/review/action answers it"),
    Case(Cause.STOPPING, stopping, r"It was told to stop 61 seconds ago; node 'WaitsBlock' is at "
         r"work, and it does not end\.", later_s=61, is_wrong=True),
    Case(Cause.OPERATOR, held, f"Its graph has been paused by an operator {WHEN[:-4]}.*: the mail "
         "server moves"),
    Case(Cause.LOST, at_work, f"Node 'WaitsBlock' has been noted as running {WHEN}, and nothing "
         r"works on it\.", later_s=61, is_wrong=True, spoil=_loses_task),
    Case(Cause.LOST, at_work, r"It has begun, and the executor does not have it, for 6\d seconds\.",
         later_s=61, is_wrong=True, spoil=_loses_run),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=[f"{one.cause}-{one.words[:40]}" for one in CASES])
async def test_each_reason_has_its_words(house: House, case: Case) -> None:
    house.notes.hold = asyncio.Event()
    async with house.engine(slots=case.slots, limits=case.limits) as engine:
        run_id = await case.reach(house)
        case.spoil(engine, run_id)

        said = await why(house, run_id, engine, later_s=case.later_s)

    lines = list(said.lines())
    assert [one for one in lines if re.match(case.words, one)], lines
    assert case.cause in set(_causes(said))
    assert said.is_wrong is case.is_wrong


def _causes(said: Why) -> list[Cause]:
    found = []
    for reason in said.reasons:
        found.append(reason.cause)
        found += _causes(reason.inner) if reason.inner else []
    return found


@pytest.mark.slow
@pytest.mark.parametrize("reach", [at_work, nested, asking])
async def test_without_a_server_a_run_waits_for_it_or_for_a_person(
    house: House, reach: Callable[[House], Awaitable[ExecutionId]]
) -> None:
    async with house.engine():
        run_id = await reach(house)

    said = await why(house, run_id, None)

    down = "Nobody works on it: the server is down. It goes on when the server is started."
    if reach is asking:
        assert [one.cause for one in said.reasons] == [Cause.PERSON]
    else:
        assert list(said.lines()) == [down]
    assert not said.is_wrong


async def test_a_run_that_was_just_accepted_is_on_its_way(house: House) -> None:
    async with house.engine() as engine:
        engine.worker._held = True
        run_id = await accepted(house)

        soon = await why(house, run_id, engine)
        lost = await why(house, run_id, engine, later_s=61)

    assert [one.cause for one in soon.reasons] == [Cause.SOON]
    assert list(lost.lines()) == [
        "It has been queued for 61 seconds, though the executor has free slots."
    ]
    assert lost.is_wrong


async def test_a_run_whose_graph_is_gone_says_so(house: House) -> None:
    async with house.engine() as engine:
        engine.worker._held = True
        run_id = await accepted(house)
        _do(house, "DELETE FROM graphs")

        said = await why(house, run_id, engine)

    assert [one.cause for one in said.reasons] == [Cause.LOST]
    assert said.reasons[0].text.startswith("Its graph is gone")
    assert said.is_wrong


async def test_nodes_of_blocks_that_are_not_installed_go_by_their_ids(house: House) -> None:
    async with house.engine() as engine:
        run_id = await begun(house, HALF)
        _do(house, "UPDATE graphs SET body = replace(body, '00000000-0000', 'ffffffff-0000')")

        said = await why(house, run_id, engine)

    assert any(line.startswith("Node #does has been at work") for line in said.lines())
