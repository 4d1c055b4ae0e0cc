"""A limit of runs at once holds however exchanges, answers that are lost and looks come together."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from random import Random

import pytest

from backend.core.errors import Unavailable
from backend.core.ids import ExecutionId
from backend.engine.fleet import Fleet
from backend.ports.seats import Seat, Seated
from backend.ports.storage import StoredRun
from tests.seats import MemorySeats, SharedSeats
from tests.unit.engine.engine_blocks import EVERYTHING
from tests.unit.engine.engine_executors import FewPeers
from tests.unit.engine.engine_house import House
from tests.unit.engine.test_fleet import Rows

LIMIT = 3
RUNS = 40
AT_ONCE = 3  #: asked for by one executor, one after the other, while it looks


class FarSeats(MemorySeats):
    """Seats in a database that takes its time, and now and then does not answer, done or not."""

    def __init__(self, shared: SharedSeats, me: str, random: Random) -> None:
        super().__init__(shared, me)
        self._random = random
        self._thread = asyncio.Lock()

    async def exchange(
        self, wanted: Sequence[Seat], *, left: Collection[ExecutionId], gone: Collection[str]
    ) -> Seated:
        async with self._thread:
            await self._way()
            seated = await super().exchange(wanted, left=left, gone=gone)
        await self._way()
        return seated

    async def hold(self, held: Sequence[Seat]) -> None:
        async with self._thread:
            await self._way()
            await super().hold(held)
        await self._way()

    async def _way(self) -> None:
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)
        if self._random.random() < 0.1:
            raise Unavailable("the database does not answer")


class LateAnswers(MemorySeats):
    """Tells what came of an exchange when a test lets it: others come between, as at a database."""

    def __init__(self, shared: SharedSeats, me: str) -> None:
        super().__init__(shared, me)
        self.done, self.answer = asyncio.Event(), asyncio.Event()

    async def exchange(
        self, wanted: Sequence[Seat], *, left: Collection[ExecutionId], gone: Collection[str]
    ) -> Seated:
        seated = await super().exchange(wanted, left=left, gone=gone)
        self.done.set()
        await self.answer.wait()
        return seated


async def test_seats_are_put_right_without_those_that_are_being_taken(house: House) -> None:
    """Else a run would be under way without one, and another would begin in its place."""
    await house.add(EVERYTHING)
    [stored] = await house.storage.load_runs([await house.submit("everything", run=1)])
    shared = SharedSeats()
    seats = LateAnswers(shared, "a")
    fleet = Fleet("a", storage=Rows(), peers=FewPeers(), seats=seats)
    async with asyncio.TaskGroup() as group:
        seated = group.create_task(fleet.seated([stored], refused=lambda _: None))
        await seats.done.wait()
        looks = group.create_task(looked(fleet))
        await asyncio.wait([looks], timeout=0.1)  # it does not end before the exchange
        seats.answer.set()

    assert seated.result() == [stored]
    assert list(shared.taken) == [stored.record.id]


async def looked(fleet: Fleet) -> None:
    """Look until the seats have been put right."""
    for _ in range(5):
        await fleet.look(lambda: None)


class Members:
    """Executors that begin runs of one agent and end them, as a seed says."""

    def __init__(self, stored: StoredRun, seed: int) -> None:
        self._random = Random(seed)
        self._shared = SharedSeats(per_graph=LIMIT)
        self._waiting = [
            replace(stored, record=replace(stored.record, id=ExecutionId(f"run-{number}")))
            for number in range(RUNS)
        ]
        self._under_way: set[ExecutionId] = set()
        self._left = RUNS
        self.most = 0

    async def work(self) -> None:
        """Have three executors do all runs."""
        async with asyncio.TaskGroup() as group:
            for name in ("a", "b", "c"):
                fleet = Fleet(
                    name,
                    storage=Rows(),
                    peers=FewPeers(),
                    seats=FarSeats(self._shared, name, self._random),
                )
                group.create_task(self._look(fleet))
                for _ in range(AT_ONCE):
                    group.create_task(self._begin(fleet))

    async def _look(self, fleet: Fleet) -> None:
        while self._left:
            try:
                await fleet.look(lambda: None)
            except Unavailable:
                continue  # the next look does it

    async def _begin(self, fleet: Fleet) -> None:
        while self._left:
            await self._a_moment()
            some, self._waiting[:2] = self._waiting[:2], []
            try:
                seated = await fleet.seated(some, refused=self._waiting.append)
            except Unavailable:
                continue  # all of them wait again
            self._under_way.update(run.record.id for run in seated)
            self.most = max(self.most, len(self._under_way))
            for run in seated:
                await self._a_moment()
                self._under_way.discard(run.record.id)
                self._left -= 1
                fleet.left(run)

    async def _a_moment(self) -> None:
        for _ in range(self._random.randrange(8)):
            await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(20))
async def test_no_interleaving_of_exchanges_and_looks_begins_more_than_may(
    house: House, seed: int
) -> None:
    await house.add(EVERYTHING)
    [stored] = await house.storage.load_runs([await house.submit("everything", run=1)])
    members = Members(stored, seed)

    async with asyncio.timeout(60):
        await members.work()

    assert members.most == LIMIT
