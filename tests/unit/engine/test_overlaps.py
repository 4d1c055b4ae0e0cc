"""Fires that find the last run of their schedule still going on, and schedules that change meanwhile."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.adapters.storage.doctor import examine
from backend.core.records import MissedPolicy, OverlapPolicy
from backend.ports.dispatch import SignalKind
from tests.unit.engine.engine_house import open_house
from tests.unit.engine.test_ticker import SIMPLE, Scheduling


@pytest.fixture
async def scheduling(tmp_path: Path) -> AsyncIterator[Scheduling]:
    async with open_house(tmp_path) as house:
        await house.add(SIMPLE)
        yield Scheduling(house)


async def minutes(scheduling: Scheduling, count: int) -> list[int]:
    """Let so many minutes pass; return how many runs each has started."""
    ticker, started = scheduling.ticker(), []
    for _ in range(count):
        started.append(await ticker.fire_due())
        scheduling.clock.pass_time(minutes=1)
    return started


async def end_runs(scheduling: Scheduling) -> None:
    """End all runs, as an executor would."""
    now_us = scheduling.clock.now_us()
    await scheduling.house.storage.database.write(
        lambda c: c.exec_driver_sql(
            f"UPDATE executions SET status = 'COMPLETED', ended_us = {now_us}"
            " WHERE status = 'QUEUED'"
        )
    )


async def test_by_default_runs_go_on_beside_each_other(scheduling: Scheduling) -> None:
    await scheduling.add("* * * * *")

    assert await minutes(scheduling, 3) == [1, 1, 1]


async def test_a_fire_is_skipped_while_the_last_run_goes_on(scheduling: Scheduling) -> None:
    await scheduling.add("* * * * *", overlap=OverlapPolicy.SKIP)

    assert await minutes(scheduling, 3) == [1, 0, 0]

    await end_runs(scheduling)
    assert await minutes(scheduling, 2) == [1, 0]
    # What was skipped has been taken: it does not come later.
    assert len(scheduling.fired()) == 2


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        (MissedPolicy.ALL, [0, 1, 2, 3]),
        (MissedPolicy.LAST, [0, 3]),
        (MissedPolicy.NONE, [0, 2, 3]),  # within the grace of a minute
    ],
)
async def test_a_fire_queues_behind_the_last_run(
    scheduling: Scheduling, missed: MissedPolicy, expected: list[int]
) -> None:
    await scheduling.add("* * * * *", overlap=OverlapPolicy.QUEUE, missed=missed)

    assert await minutes(scheduling, 3) == [1, 0, 0]
    # While it goes on, nothing is due: the scheduler sleeps.
    assert await scheduling.house.storage.next_fire() is None

    ticker = scheduling.ticker()
    for _ in expected[1:]:
        await end_runs(scheduling)
        assert await ticker.fire_due() == 1
        assert await ticker.fire_due() == 0
    await end_runs(scheduling)
    assert await ticker.fire_due() == 0
    assert [at.minute for at in scheduling.fired()] == expected


async def test_the_last_run_is_stopped_for_the_next(scheduling: Scheduling) -> None:
    await scheduling.add("* * * * *", overlap=OverlapPolicy.STOP)

    assert await minutes(scheduling, 2) == [1, 1]

    stops = scheduling.house.rows("SELECT stop_us IS NOT NULL FROM executions ORDER BY created_us")
    assert [bool(row[0]) for row in stops] == [True, False]
    kinds = [scheduling.house.signals._queue.get_nowait().kind for _ in range(3)]
    assert kinds == [SignalKind.RUN, SignalKind.STOP, SignalKind.RUN]


async def test_fires_of_an_older_revision_are_none(scheduling: Scheduling) -> None:
    """A scheduler that read the schedule before its owner changed it must not move it on."""
    schedule = await scheduling.add("* * * * *")
    changed = replace(schedule, cron="0 0 1 1 *", next_us=scheduling.clock.now_us() + 10**12)
    assert await scheduling.house.user.change_schedule(changed)

    storage = scheduling.house.storage
    fire_us = schedule.next_us or 0
    run = await scheduling.prepared(schedule)
    assert not await storage.fire(schedule, fire_us=fire_us, next_us=fire_us + 1, run=run)
    await storage.pause_schedule(schedule, reason="its graph is gone", now_us=1)

    kept = await scheduling.house.user.schedule(schedule.id)
    assert kept == replace(changed, revision=1)
    assert scheduling.runs() == 0


async def test_nothing_that_is_paused_fires(scheduling: Scheduling) -> None:
    schedule = await scheduling.add("* * * * *")
    await scheduling.house.storage.pause_schedule(schedule, reason="because", now_us=1)

    fire_us = schedule.next_us or 0
    run = await scheduling.prepared(schedule)
    assert not await scheduling.house.storage.fire(
        schedule, fire_us=fire_us, next_us=fire_us + 1, run=run
    )
    assert scheduling.runs() == 0


async def test_of_two_changes_at_once_one_wins(scheduling: Scheduling) -> None:
    schedule = await scheduling.add("* * * * *")

    first = await scheduling.house.user.change_schedule(replace(schedule, name="first"))
    second = await scheduling.house.user.change_schedule(replace(schedule, name="second"))

    kept = await scheduling.house.user.schedule(schedule.id)
    assert (first, second) == (True, False)
    assert kept is not None
    assert (kept.name, kept.revision) == ("first", 1)


async def test_what_queues_is_not_called_late_and_what_should_have_fired_is(
    scheduling: Scheduling,
) -> None:
    """A run may take hours: that its schedule waits for it is no mistake of the server."""
    await scheduling.add("* * * * *", overlap=OverlapPolicy.QUEUE)
    await minutes(scheduling, 2)
    scheduling.clock.pass_time(hours=1)
    path, before_us = scheduling.house.path, scheduling.clock.now_us() - 600_000_000

    with examine(path) as records:
        queued = list(records.late_schedules(before_us=before_us))
    await end_runs(scheduling)
    with examine(path) as records:
        late = [one.id for one in records.late_schedules(before_us=before_us)]

    assert (queued, late) == ([], ["schedule"])
