"""A run that takes its executor down each time is parked with its cause, and goes on when retried."""

import asyncio
from collections import Counter
from typing import Final

import pytest

from backend.adapters.storage.doctor import examine
from backend.core.errors import Conflict, NotFound
from backend.core.graph import Graph
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.reviews import PARKED, Answer
from backend.core.status import FINAL, Status
from backend.engine import poison
from backend.engine.poison import MOST_STALLS
from backend.ports.doctor import Broken, Rule
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, agent, graph
from tests.unit.engine.engine_house import Fault, House
from tests.unit.engine.engine_reviews import ASK

#: A step that is done, and one at which the executor dies.
LINKS: Final = "in.result -> first.value\nfirst.result -> does.value\ndoes.result -> out.value"
ONE: Final = GraphId("one")


def chain(block: str, *, name: str = "one") -> Graph:
    """Return a graph in which a keyed step comes before one of *block*."""
    nodes = {"in": INPUT, "first": ("KeyedBlock", {}), "does": (block, {}), "out": OUTPUT}
    return graph(name, nodes, LINKS)


@pytest.fixture(autouse=True)
def _short_control(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poison, "CONTROL_S", 0.05)


async def until_parked(house: House, run_id: ExecutionId, poison: str = "does") -> int:
    """Let engines die each time that the node *poison* runs, until nobody tries again."""
    lives = 0
    while (await house.run(run_id)).status not in FINAL:
        lives += 1
        assert lives <= MOST_STALLS + 2
        fault = Fault()

        def dies(fault: Fault = fault) -> None:
            query = "SELECT count(*) FROM node_executions WHERE id = ? AND node_id = ?"
            if house.rows(query, house.notes.runs[-1][0], poison) == [(1,)]:
                fault.died.set()

        house.notes.on_run = dies
        async with house.engine(fault):
            await house.until_dead(run_id, fault)
    house.notes.on_run = lambda: None
    return lives


def broken_rules(house: House) -> list[Broken]:
    """Return what the doctor finds wrong with the rows."""
    with examine(house.path) as records:
        return [one for rule in Rule for one in records.broken(rule)]


async def test_it_ends_with_its_cause_and_goes_on_from_there_when_it_is_retried(
    house: House,
) -> None:
    await house.add(chain("KeyedBlock"))
    run_id = await house.submit("one", run="x")

    await until_parked(house, run_id)

    parked = await house.run(run_id)
    assert parked.status is Status.TERMINATED
    assert parked.stats is not None
    assert parked.stats.error == (
        "parked: the executor was lost 6 times at the same point of this run, with KeyedBlock at"
        " work; it goes on from there when somebody retries it"
    )
    [listed] = await house.storage.parked(limit=9)
    assert (listed.id, listed.user_id, listed.reason) == (run_id, "ann", parked.stats.error)
    assert {node.node_id: node.status for node in await house.nodes(run_id)} == {
        "in": Status.COMPLETED,
        "first": Status.COMPLETED,
        "does": Status.TERMINATED,
    }
    assert broken_rules(house) == []
    done = Counter(key for _, key in house.notes.runs)

    await house.user.retry(ONE, run_id, now_us=house.clock.now_us())
    queued = await house.run(run_id)
    async with house.engine():
        ended = await house.ended(run_id)

    assert (queued.status, queued.ended_us, queued.stats and queued.stats.error) == (
        Status.QUEUED,
        None,
        None,
    )
    assert queued.revision > parked.revision
    assert (ended.status, ended.outputs) == (Status.COMPLETED, {"answer": ["x.."]})
    after = Counter(key for _, key in house.notes.runs)
    # The step that was done is not done again; the other once more, with the key that it had.
    assert sorted(after.values()) == [1, MOST_STALLS + 2]
    assert after.keys() == done.keys()
    assert await house.storage.parked(limit=9) == []
    assert broken_rules(house) == []


async def test_its_attempts_are_counted_anew(house: House) -> None:
    await house.add(chain("ReadBlock"))
    run_id = await house.submit("one", run="x")
    first = await until_parked(house, run_id)
    await house.user.retry(ONE, run_id, now_us=1)

    second = await until_parked(house, run_id)

    # The first time a signal had none to count; a sweep finds it from the first life on.
    assert MOST_STALLS <= second <= first
    assert (await house.run(run_id)).status is Status.TERMINATED
    assert len(await house.storage.parked(limit=9)) == 1


