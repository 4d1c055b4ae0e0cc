"""Schedules over real storage, with a clock that the tests move."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.adapters.storage.account_storage import SqlAccounts
from backend.adapters.storage.credentials import SqlCredentials
from backend.core.cron import Dialect
from backend.core.ids import ExecutionId, GraphId, ScheduleId
from backend.core.records import MissedPolicy, NewExecution, OverlapPolicy, ScheduleRecord
from backend.discovery import load_catalog
from backend.engine.ticker import Ticker
from backend.services.executions import ExecutionService
from backend.services.fires import FireService
from backend.services.graphs import GraphService
from backend.testing.clock import FakeClock
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, graph
from tests.unit.engine.engine_house import ANN, House, open_house

SIMPLE = graph("simple", {"in": INPUT, "out": OUTPUT}, "in.result -> out.value")


class Scheduling:
    """A house with a graph, a clock, and as many tickers as are asked for."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.clock = FakeClock()

    async def prepared(self, schedule: ScheduleRecord) -> NewExecution:
        """Return what a fire of *schedule* would start."""
        return await self.fires().prepare(schedule, ExecutionId("run"))

    def ticker(self) -> Ticker:
        storage, signals = self.house.storage, self.house.signals
        return Ticker(storage, signals, self.clock, self.fires())

    def fires(self) -> FireService:
        catalog, storage = load_catalog(), self.house.storage
        executions = ExecutionService(
            storage=storage,
            credentials=SqlCredentials(storage.database),
            dispatcher=self.house.signals,
            graphs=GraphService(storage=storage, catalog=catalog, clock=self.clock),
            catalog=catalog,
            clock=self.clock,
        )
        return FireService(executions=executions, dialect=Dialect.POSIX)

    async def add(
        self,
        cron: str,
        *,
        zone: str = "UTC",
        missed: MissedPolicy = MissedPolicy.LAST,
        overlap: OverlapPolicy = OverlapPolicy.ALLOW,
    ) -> ScheduleRecord:
        schedule = ScheduleRecord(
            id=ScheduleId("schedule"),
            user_id=ANN,
            graph_id=GraphId("simple"),
            graph_version=1,
            name="s",
            agent_name="simple",
            cron=cron,
            timezone=zone,
            inputs={"run": "tick"},
            credentials={},
            missed=missed,
            overlap=overlap,
            created_us=self.clock.now_us(),
            next_us=self.clock.now_us(),
        )
        await self.house.user.add_schedule(schedule)
        return schedule

    def fired(self) -> list[datetime]:
        rows = self.house.rows(
            "SELECT fire_us FROM schedule_fires WHERE run_id IS NOT NULL ORDER BY fire_us"
        )
        return [datetime.fromtimestamp(row[0] / 1e6, UTC) for row in rows]

    def runs(self) -> int:
        return len(self.house.rows("SELECT 1 FROM executions"))


@pytest.fixture
async def scheduling(tmp_path: Path) -> AsyncIterator[Scheduling]:
    async with open_house(tmp_path) as house:
        await house.add(SIMPLE)
        yield Scheduling(house)


async def test_two_racing_tickers_give_one_run_a_fire(scheduling: Scheduling) -> None:
    await scheduling.add("* * * * *")
    tickers = [scheduling.ticker(), scheduling.ticker()]

    started = 0
    for _ in range(5):
        started += sum(await asyncio.gather(*(ticker.fire_due() for ticker in tickers)))
        scheduling.clock.pass_time(minutes=1)

    assert started == scheduling.runs() == 5
    minutes = [moment.minute for moment in scheduling.fired()]
    assert minutes == [0, 1, 2, 3, 4]


async def test_nothing_fires_for_a_disabled_user_and_what_was_missed_is_told_later(
    scheduling: Scheduling,
) -> None:
    await scheduling.add("* * * * *")
    storage, ticker = scheduling.house.storage, scheduling.ticker()
    await storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    ann = SqlAccounts(storage.database).of(ANN)
    await ann.set_disabled(disabled=True, now_us=1)
    for _ in range(3):
        assert await ticker.fire_due() == 0
        scheduling.clock.pass_time(minutes=1)
    assert await storage.next_fire() is None

    await ann.set_disabled(disabled=False, now_us=2)

    assert await ticker.fire_due() == 1
    assert [moment.minute for moment in scheduling.fired()] == [3]


@pytest.mark.parametrize(
    ("missed", "runs"), [(MissedPolicy.ALL, 11), (MissedPolicy.LAST, 1), (MissedPolicy.NONE, 1)]
)
async def test_missed_fires_are_made_up_for_as_the_schedule_says(
    scheduling: Scheduling, missed: MissedPolicy, runs: int
) -> None:
    """Ten were missed by more than a minute's grace or on the dot; the last is due now."""
    await scheduling.add("* * * * *", missed=missed)
    scheduling.clock.pass_time(minutes=10)

    await scheduling.ticker().fire_due()

    if missed is MissedPolicy.NONE:
        # Within the grace of a minute: that of now, and the one a minute ago.
        assert scheduling.runs() == 2
    else:
        assert scheduling.runs() == runs
    assert await scheduling.ticker().fire_due() == 0


