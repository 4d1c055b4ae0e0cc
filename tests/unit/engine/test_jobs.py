"""The server's own jobs over real storage: once a due time, whatever fails, dies or sleeps."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from backend.adapters.storage.jobs import SqlJobs
from backend.core.errors import Unavailable
from backend.engine.job_reports import OutcomeReports
from backend.engine.jobs import Job, Jobs, Report
from backend.ports.jobs import JobRun
from backend.testing.clock import FakeClock
from tests.unit.engine.engine_house import House, open_house

Work = Callable[[], Awaitable[Report | str]]
HOUR_S = 3600


class Working:
    """A house with jobs that count how often they were run."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.clock = FakeClock()
        self.kept = SqlJobs(house.storage.database)
        self.done: list[str] = []
        self.report: Report | Exception = Report(result="swept")

    async def sweep(self) -> Report | str:
        self.done.append("sweep")
        await asyncio.sleep(0)
        if isinstance(self.report, Exception):
            raise self.report
        return self.report

    async def count(self) -> Report | str:
        self.done.append("count")
        return "counted"

    async def scheduler(self) -> Jobs:
        jobs = Jobs(
            self.kept,
            self.clock,
            [
                Job(name="count", every_s=HOUR_S, work=self.count),
                Job(name="sweep", every_s=HOUR_S, work=self.sweep),
            ],
        )
        await jobs.declare()
        return jobs

    def notices(self) -> int:
        [(count,)] = self.house.rows("SELECT count(*) FROM notices")
        return int(count)

    async def administrator(self, who: str) -> None:
        with self.house.database() as database:
            database.execute(
                "INSERT INTO accounts (user_id, role, created_us, updated_us) VALUES (?, ?, 1, 1)",
                (who, who),
            )


@pytest.fixture
async def working(tmp_path: Path) -> AsyncIterator[Working]:
    async with open_house(tmp_path) as house:
        yield Working(house)


async def test_of_two_schedulers_one_runs_a_job_at_each_due_time(working: Working) -> None:
    schedulers = [await working.scheduler(), await working.scheduler()]

    for hour in range(1, 4):
        for _ in range(3):
            await asyncio.gather(*(one.run_due() for one in schedulers))
        assert sorted(working.done) == ["count"] * hour + ["sweep"] * hour
        working.clock.pass_time(hours=1)

    assert len(await working.kept.runs("sweep", limit=9)) == 3


async def test_what_was_missed_is_made_up_for_once(working: Working) -> None:
    scheduler = await working.scheduler()
    await scheduler.run_due()
    working.clock.pass_time(days=9)

    assert [await scheduler.run_due() for _ in range(3)] == [2, 0, 0]


@pytest.mark.parametrize("hours", [-1, -30, 5])
async def test_a_clock_that_is_set_stops_no_job(working: Working, hours: int) -> None:
    scheduler = await working.scheduler()
    await scheduler.run_due()
    working.clock.set_us(working.clock.now_us() + hours * HOUR_S * 1_000_000)
    working.done.clear()

    for _ in range(3):
        await scheduler.run_due()
        working.clock.pass_time(minutes=61)

    assert working.done.count("sweep") in (2, 3)


async def test_a_job_that_fails_is_kept_with_why_and_stops_no_other(working: Working) -> None:
    working.report = ZeroDivisionError("no rows")
    scheduler = await working.scheduler()

    assert await scheduler.run_due() == 2

    [run] = await working.kept.runs("sweep", limit=9)
    assert (run.ok, run.error) == (False, "no rows")
    [counted] = await working.kept.runs("count", limit=9)
    assert (counted.ok, counted.result) == (True, "counted")
    assert scheduler.figures["sweep"].failures == 1
    states = {state.name: state for state in await working.kept.states()}
    assert states["sweep"].result == "failed: no rows"
    assert states["sweep"].held_until_us == 0


async def test_a_job_that_is_asked_for_runs_though_it_is_not_due(working: Working) -> None:
    scheduler = await working.scheduler()
    await scheduler.run_due()
    working.done.clear()

    assert await working.kept.ask("sweep", now_us=working.clock.now_us()) is not None
    assert await working.kept.ask("nothing", now_us=1) is None

    working.clock.pass_time(seconds=1)
    assert [await scheduler.run_due() for _ in range(2)] == [1, 0]
    assert working.done == ["sweep"]