async def test_a_nested_run_is_parked_and_goes_on_with_the_one_that_started_it(
    house: House,
) -> None:
    inner = chain("KeyedBlock", name="inner")
    nodes = {"in": INPUT, "agent": agent("inner"), "out": OUTPUT}
    links = "in.result -> agent.run\nagent.answer -> out.value"
    await house.add(graph("one", nodes, links, (inner,)))
    run_id = await house.submit("one", run="x")

    await until_parked(house, run_id)

    assert house.rows("SELECT depth, status, parked IS NULL FROM executions ORDER BY depth") == [
        (0, "TERMINATED", 0),
        (1, "TERMINATED", 0),
    ]
    assert broken_rules(house) == []
    [[nested]] = house.rows("SELECT id FROM executions WHERE depth = 1")
    with pytest.raises(Conflict, match="is nested; retry the run that started it"):
        await house.storage.retry(nested, now_us=1)
    assert [one.id for one in await house.storage.parked(limit=9)] == [run_id]

    await house.user.retry(ONE, run_id, now_us=1)
    async with house.engine():
        ended = await house.ended(run_id)

    assert (ended.status, ended.outputs) == (Status.COMPLETED, {"answer": ["x.."]})
    assert house.rows("SELECT DISTINCT status, parked FROM executions") == [("COMPLETED", None)]
    assert sorted(Counter(key for _, key in house.notes.runs).values()) == [1, MOST_STALLS + 2]
    assert broken_rules(house) == []


async def test_of_two_retries_one_does_it(house: House) -> None:
    await house.add(chain("ReadBlock"))
    run_id = await house.submit("one", run="x")
    await until_parked(house, run_id)

    done = await asyncio.gather(
        house.user.retry(ONE, run_id, now_us=1),
        house.storage.retry(run_id, now_us=1),
        return_exceptions=True,
    )

    assert sorted(type(one).__name__ for one in done) in (
        ["Conflict", "NoneType"],
        ["Conflict", "str"],
    )


async def test_what_is_not_parked_or_not_there_is_not_retried(house: House) -> None:
    await house.add(chain("ReadBlock"))
    run_id = await house.submit("one", run="x")
    with pytest.raises(Conflict, match="is QUEUED, not parked"):
        await house.user.retry(ONE, run_id, now_us=1)
    await until_parked(house, run_id)
    with pytest.raises(NotFound):
        await house.storage.of(UserId("bob")).retry(ONE, run_id, now_us=1)
    with pytest.raises(NotFound):
        await house.user.retry(GraphId("other"), run_id, now_us=1)
    await house.user.delete_execution(run_id, now_us=1)

    with pytest.raises(NotFound):
        await house.user.retry(ONE, run_id, now_us=1)

    assert await house.storage.parked(limit=9) == []


async def test_a_question_waits_as_long_as_its_run_is_parked(house: House) -> None:
    nodes = {
        "in": INPUT,
        "ask": ASK,
        "does": ("KeyedBlock", {}),
        "out": OUTPUT,
    }
    links = "in.result -> ask.data\nin.result -> does.value\nask.approved_data -> out.value"
    await house.add(graph("one", nodes, links))
    run_id = await house.submit("one", run="x")

    await until_parked(house, run_id)

    assert await house.user.waiting_reviews(page=1, page_size=9) == []
    assert house.rows("SELECT status, message FROM reviews") == [("REJECTED", PARKED)]
    assert broken_rules(house) == []
    await house.user.retry(ONE, run_id, now_us=1)
    async with house.engine():
        while (await house.run(run_id)).status is not Status.REVIEW:  # noqa: ASYNC110 - rows wake nobody
            await asyncio.sleep(0.01)
        [asked] = await house.user.waiting_reviews(page=1, page_size=9)
        answer = Answer(node_exec_id=asked.node_exec_id, approved=True)
        await house.user.answer_reviews([answer], now_us=1)
        ended = await house.ended(run_id)

    assert (ended.status, ended.outputs) == (Status.COMPLETED, {"answer": ["x"]})
    assert broken_rules(house) == []
