"""At most so many runs of one user and graph at once; nobody else waits for them."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from backend.core.ids import ExecutionId
from backend.core.status import Status
from backend.engine import admission
from backend.engine.tools import Limits
from backend.ports.dispatch import SignalKind
from backend.ports.storage import StoredRun
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, graph
from tests.unit.engine.engine_house import House

LINKS = "in.result -> does.value\ndoes.result -> out.value"
WAITING = graph("waiting", {"in": INPUT, "does": ("WaitsBlock", {}), "out": OUTPUT}, LINKS)
QUICK = graph("quick", {"in": INPUT, "does": ("ReadBlock", {}), "out": OUTPUT}, LINKS)
TWO = Limits(runs_per_graph=2)


async def submitted(house: House, graph_id: str, count: int) -> list[ExecutionId]:
    ids = [await house.submit(graph_id, run=str(number)) for number in range(count)]
    for run_id in ids:
        house.signals.signal(SignalKind.RUN, run_id)
    return ids


async def running(house: House, count: int) -> None:
    async with asyncio.timeout(10):
        while len(house.notes.runs) < count:  # noqa: ASYNC110 - blocks wake nobody
            await asyncio.sleep(0.005)


async def test_a_full_graph_makes_its_own_runs_wait_and_no_others(house: House) -> None:
    await house.add(WAITING)
    await house.add(QUICK)
    house.notes.hold = asyncio.Event()
    async with house.engine(limits=TWO):
        waiting = await submitted(house, "waiting", 6)
        await running(house, 2)

        [other] = await submitted(house, "quick", 1)
        ended = await house.ended(other)

        assert ended.status is Status.COMPLETED
        queued = [run for run in waiting if (await house.run(run)).status is Status.QUEUED]
        assert len(queued) == 4
        house.notes.hold.set()
        assert {(await house.ended(run)).status for run in waiting} == {Status.COMPLETED}


async def test_one_that_waits_its_turn_can_be_stopped(house: House) -> None:
    await house.add(WAITING)
    house.notes.hold = asyncio.Event()
    async with house.engine(limits=TWO):
        *_, last = await submitted(house, "waiting", 3)
        await running(house, 2)

        assert await house.user.ask_stop(last, now_us=1)
        house.signals.signal(SignalKind.STOP, last)

        assert (await house.ended(last)).status is Status.TERMINATED
        assert len(house.notes.runs) == 2


@pytest.mark.slow
async def test_more_than_can_be_remembered_are_found_in_storage(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "MOST_WAITING", 1)
    await house.add(WAITING)
    house.notes.hold = asyncio.Event()
    async with house.engine(limits=TWO):
        ids = await submitted(house, "waiting", 8)
        await running(house, 2)

        house.notes.hold.set()

        assert {(await house.ended(run)).status for run in ids} == {Status.COMPLETED}


async def test_what_a_sweep_has_begun_is_not_begun_again_for_its_signal(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes while the sweep reads; the run may end while it is being read again."""
    await house.add(WAITING)
    await house.add(QUICK)
    house.notes.hold = asyncio.Event()
    first = await house.submit("waiting", run="x")
    loaded: list[ExecutionId] = []
    unfinished, load_runs = house.storage.unfinished, house.storage.load_runs

    async def unfinished_with_a_signal(**asked: Any) -> list[ExecutionId]:
        found = await unfinished(**asked)
        if first in found:
            house.signals.signal(SignalKind.RUN, first)
            await asyncio.sleep(0.01)  # a few turns: it is heard
        return found

    async def load_noting(ids: Sequence[ExecutionId]) -> list[StoredRun]:
        loaded.extend(ids)
        return await load_runs(ids)

    monkeypatch.setattr(house.storage, "unfinished", unfinished_with_a_signal)
    monkeypatch.setattr(house.storage, "load_runs", load_noting)
    async with house.engine():
        await running(house, 1)
        [other] = await submitted(house, "quick", 1)
        await house.ended(other)  # its signal came after the other one
        house.notes.hold.set()
        await house.ended(first)

    assert loaded == [first, other]
