"""Notices through channels to played services, by a clock that the test moves."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from backend.adapters.storage.notice_inbox import SqlInbox
from backend.adapters.storage.retention import SqlRetention
from backend.adapters.web import GuardedWebClient
from backend.core.notice_answers import Delivered, Refused
from backend.core.notice_channels import MOST_REFUSALS, ChannelKind, RunsWanted
from backend.core.signatures import SCHEMES, check
from backend.testing.standin.messages import BROKEN, GARBAGE, KEY, Reply, text
from backend.testing.standin.server import StandIn
from tests.unit.engine.channel_desk import BOB, CONFIGS, Desk
from tests.unit.engine.engine_house import ANN, House


async def until(check: Callable[[], bool]) -> None:
    """Wait for a state that another task brings about."""
    async with asyncio.timeout(20):
        while not check():  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0.01)


@pytest.fixture
def services() -> Iterator[StandIn]:
    with StandIn() as made:
        yield made


@pytest.fixture
async def desk(house: House, services: StandIn) -> AsyncIterator[Desk]:
    web = GuardedWebClient([services.url])
    yield Desk(house.storage.database, services, web)
    await web.aclose()


@pytest.mark.parametrize("kind", list(CONFIGS))
async def test_each_kind_of_service_is_told_once(desk: Desk, kind: ChannelKind) -> None:
    await desk.add(kind)

    await desk.send("one", agent_name="Mail sorter", error="no such box")
    await desk.send()

    said = getattr(desk.services.play(kind.value), "hooked", None)
    [message] = desk.services.play(kind.value).said if said is None else said
    shown = json.dumps(message)
    assert "Mail sorter" in shown
    assert "no such box" in shown
    assert await desk.rows("SELECT status, attempts FROM notice_sends") == [("SENT", 1)]


async def test_a_webhook_is_signed_by_the_standard_with_keys_that_stay(desk: Desk) -> None:
    made = await desk.channels.add(ANN, ChannelKind.WEBHOOK, desk.hook)
    desk.services.next("webhook", BROKEN)

    await desk.send("agent_run:r1", outputs=[{"a": [1]}])
    desk.clock.pass_time(minutes=1)
    await desk.send()

    first, second = desk.asked()
    for asked in (first, second):
        headers = {name: [value] for name, value in asked.headers.items()}
        seconds = int(asked.headers["webhook-timestamp"])
        check(SCHEMES["standard"], made.secret or "", headers, asked.body, now_s=seconds)
    assert first.headers["idempotency-key"] == f"agent_run:r1:{made.channel.id}"
    for name in ("idempotency-key", "webhook-id"):
        assert first.headers[name] == second.headers[name]
    body = json.loads(first.body)
    assert (body["type"], body["id"], body["data"]["outputs"]) == (
        "AGENT_RUN",
        "agent_run:r1",
        [{"a": [1]}],
    )
    assert first.body == second.body


async def test_channels_get_what_they_want(desk: Desk) -> None:
    await desk.add(ChannelKind.NTFY, runs=RunsWanted.ALL)
    await desk.add(ChannelKind.SLACK)
    await desk.add(ChannelKind.TELEGRAM, types=("LOW_BALANCE",))

    await desk.send("well", status="COMPLETED")
    await desk.send("ill", status="FAILED")
    await desk.send("partly", status="COMPLETED", node_error_count=1)
    await desk.send("budget", status="waits for a budget", waits_for="5 USD a day")
    await desk.send("low", kind="LOW_BALANCE", current_balance=3)
    await desk.send("others", user=BOB)

    count = {kind: len(desk.services.play(kind).said) for kind in ("ntfy", "slack", "telegram")}
    assert count == {"ntfy": 5, "slack": 4, "telegram": 1}
    assert (
        len(await SqlInbox(desk.database).of(ANN).listed(before=None, unread_only=True, limit=9))
        == 5
    )


async def test_marks_and_mentions_in_names_do_nothing(desk: Desk) -> None:
    hostile = "<!channel> @everyone [x](http://evil) *a* \x1b[2J\u202edrow & <@1>\n\nline"
    for kind in CONFIGS:
        await desk.add(kind)

    await desk.send("one", agent_name=hostile, error="<b>@here</b>" * 1000)

    slack, discord, telegram, ntfy = desk.bodies()
    assert not set("<>") & set(slack["text"])
    assert slack["mrkdwn"] is False
    assert discord["allowed_mentions"] == {"parse": []}
    assert r"\[x\]\(http://evil\)" in discord["content"]
    assert len(discord["content"]) <= 2000
    assert "parse_mode" not in telegram
    for said in (slack["text"], discord["content"], telegram["text"], ntfy["title"]):
        assert not {"\x1b", "\u202e"} & set(said)
        assert said.count("\n") <= 1


@pytest.mark.parametrize(
    ("reply", "after_s"),
    [
        (Reply(status=429, headers={"Retry-After": "7"}, value={}), 7),
        (Reply(status=429, value={"retry_after": 6.5}), 6.5),
        (Reply(status=429, value={"ok": False, "parameters": {"retry_after": 9}}), 9),
        (Reply(status=503, headers={"Retry-After": "Thu, 01 Jan 2026 00:00:20 GMT"}, value={}), 20),
        (Reply(status=429, headers={"Retry-After": "999999"}, value={}), 3600),
        (BROKEN, 2),
        (Reply(status=502, body=GARBAGE.body), 2),
        pytest.param(Reply(wait_s=1.7), 2, marks=pytest.mark.slow),
    ],
)
async def test_what_may_work_later_is_tried_later(desk: Desk, reply: Reply, after_s: float) -> None:
    channel_id = await desk.add(ChannelKind.WEBHOOK, config=desk.hook)
    desk.services.next("webhook", reply)

    await desk.send("one")
    began_us = desk.clock.now_us()
    waits = await desk.channel(channel_id)
    desk.clock.pass_time(seconds=after_s - 0.1)
    await desk.send()
    early = len(desk.asked())
    desk.clock.pass_time(seconds=0.2)
    await desk.send()

    assert waits.next_us == pytest.approx(began_us + after_s * 1e6, abs=2)
    assert waits.error
    assert (early, len(desk.asked())) == (1, 2)
    assert (await desk.channel(channel_id)).error is None
    assert await desk.rows("SELECT status, attempts FROM notice_sends") == [("SENT", 2)]


async def test_pauses_grow_and_end_after_a_day_in_order(desk: Desk) -> None:
    channel_id = await desk.add(ChannelKind.WEBHOOK, config=desk.hook)
    desk.services.next("webhook", *[BROKEN] * 200)
    await desk.send("one", "two")

    pauses = []
    for _ in range(200):
        next_us = (await desk.channel(channel_id)).next_us
        rows = await desk.rows("SELECT status FROM notice_sends WHERE notice_id = 'one'")
        if rows == [("FAILED",)]:
            break
        assert next_us is not None
        pauses.append((next_us - desk.clock.now_us()) / 1e6)
        desk.clock.set_us(next_us)
        await desk.sender.send_due()

    assert pauses[:4] == [2, 4, 8, 16]
    assert max(pauses) == 1800
    assert 86_400 <= sum(pauses) <= 86_400 + 1800
    ids = [body["id"] for body in desk.bodies()]
    assert ids[: len(pauses)] == ["one"] * len(pauses)


async def test_who_refuses_again_and_again_is_left_alone_and_its_owner_hears(desk: Desk) -> None:
    channel_id = await desk.add(
        ChannelKind.SLACK, config={"url": "https://hooks.slack.com/services/T/B/gone-gone"}
    )
    names = [f"n{number}" for number in range(MOST_REFUSALS + 2)]

    await desk.send(*names)

    channel = await desk.channel(channel_id)
    assert (channel.enabled, channel.failures) == (False, MOST_REFUSALS)
    assert channel.error == "404: no_service"
    assert len(desk.asked()) == MOST_REFUSALS
    assert {row[0] for row in await desk.rows("SELECT status FROM notice_sends")} == {"FAILED"}
    entries = await SqlInbox(desk.database).of(ANN).listed(before=None, unread_only=True, limit=99)
    [off] = [entry for entry in entries if entry.kind == "CHANNEL_DISABLED"]
    assert "turned off" in off.title
    assert desk.told.seen[-1]["kind"] == "CHANNEL_DISABLED"


async def test_what_is_gone_is_turned_off_at_once(desk: Desk) -> None:
    channel_id = await desk.add(ChannelKind.WEBHOOK, config=desk.hook)
    desk.services.next("webhook", text("gone", status=410))

    await desk.send("one", "two")

    assert not (await desk.channel(channel_id)).enabled
    assert len(desk.asked()) == 1


async def test_one_success_forgives(desk: Desk) -> None:
    channel_id = await desk.add(ChannelKind.WEBHOOK, config=desk.hook)
    for number in range(3 * MOST_REFUSALS):
        if number % MOST_REFUSALS:
            desk.services.next("webhook", text("no", status=400))
        await desk.send(f"n{number}")

    assert (await desk.channel(channel_id)).enabled


async def test_a_redirect_is_not_followed(desk: Desk) -> None:
    channel_id = await desk.add(ChannelKind.WEBHOOK, config=desk.hook)
    desk.services.next("webhook", Reply(status=302, headers={"Location": f"{desk.services.url}/x"}))

    await desk.send("one")

    assert len(desk.asked()) == 1
    assert "leads elsewhere" in str((await desk.channel(channel_id)).error)


async def test_what_a_service_says_shows_no_secret(desk: Desk) -> None:
    channel_id = await desk.add(ChannelKind.TELEGRAM)
    desk.services.next("telegram", text(f"bad token 123:{KEY} \x1b[31m", status=403))

    await desk.send("one")

    error = str((await desk.channel(channel_id)).error)
    assert error.startswith("403: bad token")
    assert KEY not in error
    assert "\x1b" not in error


async def test_a_test_says_what_the_service_said(desk: Desk) -> None:
    channel_id = await desk.add(ChannelKind.SLACK)
    desk.services.next("slack", text("channel_is_archived", status=410))

    refused = await desk.channels.test(ANN, channel_id)
    taken = await desk.channels.test(ANN, channel_id)

    assert refused == Refused(status=410, said="410: channel_is_archived", gone=True)
    assert taken == Delivered(status=200, said="ok")
    assert (await desk.channel(channel_id)).enabled


async def test_a_notice_is_routed_once_whoever_is_killed(desk: Desk) -> None:
    await desk.add(ChannelKind.NTFY)
    await desk.notice("one", "two")
    routed = await desk.queue.unrouted(9)
    await desk.router.route_waiting()
    # As if the router had been killed before it knew that its transaction was there.
    await desk.database.write(lambda c: c.exec_driver_sql("UPDATE notices SET unrouted = 1"))

    await desk.send()

    assert [notice.id for notice in routed] == ["one", "two"]
    assert [body["title"] for body in desk.bodies()] == ["Agent: failed"] * 2
    assert await desk.rows("SELECT count(*) FROM notice_inbox") == [(2,)]


async def test_sockets_are_told_of_their_own_user(desk: Desk) -> None:
    await desk.send("mine", error="x")
    await desk.send("his", user=BOB)

    [data] = desk.told.seen
    assert data == {
        "type": "notice",
        "event": "created",
        "id": "mine",
        "kind": "AGENT_RUN",
        "title": "Agent: failed",
        "text": "x",
        "created_at": "2026-01-01T00:00:00.000001Z",
        "graph_exec_id": "r",
    }


async def test_a_channel_that_is_removed_or_off_sends_nothing_more(desk: Desk) -> None:
    off = await desk.add(ChannelKind.NTFY)
    gone = await desk.add(ChannelKind.TELEGRAM)
    await desk.notice("one")
    await desk.router.route_waiting()

    await desk.channels.change(ANN, off, enabled=False)
    await desk.channels.remove(ANN, gone)
    await desk.send()

    assert desk.asked() == []
    assert (await desk.channel(off)).next_us is None


async def test_several_channels_are_served_at_once_and_each_in_order(desk: Desk) -> None:
    for _ in range(4):
        await desk.add(ChannelKind.WEBHOOK, config=desk.hook)
    names = [f"n{number}" for number in range(8)]
    await desk.notice(*names)
    await desk.router.route_waiting()
    serving = asyncio.create_task(desk.sender.serve())

    await until(lambda: desk.sender.sent == 32)
    serving.cancel()
    await asyncio.wait([serving])

    by_channel: dict[str, list[str]] = {}
    for asked in desk.asked():
        key, _, channel = asked.headers["idempotency-key"].rpartition(":")
        by_channel.setdefault(channel, []).append(key)
    assert list(by_channel.values()) == [names] * 4


async def test_what_is_old_goes_with_its_notice(desk: Desk) -> None:
    await desk.add(ChannelKind.NTFY)
    await desk.send("old")
    await desk.notice("waits")
    await desk.router.route_waiting()
    await desk.database.write(lambda c: c.exec_driver_sql("UPDATE notices SET status = 'SENT'"))
    desk.clock.pass_time(days=1)
    retention = SqlRetention(desk.database)

    while await retention.delete_notices(desk.clock.now_us(), limit=1):
        pass
    await desk.send("new")

    for table in ("notices", "notice_inbox", "notice_sends"):
        assert await desk.rows(f"SELECT count(*) FROM {table}") == [(1,)], table
