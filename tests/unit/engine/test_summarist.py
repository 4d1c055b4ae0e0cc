"""Summaries from the rows of runs: once a period, whoever looks how often."""

from datetime import UTC, datetime

from backend.adapters.storage.notice_queue import SqlNoticeQueue
from backend.adapters.storage.preferences import SqlPreferences
from backend.adapters.storage.summaries import SqlSummaryFacts
from backend.core.graph import Graph
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.preferences import PreferenceChanges
from backend.core.records import NewExecution, NoticeRecord
from backend.engine.summarist import Summarist
from backend.ports.notices import NoticeQuery
from backend.testing.clock import FakeClock
from tests.unit.engine.engine_house import ANN, House

BOB = UserId("bob")


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


async def run(house: House, id_: str, at: str, *, user: UserId = ANN, name: str = "News") -> None:
    """Keep a run of two seconds that began *at* and took three credits."""
    graph = Graph(id=GraphId(f"{user}-{name}"), name=name, description="", version=1)
    mine = house.storage.of(user)
    if await mine.graph(graph.id) is None:
        await mine.add_graphs([graph], now_us=1)
    await house.storage.submit(
        NewExecution(
            id=ExecutionId(id_),
            user_id=user,
            graph_id=graph.id,
            graph_version=1,
            inputs={},
            created_us=us(at),
        )
    )
    status = "FAILED" if id_.endswith("bad") else "COMPLETED"
    values = (status, us(at), us(at) + 2_000_000, '{"cost":3}', id_)
    await house.storage.database.write(
        lambda c: c.exec_driver_sql(
            "UPDATE executions SET status=?, started_us=?, ended_us=?, stats=? WHERE id=?", values
        )
    )


async def account(house: House, user: UserId, zone: str) -> None:
    await house.storage.of(user).save_user(email=f"{user}@example.com", name=None, now_us=1)
    await house.storage.database.write(
        lambda c: c.exec_driver_sql("UPDATE users SET timezone=? WHERE id=?", (zone, user))
    )


def summarist(house: House, clock: FakeClock) -> Summarist:
    database = house.storage.database
    return Summarist(
        SqlSummaryFacts(database), SqlNoticeQueue(database), SqlPreferences(database), clock
    )


async def made(house: House) -> list[NoticeRecord]:
    found = await SqlNoticeQueue(house.storage.database).listed(NoticeQuery())
    return sorted(found, key=lambda one: one.id)


async def test_a_day_is_told_once_in_the_zone_of_its_owner(house: House) -> None:
    await account(house, ANN, "Asia/Tokyo")
    await account(house, BOB, "not-set")
    for id_, at in (
        ("before", "2026-11-25T14:59:59"),
        ("first", "2026-11-25T15:00:00"),
        ("bad", "2026-11-26T14:59:59"),
        ("after", "2026-11-26T15:00:00"),
    ):
        await run(house, id_, at)
    await run(house, "other", "2026-11-26T03:00:00", name="Report")
    await run(house, "his", "2026-11-26T23:59:59", user=BOB)
    clock = FakeClock()
    clock.set_us(us("2026-11-27T00:30:00"))

    first = [await summarist(house, clock).look() for _ in range(2)]
    [ann] = await made(house)
    clock.set_us(us("2026-11-27T09:00:00"))
    both = [await summarist(house, clock).look() for _ in range(2)]

    assert (first, both) == (["1 summaries", "0 summaries"],) * 2
    assert [one.user_id for one in await made(house)] == [ANN, BOB]
    assert ann.data == {
        "period": "26 November 2026",
        "start_date": "2026-11-26T00:00:00+09:00",
        "end_date": "2026-11-27T00:00:00+09:00",
        "total_credits_used": 9,
        "total_executions": 3,
        "most_used_agent": "News",
        "total_execution_time": 6.0,
        "successful_runs": 2,
        "failed_runs": 1,
        "average_execution_time": 2.0,
        "cost_breakdown": {"News": 6, "Report": 3},
    }


async def test_who_wants_none_or_had_no_run_gets_none(house: House) -> None:
    await account(house, ANN, "UTC")
    await account(house, BOB, "UTC")
    await run(house, "a", "2026-11-26T12:00:00")
    wanted = SqlPreferences(house.storage.database)
    await wanted.of(ANN).change(PreferenceChanges(said={"DAILY_SUMMARY": False}), now_us=1)
    clock = FakeClock()
    clock.set_us(us("2026-11-27T10:00:00"))
    looking = summarist(house, clock)

    assert await looking.look() == "0 summaries"
    await wanted.of(ANN).change(PreferenceChanges(said={"DAILY_SUMMARY": True}), now_us=1)

    assert await looking.look() == "1 summaries"
    assert await looking.look() == "0 summaries"


async def test_a_week_and_a_month_are_told_on_their_days(house: House) -> None:
    await account(house, ANN, "Europe/Berlin")
    await run(house, "a", "2026-05-20T12:00:00")
    await run(house, "b", "2026-05-31T12:00:00")
    clock = FakeClock()
    clock.set_us(us("2026-06-01T07:00:00"))  # a Monday, nine in Berlin

    await summarist(house, clock).look()

    told = {
        one.type: (one.data["period"], one.data["total_executions"]) for one in await made(house)
    }
    assert told == {
        "DAILY_SUMMARY": ("31 May 2026", 1),
        "WEEKLY_SUMMARY": ("25 to 31 May 2026", 1),
        "MONTHLY_SUMMARY": ("May 2026", 2),
    }