@pytest.mark.parametrize(
    ("cron", "begin", "days", "expected"),
    [
        # 02:30 does not exist on 2026-03-29 in Berlin; 02:30 comes twice on 2026-10-25.
        ("30 2 * * *", datetime(2026, 3, 28, 12, tzinfo=UTC), 3, 3),
        ("30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=UTC), 3, 3),
        ("0 * * * *", datetime(2026, 3, 28, 12, tzinfo=UTC), 2, 48),
        ("0 * * * *", datetime(2026, 10, 24, 12, tzinfo=UTC), 2, 48),
    ],
)
async def test_each_fire_happens_once_whatever_daylight_saving_does(
    scheduling: Scheduling, cron: str, begin: datetime, days: int, expected: int
) -> None:
    scheduling.clock.set_us(int(begin.timestamp() * 1e6))
    schedule = await scheduling.add(cron, zone="Europe/Berlin", missed=MissedPolicy.ALL)
    ticker = scheduling.ticker()
    await scheduling.house.storage.fire(
        schedule,
        fire_us=schedule.next_us or 0,
        next_us=ticker._firing.next_fire(schedule, scheduling.clock.now_us()),
        run=None,
    )

    for _ in range(days * 24):
        scheduling.clock.pass_time(hours=1)
        await ticker.fire_due()

    fired = scheduling.fired()
    assert len(fired) == expected == len(set(fired))
    assert scheduling.runs() == expected


async def test_a_clock_that_is_set_back_fires_nothing_twice(scheduling: Scheduling) -> None:
    await scheduling.add("* * * * *")
    ticker = scheduling.ticker()
    await ticker.fire_due()
    scheduling.clock.pass_time(minutes=1)
    await ticker.fire_due()

    scheduling.clock.set_us(scheduling.clock.now_us() - 3_600_000_000)
    for _ in range(60):
        await ticker.fire_due()
        scheduling.clock.pass_time(minutes=1)

    assert scheduling.runs() == 2


async def test_fires_go_with_the_graph_of_their_schedule(scheduling: Scheduling) -> None:
    await scheduling.add("* * * * *")
    assert await scheduling.ticker().fire_due() == 1

    await scheduling.house.user.delete_graph(GraphId("simple"), now_us=scheduling.clock.now_us())

    assert scheduling.house.rows("SELECT * FROM schedules") == []
    assert scheduling.house.rows("SELECT * FROM schedule_fires") == []


async def test_a_schedule_whose_graph_lacks_something_names_the_node_and_the_pin(
    scheduling: Scheduling,
) -> None:
    """A count of issues helps nobody who reads it in a letter."""
    await scheduling.add("* * * * *")
    [node] = graph("simple", {"fill": ("FillTextTemplateBlock", {})}, "").nodes
    body = {"nodes": [[node.id, node.block_id, {}, {}]], "links": []}
    with scheduling.house.database() as database:
        database.execute("UPDATE graphs SET body = ?", (json.dumps(body),))

    await scheduling.ticker().fire_due()

    [schedule] = await scheduling.house.user.schedules()
    assert "; node fill, format: " in (schedule.paused_because or "")
    [(told,)] = scheduling.house.rows("SELECT data ->> 'reason' FROM notices")
    assert told == schedule.paused_because


async def test_a_schedule_whose_graph_is_gone_is_paused_and_says_why(
    scheduling: Scheduling,
) -> None:
    await scheduling.add("* * * * *")
    database = scheduling.house.storage.database
    await database.write(lambda c: c.exec_driver_sql("DELETE FROM graphs"))

    assert await scheduling.ticker().fire_due() == 0

    [schedule] = await scheduling.house.user.schedules()
    assert schedule.next_us is None
    assert "not found" in (schedule.paused_because or "")
    [(kind, text)] = scheduling.house.rows("SELECT type, data FROM notices")
    assert kind == "CONTINUOUS_AGENT_ERROR"
    told = json.loads(text)
    assert (told["reason"], told["schedule_name"]) == (schedule.paused_because, "s")
    assert f"agpt schedule resume {schedule.id}" in told["remedy"]


async def test_two_racing_tickers_tell_of_a_pause_once_and_of_the_next_one_too(
    scheduling: Scheduling,
) -> None:
    schedule = await scheduling.add("* * * * *")
    database = scheduling.house.storage.database
    await database.write(lambda c: c.exec_driver_sql("DELETE FROM graphs"))
    tickers = [scheduling.ticker(), scheduling.ticker()]

    await asyncio.gather(*(ticker.fire_due() for ticker in tickers))
    assert scheduling.house.rows("SELECT count(*) FROM notices") == [(1,)]

    [paused] = await scheduling.house.user.schedules()
    resumed = replace(paused, next_us=schedule.next_us, paused_because=None)
    assert await scheduling.house.user.change_schedule(resumed)
    await asyncio.gather(*(ticker.fire_due() for ticker in tickers))
    assert scheduling.house.rows("SELECT count(*) FROM notices") == [(2,)]


async def test_a_pause_that_its_owner_overtook_is_none_and_tells_nothing(
    scheduling: Scheduling,
) -> None:
    schedule = await scheduling.add("* * * * *")
    assert await scheduling.house.user.change_schedule(replace(schedule, name="mended"))

    storage = scheduling.house.storage
    assert not await storage.pause_schedule(schedule, reason="why", now_us=1)

    assert scheduling.house.rows("SELECT count(*) FROM notices") == [(0,)]


@pytest.mark.parametrize("policy", [MissedPolicy.LAST, MissedPolicy.ALL])
async def test_a_year_of_missed_minutes_is_not_walked_through(
    scheduling: Scheduling, policy: MissedPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a million fires would hold the scheduler up for seconds, at each start."""
    schedule = await scheduling.add("* * * * *", missed=policy)
    scheduling.clock.pass_time(days=365)
    ticker = scheduling.ticker()
    asked = 0
    calendar = FireService.next_fire

    def count(self: FireService, one: ScheduleRecord, after_us: int) -> int | None:
        nonlocal asked
        asked += 1
        return calendar(self, one, after_us)

    monkeypatch.setattr(FireService, "next_fire", count)

    started = await ticker.fire_due()

    assert started == (1 if policy is MissedPolicy.LAST else 100)
    assert asked < 3_000
    assert await ticker.fire_due() == 0
    assert schedule.next_us is not None
