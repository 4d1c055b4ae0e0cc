"""Many schedules that are due at once: all of them fire, each once, and few commits do it."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.adapters.storage import open_storage
from backend.core.errors import Unavailable
from backend.core.ids import ScheduleId
from backend.core.records import MissedPolicy
from backend.engine.ticker import Ticker
from tests.unit.engine.engine_house import FaultyStorage, open_house
from tests.unit.engine.test_ticker import SIMPLE, Scheduling


@pytest.fixture
async def scheduling(tmp_path: Path) -> AsyncIterator[Scheduling]:
    async with open_house(tmp_path) as house:
        await house.add(SIMPLE)
        yield Scheduling(house)


async def add_many(
    scheduling: Scheduling, count: int, *, missed: MissedPolicy = MissedPolicy.LAST
) -> None:
    """Add so many schedules of every minute."""
    first = await scheduling.add("* * * * *", missed=missed)
    for number in range(1, count):
        another = replace(first, id=ScheduleId(f"schedule-{number}"))
        await scheduling.house.user.add_schedule(another)


def fires(scheduling: Scheduling) -> list[tuple[str, int, str]]:
    return scheduling.house.rows("SELECT schedule_id, fire_us, run_id FROM schedule_fires")


@pytest.mark.slow
async def test_fires_that_are_due_at_once_share_commits(scheduling: Scheduling) -> None:
    await add_many(scheduling, 200)
    database = scheduling.house.storage.database
    before = database.commits

    assert await scheduling.ticker().fire_due() == 200

    assert scheduling.runs() == 200
    assert database.commits - before < 20


async def test_one_schedule_that_cannot_run_holds_up_no_other(scheduling: Scheduling) -> None:
    await add_many(scheduling, 20)
    with scheduling.house.database() as database:
        database.execute("UPDATE schedules SET graph_version = 9 WHERE id = 'schedule-7'")
        database.execute("UPDATE schedules SET cron = 'x' WHERE id = 'schedule-8'")

    assert await scheduling.ticker().fire_due() == 18

    assert scheduling.runs() == 18
    paused = "SELECT id FROM schedules WHERE paused_because IS NOT NULL ORDER BY id"
    assert scheduling.house.rows(paused) == [("schedule-7",), ("schedule-8",)]
    assert scheduling.house.rows("SELECT count(*) FROM notices") == [(2,)]


@pytest.mark.slow
async def test_two_tickers_with_databases_of_their_own_fire_each_once(
    scheduling: Scheduling, tmp_path: Path
) -> None:
    """As two processes do: nothing is shared but the file."""
    await add_many(scheduling, 60)
    other = open_storage(scheduling.house.path)
    tickers = [
        scheduling.ticker(),
        Ticker(other, scheduling.house.signals, scheduling.clock, scheduling.fires()),
    ]
    started = 0
    for _ in range(3):
        started += sum(await asyncio.gather(*(ticker.fire_due() for ticker in tickers)))
        scheduling.clock.pass_time(minutes=1)
    await other.close()

    assert started == scheduling.runs() == len(fires(scheduling)) == 180
    assert len({run for _, _, run in fires(scheduling)}) == 180


@pytest.mark.slow
@pytest.mark.parametrize(("missed", "runs"), [(MissedPolicy.LAST, 1), (MissedPolicy.ALL, 100)])
async def test_a_machine_that_slept_for_two_days_makes_up_as_the_policy_says(
    scheduling: Scheduling, missed: MissedPolicy, runs: int
) -> None:
    await add_many(scheduling, 3, missed=missed)
    await scheduling.ticker().fire_due()
    scheduling.clock.pass_time(days=2)

    assert [await scheduling.ticker().fire_due() for _ in range(2)] == [3 * runs, 0]

    scheduling.clock.pass_time(minutes=1)
    assert await scheduling.ticker().fire_due() == 3


@pytest.mark.slow
async def test_a_clock_that_jumps_an_hour_forth_and_back_fires_each_minute_once(
    scheduling: Scheduling,
) -> None:
    await add_many(scheduling, 3, missed=MissedPolicy.ALL)
    ticker, hour_us = scheduling.ticker(), 3_600_000_000
    await ticker.fire_due()
    scheduling.clock.set_us(scheduling.clock.now_us() + hour_us)
    assert await ticker.fire_due() == 3 * 60

    scheduling.clock.set_us(scheduling.clock.now_us() - hour_us)
    for _ in range(61):
        scheduling.clock.pass_time(minutes=1)
        await ticker.fire_due()

    assert len(fires(scheduling)) == 3 * 62 == scheduling.runs()


class Dying(FaultyStorage):
    """Storage that loses its scheduler at fires: before they reach the disk, or after."""

    def __init__(self, storage: object, choose: random.Random) -> None:
        self._storage = storage  # type: ignore[assignment] # only what a ticker asks for
        self._choose = choose

    def __getattr__(self, name: str) -> object:
        return getattr(self._storage, name)

    async def fire(self, *arguments: object, **named: object) -> bool:
        chance = self._choose.random()
        if chance < 0.2:
            raise Unavailable("killed before")
        taken = await self._storage.fire(*arguments, **named)  # type: ignore[arg-type] # as they came
        if chance > 0.8:
            raise Unavailable("killed after")
        return taken


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_schedulers_that_die_at_their_commits_lose_and_double_nothing(
    scheduling: Scheduling, seed: int
) -> None:
    await add_many(scheduling, 20, missed=MissedPolicy.ALL)
    choose = random.Random(seed)
    dying = Dying(scheduling.house.storage, choose)
    for _ in range(5):
        for _ in range(2):
            ticker = Ticker(
                dying,  # type: ignore[arg-type] # it is one, but for its deaths
                scheduling.house.signals,
                scheduling.clock,
                scheduling.fires(),
            )
            await asyncio.gather(ticker.fire_due(), return_exceptions=True)
        scheduling.clock.pass_time(minutes=1)

    await scheduling.ticker().fire_due()

    found = fires(scheduling)
    assert len(found) == len({run for _, _, run in found}) == scheduling.runs() == 20 * 6
