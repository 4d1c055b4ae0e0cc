"""Executors that share runs: who has one keeps it while he lives, and nothing is done twice."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from backend.core.ids import ExecutionId
from backend.core.status import Status
from backend.engine.engine import Engine
from backend.engine.fleet import Fleet
from backend.engine.tools import Limits
from backend.ports.dispatch import SignalKind
from tests.seats import MemorySeats, SharedSeats
from tests.unit.engine.engine_blocks import EVERYTHING, INPUT, OUTPUT, agent, graph
from tests.unit.engine.engine_executors import Executors, FewPeers, look_often
from tests.unit.engine.engine_house import ANN, House

WAITING = graph(
    "waiting",
    {"in": INPUT, "wait": ("WaitsBlock", {}), "out": OUTPUT},
    """
    in.result -> wait.value
    wait.result -> out.value
    """,
)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    look_often(monkeypatch)


async def test_three_executors_share_runs_and_do_nothing_twice(house: House) -> None:
    await house.add(EVERYTHING)
    executors = Executors(house)
    async with executors("a"), executors("b"), executors("c"):
        ids = []
        for number in range(30):
            ids.append(await house.submit("everything", run=number))
            house.signals.signal(SignalKind.RUN, ids[-1], ANN)
        runs = [await house.ended(run_id) for run_id in ids]

    assert {run.status for run in runs} == {Status.COMPLETED}
    assert set(house.notes.count().values()) == {1}
    assert {run.attempt for run in runs} == {1}
    owners = {
        (run_id, owner) for run_id, owner in house.rows("SELECT root_id, owner FROM executions")
    }
    assert len(owners) == len(ids)  # nested runs are where their root is
    assert house.events.too_early == []


async def test_whoever_has_a_free_slot_takes_of_what_waits(house: House) -> None:
    await house.add(WAITING)
    house.notes.hold = asyncio.Event()
    executors, limits = Executors(house), Limits(runs_per_graph=8, runs_per_user=8)
    a_, b_ = (executors(name, slots=4, limits=limits) for name in "ab")
    async with a_ as a, b_ as b:
        ids = [await house.submit("waiting", run=number) for number in range(8)]
        async with asyncio.timeout(20):
            while len(house.notes.runs) < len(ids):  # noqa: ASYNC110 - each is at work
                await asyncio.sleep(0.01)

        assert [engine.worker.active for engine in (a, b)] == [4, 4]
        house.notes.hold.set()
        runs = [await house.ended(run_id) for run_id in ids]

    assert {run.status for run in runs} == {Status.COMPLETED}


async def test_what_a_living_executor_has_nobody_takes(house: House) -> None:
    await house.add(WAITING)
    house.notes.hold = asyncio.Event()
    run_id = await house.submit("waiting", run=1)
    executors = Executors(house)
    async with executors("a"):
        await house.notes.held.wait()
        async with executors("b") as b:
            house.signals.signal(SignalKind.RUN, run_id, ANN)
            await asyncio.sleep(0.3)
            assert b.worker.picked_up == 0
            house.notes.hold.set()
            run = await house.ended(run_id)

    assert (run.status, await executors.owner(run_id)) == (Status.COMPLETED, "a")


async def test_the_runs_of_the_dead_are_taken_over_and_go_on(house: House) -> None:
    await house.add(EVERYTHING)
    executors = Executors(house)
    ids = [await house.submit("everything", run=number) for number in range(10)]
    async with executors("a"):
        while len(house.rows("SELECT 1 FROM node_executions WHERE status = 'COMPLETED'")) < 20:  # noqa: ASYNC110 - rows wake nobody
            await asyncio.sleep(0.001)
    done = {
        row[0] for row in house.rows("SELECT id FROM node_executions WHERE status = 'COMPLETED'")
    }
    before = house.notes.count()
    async with executors("b") as b:
        await asyncio.sleep(0.1)
        assert not any(
            owner == "b" for [owner] in house.rows("SELECT owner FROM executions WHERE attempt > 1")
        )
        told = len(house.events.seen)
        executors.peers.dead.add("a")
        runs = [await house.ended(run_id) for run_id in ids]

    assert {run.status for run in runs} == {Status.COMPLETED}
    # What "a" had saved and not told is looked for before anything newer of the same run is told.
    assert house.events.told_all_at == [told]
    after = house.notes.count()
    assert {one: after[one] for one in done} == {one: before[one] for one in done}
    assert max(after.values()) <= 2
    assert all(len(house.notes.keys(one)) == 1 for one in after)
    assert b.fleet is not None
    assert b.fleet.taken_over == 1


OUTER = graph(
    "outer",
    {"in": INPUT, "agent": agent("waiting"), "out": OUTPUT},
    """
    in.result -> agent.run
    agent.answer -> out.value
    """,
)


async def test_what_is_nested_waits_until_somebody_has_its_root(house: House) -> None:
    """Else a second executor, who has read before that, takes it from the one that has both."""
    await house.add(WAITING)
    await house.add(OUTER)
    house.notes.hold = asyncio.Event()
    root_id = await house.submit("outer", run=1)
    executors = Executors(house)
    async with executors("a"):
        await house.notes.held.wait()
    [[nested_id]] = house.rows("SELECT id FROM executions WHERE parent_id IS NOT NULL")
    [nested] = await house.storage.load_runs([nested_id])
    seats = MemorySeats(SharedSeats(), "b")
    b = Fleet("b", storage=house.storage, peers=FewPeers(), seats=seats)
    b.gone = frozenset({"a"})

    found = await house.storage.unfinished(limit=9, exclude=[], takeable=b.takeable())
    ended = replace(nested, root_is_open=False)

    assert (nested.owner, nested.root_owner, nested.root_is_open) == ("a", "a", True)
    assert found == [root_id]
    assert not b.may_take(nested)
    assert not b.may_take(replace(nested, owner="c"))
    assert b.may_take(replace(nested, root_owner="b"))
    assert b.may_take(ended)
    assert not b.may_take(replace(ended, owner="c"))
    assert not b.may_take(replace(nested, root_owner="c"))


async def test_an_executor_that_wakes_after_its_runs_were_taken_over_changes_nothing(
    house: House,
) -> None:
    await house.add(WAITING)
    first, second = asyncio.Event(), asyncio.Event()
    house.notes.hold = first
    run_id = await house.submit("waiting", run=1)
    executors = Executors(house)
    async with executors("a") as a:
        await house.notes.held.wait()
        house.notes.held.clear()
        house.notes.hold = second
        executors.peers.dead.add("a")
        async with executors("b"):
            await house.notes.held.wait()
            first.set()  # what it was in ends, and it wants to say so
            while a.worker.active:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.005)
            assert (await house.run(run_id)).status is Status.RUNNING
            second.set()
            run = await house.ended(run_id)

    assert (run.status, run.attempt, await executors.owner(run_id)) == (Status.COMPLETED, 2, "b")
    assert len(house.rows("SELECT 1 FROM node_executions WHERE status = 'COMPLETED'")) == 3


async def test_a_limit_holds_over_all_executors(house: House) -> None:
    await house.add(WAITING)
    house.notes.hold = asyncio.Event()
    executors = Executors(house, SharedSeats(per_graph=3))
    limits = Limits(runs_per_graph=3)
    ids = [await house.submit("waiting", run=number) for number in range(9)]
    async with executors("a", limits=limits), executors("b", limits=limits):
        for run_id in ids:
            house.signals.signal(SignalKind.RUN, run_id, ANN)
        await house.notes.held.wait()
        await asyncio.sleep(0.3)
        at_once = len(house.notes.runs)
        house.notes.hold.set()
        runs = [await house.ended(run_id) for run_id in ids]

    assert at_once == 3
    assert executors.seats.most == 3
    assert {run.status for run in runs} == {Status.COMPLETED}


async def test_what_the_dead_had_under_way_goes_before_all_that_waits(house: House) -> None:
    """Where a user has come to a limit, it would wait for all of his runs that came after it."""
    await house.add(WAITING)
    house.notes.hold = asyncio.Event()
    executors = Executors(house, SharedSeats(per_graph=1))
    limits = Limits(runs_per_graph=1)
    [first, *others] = [await house.submit("waiting", run=number) for number in range(6)]
    async with executors("a", limits=limits):
        house.signals.signal(SignalKind.RUN, first, ANN)
        await house.notes.held.wait()
    executors.seats.taken.clear()  # others have seen that it is gone, and the next run is begun
    house.notes.held.clear()
    async with executors("b", limits=limits) as b:
        for run_id in others:
            house.signals.signal(SignalKind.RUN, run_id, ANN)
        await house.notes.held.wait()
        [begun] = b.worker.active_runs
        executors.peers.dead.add("a")
        await until(lambda: bool(b.worker.limits().full_graphs) and bool(waits_first(b)))
        house.notes.hold.set()
        runs = {run_id: await house.ended(run_id) for run_id in (first, *others)}

    order = sorted(runs, key=lambda run_id: runs[run_id].ended_us or 0)
    assert order[:2] == [begun, first]
    assert {run.status for run in runs.values()} == {Status.COMPLETED}


def waits_first(engine: Engine) -> list[ExecutionId]:
    """Return the runs that go before others as soon as there is room."""
    assert engine.fleet is not None
    return engine.fleet.interrupted(1, lambda _: True)


async def test_a_stop_reaches_the_executor_that_has_the_run(house: House) -> None:
    await house.add(WAITING)
    house.notes.hold = asyncio.Event()
    run_id = await house.submit("waiting", run=1)
    executors = Executors(house)
    async with executors("a"):
        await house.notes.held.wait()
        async with executors("b") as b:
            assert await house.user.ask_stop(run_id, now_us=house.clock.now_us())
            run = await house.ended(run_id)
            assert b.worker.picked_up == 0

    assert (run.status, await executors.owner(run_id)) == (Status.TERMINATED, "a")


async def test_a_seat_whose_taker_died_before_it_began_is_free_again(house: House) -> None:
    await house.add(EVERYTHING)
    run_id = await house.submit("everything", run=1)
    executors = Executors(house)
    [stored] = await house.storage.load_runs([run_id])
    dead = Fleet(
        "a", storage=house.storage, peers=executors.peers, seats=MemorySeats(executors.seats, "a")
    )
    assert await dead.seated([stored], refused=lambda _: None) == [stored]
    async with executors("b"):
        await asyncio.sleep(0.1)
        assert (await house.run(run_id)).status is Status.QUEUED
        executors.peers.dead.add("a")
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED


async def test_who_was_missed_begins_nothing_until_the_others_have_seen_it_again(
    house: House,
) -> None:
    await house.add(EVERYTHING)
    executors = Executors(house)
    executors.peers.shown = 1.0
    async with executors("a") as a:
        run_id = await house.submit("everything", run=1)
        house.signals.signal(SignalKind.RUN, run_id, ANN)
        await asyncio.sleep(0.3)
        assert a.worker.picked_up == 0
        executors.peers.shown = 10.0
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED


async def test_an_executor_that_is_back_keeps_what_it_begins(house: House) -> None:
    """It was frozen, and its run was taken over; from then on it lives like any other."""
    await house.add(WAITING)
    house.notes.hold = asyncio.Event()
    executors = Executors(house)
    async with executors("a"), executors("b", slots=1) as b:
        assert b.fleet is not None
        first = await house.submit("waiting", run=1)
        await until(lambda: bool(house.rows("SELECT 1 FROM executions WHERE attempt = 1")))
        executors.peers.dead.add("a")
        second = await house.submit("waiting", run=2)
        third = await house.submit("waiting", run=3)
        await until(lambda: b.worker.active == 1)
        executors.peers.dead.clear()
        await until(lambda: not b.fleet.gone if b.fleet else False)
        await asyncio.sleep(0.2)
        attempts = house.rows("SELECT id, attempt, owner FROM executions WHERE owner = 'a'")
        house.notes.hold.set()
        runs = [await house.ended(run_id) for run_id in (first, second, third)]
        owners = house.rows("SELECT id, attempt, owner FROM executions WHERE owner = 'a'")

    assert {run.status for run in runs} == {Status.COMPLETED}
    assert attempts
    assert set(attempts) <= set(owners)


class Rows:
    """Storage of a house in which "a" had something under way."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def owners(self) -> frozenset[str]:
        return frozenset({"a", "c"})

    async def settle_dead_calls(self, owners: frozenset[str] | None = None) -> int:
        self.asked.append(f"settle {','.join(sorted(owners or ()))}")
        return 0

    async def free_rows(self, owners: frozenset[str]) -> int:
        self.asked.append(f"free {','.join(sorted(owners))}")
        return 1


async def test_rows_of_the_gone_are_freed_before_anybody_needs_them_and_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A frozen one can get a lock that it has waited for after others have missed it."""
    monkeypatch.setattr("backend.engine.fleet._FREED_LOOKS", 2)
    rows, peers = Rows(), FewPeers()
    fleet = Fleet("b", storage=rows, peers=peers, seats=MemorySeats(SharedSeats(), "b"))

    await fleet.look(lambda: None)
    assert rows.asked == []
    peers.dead.add("a")
    for _ in range(3):
        await fleet.look(lambda: None)
    assert rows.asked == ["free a", "settle a", "free a"]
    peers.dead.clear()
    await fleet.look(lambda: None)
    peers.dead.add("a")
    await fleet.look(lambda: None)

    assert rows.asked[3:] == ["free a", "settle a"]


async def until(check: Callable[[], bool]) -> None:
    """Wait for what tells nobody."""
    async with asyncio.timeout(20):
        while not check():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)
