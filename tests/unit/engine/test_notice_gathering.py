"""What repeats is told together in chats, with a number; programs get each. A clock that tests move."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial

import pytest

from backend.adapters.storage import notices as notice_rows
from backend.adapters.web import GuardedWebClient
from backend.core.ids import DEFAULT_USER_ID
from backend.core.notice_channels import ChannelKind, RunsWanted
from backend.core.notices import About, agent_failed
from backend.testing.standin.server import StandIn
from tests.databases import Rows
from tests.unit.engine.channel_desk import Desk
from tests.unit.engine.engine_house import ANN

PEOPLE = (ChannelKind.SLACK, ChannelKind.DISCORD, ChannelKind.TELEGRAM, ChannelKind.NTFY)


@pytest.fixture
def services() -> Iterator[StandIn]:
    with StandIn() as made:
        yield made


@pytest.fixture
async def desk(rows: Rows, services: StandIn) -> AsyncIterator[Desk]:
    web = GuardedWebClient([services.url])
    yield Desk(rows.database(), services, web)
    await web.aclose()


def said(desk: Desk) -> list[str]:
    """Return what each message says, in order, and forget it."""
    found = [
        str(body.get("text") or body.get("content") or f"{body.get('title')}: {body['message']}")
        for body in desk.bodies()
    ]
    desk.services.asked.clear()
    return found


async def failures(desk: Desk, count: int, *, graph: str = "g", begin: int = 0) -> None:
    """Let runs fail, all at once."""
    names = [f"{graph}-{number}" for number in range(begin, begin + count)]
    for name in names:
        await desk.notice(name, graph_id=graph, error=f"error of {name}")
    await desk.send()


@pytest.mark.parametrize("kind", PEOPLE)
async def test_a_hundred_failures_in_a_minute_are_two_messages_with_a_number(
    desk: Desk, kind: ChannelKind
) -> None:
    await desk.add(kind)

    for tenth in range(10):
        await failures(desk, 10, begin=10 * tenth)
        desk.clock.pass_time(seconds=5)
    first = said(desk)
    desk.clock.pass_time(seconds=20)
    await desk.send()

    assert len(first) == 1
    assert "error of g-0" in first[0]
    [rest] = said(desk)
    assert "(99 times)" in rest.replace("\\", "")
    assert "the last time: error of g-99" in rest
    desk.clock.pass_time(days=2)
    await desk.send()
    assert said(desk) == []
    assert await desk.rows("SELECT count(*) FROM notice_inbox") == [(100,)]


async def test_pauses_grow_as_in_letters_and_a_quiet_day_ends_them(desk: Desk) -> None:
    await desk.add(ChannelKind.SLACK)
    told = []

    for minute in range(40):
        await failures(desk, 1, begin=minute)
        told += [(minute, text.partition("\n")[0]) for text in said(desk)]
        desk.clock.pass_time(minutes=1)

    assert told == [
        (0, "Agent: failed"),
        (1, "Agent: failed"),
        (6, "Agent: failed (5 times)"),
        (36, "Agent: failed (30 times)"),
    ]
    desk.clock.pass_time(days=3)
    await desk.send()
    assert len(said(desk)) == 1
    desk.clock.pass_time(days=2)
    await failures(desk, 1, begin=100)
    assert [text.partition("\n")[0] for text in said(desk)] == ["Agent: failed"]


async def test_what_is_not_the_same_is_not_held_up(desk: Desk) -> None:
    await desk.add(ChannelKind.SLACK, runs=RunsWanted.ALL)

    await failures(desk, 2)
    await failures(desk, 2, graph="other")
    await desk.send("good", "again", graph_id="g", status="COMPLETED")
    await desk.send("low", kind="LOW_BALANCE", current_balance=3)

    titles = [text.partition("\n")[0] for text in said(desk)]
    assert titles == [
        "Agent: failed",
        "Agent: failed",
        "Agent: completed",
        "Your credits run low",
    ]


async def test_runs_that_go_well_are_told_each_minute_at_most_however_long(desk: Desk) -> None:
    await desk.add(ChannelKind.SLACK, runs=RunsWanted.ALL)

    counts = []
    for minute in range(30):
        for half in range(2):
            await desk.send(f"{minute}-{half}", graph_id="g", status="COMPLETED")
            desk.clock.pass_time(seconds=30)
        counts.append(len(said(desk)))

    assert counts == [1] * 30


async def test_alerts_of_one_rule_are_gathered_by_their_cause(desk: Desk) -> None:
    await desk.add(ChannelKind.SLACK)
    about = About(user_id=ANN, agent_name="Sample", graph_id="g", now_us=desk.clock.now_us())
    for key in ("1", "2", "3"):
        new = agent_failed(about, key=key, rule="3 runs in a row failed", error="no network")
        await desk.database.write(partial(notice_rows.add, new=[replace(new, user_id=ANN)]))
    await desk.send()
    desk.clock.pass_time(minutes=1)
    await desk.send()

    first, rest = said(desk)
    assert first.startswith("Sample: 3 runs in a row failed\n")
    assert rest.startswith("Sample: 3 runs in a row failed (2 times)\nthe last time: ")


async def test_programs_get_each_notice(desk: Desk) -> None:
    await desk.add(ChannelKind.WEBHOOK, config=desk.hook)

    await failures(desk, 10)

    assert [body["id"] for body in desk.bodies()] == [f"g-{number}" for number in range(10)]


async def test_what_was_gathered_is_told_once_by_however_many_and_after_any_kill(
    desk: Desk,
) -> None:
    """The row is the truth: who is killed after it was written has nothing left to do."""
    await desk.add(ChannelKind.SLACK)
    await failures(desk, 5)
    said(desk)
    desk.clock.pass_time(minutes=1)

    assert await desk.router.release_due() == 1
    assert await desk.router.release_due() == 0
    await desk.send()

    [text] = said(desk)
    assert "(4 times)" in text


async def test_a_channel_that_goes_takes_what_was_gathered_along(desk: Desk) -> None:
    channel_id = await desk.add(ChannelKind.SLACK)
    await failures(desk, 5)

    assert not await desk.channels._channels.of(DEFAULT_USER_ID).remove(channel_id)
    assert await desk.rows("SELECT count(*) FROM notice_gathered") == [(1,)]
    await desk.channels.remove(ANN, channel_id)

    assert await desk.rows("SELECT count(*) FROM notice_gathered") == [(0,)]