async def test_the_job_of_a_scheduler_that_died_is_taken_over(working: Working) -> None:
    """Not before its lease is over: it may only be slow."""
    scheduler = await working.scheduler()
    now_us = working.clock.now_us()
    assert await working.kept.claim("sweep", now_us=now_us, held_until_us=now_us + 60_000_000)
    working.clock.pass_time(seconds=59)
    await working.kept.ask("sweep", now_us=now_us)
    await scheduler.run_due()
    assert working.done == ["count"]

    working.clock.pass_time(seconds=2)
    await scheduler.run_due()
    assert working.done == ["count", "sweep"]
    # The one that was only slow cannot let go of what is another's.
    assert not await working.kept.hold("sweep", held_until_us=now_us + 60_000_000, until_us=1)


async def test_the_loop_sees_what_is_due_and_what_is_asked_for(working: Working) -> None:
    scheduler = await working.scheduler()
    serving = asyncio.create_task(scheduler.serve())
    try:
        async with asyncio.timeout(20):
            while len(working.done) < 2:  # noqa: ASYNC110 - the rows are what counts
                await asyncio.sleep(0.01)
            await working.kept.ask("count", now_us=1)
            while working.done.count("count") < 2:  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.01)
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


async def test_a_history_is_bounded(working: Working) -> None:
    for number in range(1, 8):
        run = JobRun(job="sweep", started_us=number, ended_us=number, ok=True, result=str(number))
        await working.scheduler()
        await working.kept.finish(run, held_until_us=0, keep=3)

    assert [run.result for run in await working.kept.runs("sweep", limit=9)] == ["7", "6", "5"]


async def test_administrators_hear_of_the_same_thing_with_growing_pauses(
    working: Working,
) -> None:
    for who in ("owner", "admin", "member"):
        await working.administrator(who)
    working.report = Report(result="swept", alert="3 files are broken")
    scheduler = await working.scheduler()
    told = []
    for _ in range(9):
        await scheduler.run_due()
        told.append(working.notices())
        working.clock.pass_time(hours=1)
    assert told == [2, 4, 4, 6, 6, 6, 6, 8, 8]

    working.report = Report(result="swept")
    await scheduler.run_due()
    working.clock.pass_time(hours=1)
    working.report = Unavailable("the disk is full")
    await scheduler.run_due()
    assert working.notices() == 10


async def test_reports_tell_what_fails_often_and_what_does_worse(working: Working) -> None:
    now_us, day_us = working.clock.now_us(), 24 * HOUR_S * 1_000_000
    with working.house.database() as database:
        number = 0
        for ago_us, failed, count in ((day_us // 2, 12, 20), (3 * day_us, 1, 20)):
            for ordinal in range(count):
                number += 1
                status = "FAILED" if ordinal < failed else "COMPLETED"
                database.execute(
                    "INSERT INTO executions (id, user_id, graph_id, graph_version, root_id, depth,"
                    " trigger, status, attempt, revision, created_us, updated_us, ended_us, inputs)"
                    " VALUES (?, 'ann', 'g', 1, ?, 0, '', ?, 1, 1, 1, 1, ?, '{}')",
                    (f"r{number}", f"r{number}", status, now_us - ago_us),
                )
                database.execute(
                    "INSERT INTO node_executions (run_id, ordinal, id, node_id, block_id, kind,"
                    " status, saved_outputs, add_us, revision)"
                    " VALUES (?, 1, ?, 'n', 'b', '', ?, 0, 1, 1)",
                    (f"r{number}", f"e{number}", status),
                )
    reports = OutcomeReports(working.kept, working.clock, block_name=lambda id_: f"Block {id_}")

    rates, accuracy = await reports.block_error_rates(), await reports.accuracy()

    assert rates.alert == "Block b failed 12 times of 20"
    assert rates.result == "1 blocks ran in the last day, 1 fail often"
    assert "completed 40% of its runs in the last day, 95% in the week before" in accuracy.alert
