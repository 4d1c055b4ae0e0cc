"""Two schedulers, two processes, one database of PostgreSQL: each fire is made once.

What whole servers share is here: the tickers, each with its own connections, and a clock that the
tests set.
"""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import psycopg
import pytest

from backend.adapters.storage import open_storage
from backend.core.ids import GraphId, ScheduleId
from backend.core.records import MissedPolicy, OverlapPolicy, ScheduleRecord
from tests.databases import emptied
from tests.e2e.harness import until
from tests.e2e.ticking import Tickers
from tests.services import require_service
from tests.unit.engine.engine_house import ANN
from tests.unit.engine.test_ticker import SIMPLE

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

#: A whole minute: 2026-01-01T00:00:00Z.
START_US: Final = 1_767_225_600_000_000
MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US


class Fires:
    """Schedules of every minute, two tickers, and what they have made."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self.tickers = Tickers(url, folder / "clock")
        self.now_us = START_US

    @property
    def now_us(self) -> int:
        return self.tickers.times[0]

    @now_us.setter
    def now_us(self, now_us: int) -> None:
        self.tickers.times[0] = now_us

    def add(self, missed: MissedPolicy, count: int) -> list[str]:
        """Add schedules of every minute, the first fire of which is now; return their ids."""
        made = [_schedule(f"{missed.value}-{number}", missed) for number in range(count)]

        async def save() -> None:
            storage = open_storage(self._folder / "none.db", url=self._url)
            ann = storage.of(ANN)
            await ann.save_user(email="ann@example.com", name="Ann", now_us=1)
            if await ann.graph(SIMPLE.id) is None:
                await ann.add_graphs([SIMPLE], now_us=1)
            for schedule in made:
                await ann.add_schedule(schedule)
            await storage.close()

        asyncio.run(save())
        return [schedule.id for schedule in made]

    def minutes(self, schedule_id: str) -> list[int]:
        """Return at which minutes since the start a schedule has fired with a run, in order."""
        query = (
            "SELECT fire_us FROM schedule_fires f JOIN executions e ON e.id = f.run_id"
            f" WHERE schedule_id = '{schedule_id}' ORDER BY fire_us"
        )
        return [(fire_us - START_US) // MINUTE_US for (fire_us,) in self._rows(query)]

    def count(self) -> int:
        """Return how many runs there are: a fire that is made twice would make two."""
        return int(self._rows("SELECT count(*) FROM executions")[0][0])

    def has_more_than(self, count: int) -> bool:
        return self.count() > count

    def wait_for(self, count: int) -> None:
        """Wait until there are so many runs, and until nobody makes one more."""
        until(lambda: self.count() >= count, what=f"{count} runs, not {self.count()}")
        self.tickers.looked()
        assert self.count() == count

    def _rows(self, query: str) -> list[tuple[int, ...]]:
        with psycopg.connect(self._url) as connection:
            return connection.execute(query.encode()).fetchall()


def _schedule(name: str, missed: MissedPolicy) -> ScheduleRecord:
    return ScheduleRecord(
        id=ScheduleId(name),
        user_id=ANN,
        graph_id=GraphId("simple"),
        graph_version=1,
        name=name,
        agent_name="simple",
        cron="* * * * *",
        timezone="UTC",
        inputs={"run": "tick"},
        credentials={},
        missed=missed,
        overlap=OverlapPolicy.ALLOW,
        created_us=START_US,
        next_us=START_US,
    )


@pytest.fixture
def fires(tmp_path: Path) -> Iterator[Fires]:
    made = Fires(emptied(require_service("postgres")), tmp_path)
    yield made
    made.tickers.close()


def test_each_fire_is_made_once_though_one_of_two_is_killed_again_and_again(fires: Fires) -> None:
    ids = fires.add(MissedPolicy.ALL, 20)
    fires.tickers.start(1, 2)
    fires.wait_for(20)

    for minute in range(1, 9):
        fires.now_us += MINUTE_US
        # In the middle of its work: some of these fires are made by it, the others are not.
        until(partial(fires.has_more_than, 20 * minute), what="the first fires of a minute")
        victim = 1 + minute % 2
        fires.tickers.kill(victim)
        fires.wait_for(20 * (minute + 1))
        fires.tickers.start(victim)

    assert [fires.minutes(one) for one in ids] == [list(range(9))] * 20


def test_a_clock_that_goes_back_and_forth_an_hour_makes_and_loses_none(fires: Fires) -> None:
    ids = fires.add(MissedPolicy.ALL, 3)
    fires.tickers.start(1, 2)
    fires.wait_for(3)

    fires.now_us -= HOUR_US
    fires.wait_for(3)
    fires.now_us += HOUR_US + 5 * MINUTE_US
    fires.wait_for(3 * 6)
    fires.now_us += HOUR_US
    fires.wait_for(3 * 66)
    fires.now_us -= HOUR_US
    fires.wait_for(3 * 66)
    fires.now_us += HOUR_US + MINUTE_US
    fires.wait_for(3 * 67)

    assert [fires.minutes(one) for one in ids] == [list(range(67))] * 3


def test_a_machine_that_slept_for_two_days_makes_up_as_each_policy_says(fires: Fires) -> None:
    all_of = fires.add(MissedPolicy.ALL, 2)
    last, none = fires.add(MissedPolicy.LAST, 2), fires.add(MissedPolicy.NONE, 2)
    fires.tickers.start(1, 2)
    fires.wait_for(6)
    asleep = 2 * 24 * 60

    fires.now_us += asleep * MINUTE_US + MINUTE_US // 2
    fires.wait_for(6 + 2 * (100 + 1 + 1))
    fires.now_us += MINUTE_US
    fires.wait_for(6 + 2 * (100 + 1 + 1) + 6)

    # All: the newest hundred. Last: one. None: what is no later than a minute, which is that one.
    newest = list(range(asleep - 99, asleep + 2))
    assert [fires.minutes(one) for one in all_of] == [[0, *newest]] * 2
    for one in (*last, *none):
        assert fires.minutes(one) == [0, asleep, asleep + 1]
