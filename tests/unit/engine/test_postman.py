"""Letters to a real mail server on loopback, by a clock that the test moves."""

import asyncio
from dataclasses import replace
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import UnthreadedController

from backend.adapters.mail import SmtpMailer, SmtpServer, as_message
from backend.adapters.mail.letter_templates import load_templates
from backend.adapters.storage.notice_queue import SqlNoticeQueue
from backend.adapters.storage.preferences import SqlPreferences
from backend.core.errors import AddressRefused
from backend.core.ids import UserId
from backend.core.notices import About, NoticeType, agent_failed
from backend.core.preferences import PreferenceChanges
from backend.core.records import NoticeRecord
from backend.engine.letter_samples import samples
from backend.engine.letters import LetterWriter
from backend.engine.postman import Postman
from backend.ports.mail import Letter, Mailer
from backend.ports.storage import JournalBatch
from backend.testing.clock import FakeClock
from tests.e2e.running import free_port
from tests.unit.engine.engine_house import ANN, House

DAY_US = 24 * 3600 * 1_000_000


WRITER = LetterWriter(load_templates())


def postman_of(house: House, mailer: Mailer, clock: FakeClock, **options: Any) -> Postman:
    database = house.storage.database
    return Postman(
        SqlNoticeQueue(database), mailer, clock, SqlPreferences(database), WRITER, **options
    )


class Mailbox:
    def __init__(self) -> None:
        self.letters: list[Any] = []
        self.answer = "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        if self.answer.startswith("250"):
            self.letters.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.answer


async def test_notices_of_a_day_arrive_together_once_the_server_takes_them(house: House) -> None:
    clock, mailbox, port = FakeClock(), Mailbox(), free_port()
    controller = UnthreadedController(
        mailbox, hostname="127.0.0.1", port=port, loop=asyncio.get_running_loop()
    )
    server = await controller._create_server()
    mailer = SmtpMailer(
        SmtpServer(host="127.0.0.1", port=port, security="none"), sender="agpt@localhost"
    )
    notices = {
        f"r{n}": NoticeRecord(
            id=f"n{n}",
            user_id=ANN,
            type="AGENT_RUN",
            data={"agent_name": f"agent {n}", "status": "COMPLETED", "graph_exec_id": f"r{n}"},
            created_us=clock.now_us(),
            next_us=clock.now_us() + DAY_US,
        )
        for n in range(3)
    }
    batch = JournalBatch(owner="one", changes=(), notices=notices)  # type: ignore[arg-type] # plain text as ids
    await house.storage.commit(house.storage.stage(batch))
    await house.storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    postman = postman_of(house, mailer, clock)

    assert await postman.deliver_due() == 0  # a day too early
    clock.pass_time(days=1)
    mailbox.answer = "451 try later"
    assert await postman.deliver_due() == 0
    mailbox.answer = "250 OK"
    assert await postman.deliver_due() == 0  # it waits before it tries again
    clock.pass_time(minutes=1)
    assert await postman.deliver_due() == 1
    assert await postman.deliver_due() == 0

    [letter] = mailbox.letters
    assert (letter["To"], letter["Subject"]) == ("ann@example.com", "3 agent runs")
    text = letter.get_body(("plain",)).get_content()
    assert all(f"agent {n}: completed" in text for n in range(3))
    assert postman.sent == 3
    await mailer.close()
    server.close()
    await server.wait_closed()


class Tray:
    """Takes every letter."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    async def send(self, letter: Letter) -> None:
        self.letters.append(letter)

    async def close(self) -> None:
        pass


async def queue(
    house: House, clock: FakeClock, *names: str, kind: str = "AGENT_RUN", user: UserId = ANN
) -> None:
    notices = {
        name: NoticeRecord(
            id=name,
            user_id=user,
            type=kind,
            data={"agent_name": name, "status": "COMPLETED"},
            created_us=clock.now_us(),
        )
        for name in names
    }
    batch = JournalBatch(owner="one", changes=(), notices=notices)  # type: ignore[arg-type] # plain text as ids
    await house.storage.commit(house.storage.stage(batch))


async def statuses(house: House) -> dict[str, str]:
    found = await house.storage.database.read(
        lambda c: c.exec_driver_sql("SELECT id, status FROM notices").all()
    )
    return {row[0]: row[1] for row in found}


async def test_past_the_daily_limit_notices_wait_for_the_next_day_and_go_together(
    house: House,
) -> None:
    clock, tray = FakeClock(), Tray()
    await house.storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    wanted = SqlPreferences(house.storage.database)
    await wanted.of(ANN).change(PreferenceChanges(daily_limit=2), now_us=clock.now_us())
    postman = postman_of(house, tray, clock)

    for name in "abcd":
        await queue(house, clock, name)
        await postman.deliver_due()
    today = [letter.subject for letter in tray.letters]
    clock.pass_time(days=1)
    await postman.deliver_due()

    assert today == ["a: completed", "b: completed"]
    assert [letter.subject for letter in tray.letters[2:]] == ["2 agent runs"]
    assert set((await statuses(house)).values()) == {"SENT"}


async def test_in_a_folder_of_this_machine_nothing_waits_for_a_limit(house: House) -> None:
    clock, tray = FakeClock(), Tray()
    await house.storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    postman = postman_of(house, tray, clock, limited=False)

    for name in "abcde":
        await queue(house, clock, name)
        await postman.deliver_due()

    assert len(tray.letters) == 5


async def test_what_is_not_wanted_is_dropped(house: House) -> None:
    clock, tray = FakeClock(), Tray()
    await house.storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    wanted = SqlPreferences(house.storage.database)
    postman = postman_of(house, tray, clock)

    await wanted.of(ANN).change(PreferenceChanges(said={"AGENT_RUN": False}), now_us=clock.now_us())
    await queue(house, clock, "unwanted")
    await postman.deliver_due()
    await wanted.of(ANN).change(
        PreferenceChanges(said={"AGENT_RUN": True}, daily_limit=0), now_us=clock.now_us()
    )
    await queue(house, clock, "none at all")
    await postman.deliver_due()
    nobody = UserId("nobody")
    await house.storage.of(nobody).save_user(email="nobody@users.invalid", name=None, now_us=1)
    await queue(house, clock, "to nobody", user=nobody)
    await postman.deliver_due()

    assert tray.letters == []
    assert set((await statuses(house)).values()) == {"DROPPED"}


async def test_a_letter_says_how_such_letters_are_ended(house: House) -> None:
    clock, tray = FakeClock(), Tray()
    await house.storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    postman = postman_of(
        house,
        tray,
        clock,
        unsubscribe_url=lambda user_id: f"https://server/end?token=of-{user_id}",
    )

    await queue(house, clock, "a")
    await postman.deliver_due()

    url = f"https://server/end?token=of-{ANN}"
    [letter] = tray.letters
    message = as_message(letter, sender="agpt@localhost")
    assert message["List-Unsubscribe"] == f"<{url}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert url in letter.text
    assert f'href="{url}"' in letter.html


async def test_a_batch_goes_by_the_clock_of_its_oldest_and_takes_the_others_along(
    house: House,
) -> None:
    clock, tray = FakeClock(), Tray()
    await house.storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    line = SqlNoticeQueue(house.storage.database)
    postman = postman_of(house, tray, clock)
    for hour in range(120):
        now_us = clock.now_us() + hour * 60_000_000
        data = {"agent_name": f"agent {hour}", "status": "COMPLETED"}
        await line.add(
            [
                NoticeRecord(
                    id=f"n{hour}",
                    user_id=ANN,
                    type="AGENT_RUN",
                    data=data,
                    created_us=now_us,
                    next_us=now_us + DAY_US,
                )
            ]
        )

    clock.pass_time(days=1)
    await postman.deliver_due()
    await postman.deliver_due()

    [letter] = tray.letters
    assert letter.subject == "120 agent runs"
    assert "… and 70 more." in letter.text


def failure(clock: FakeClock, number: int, rule: str = "failed") -> NoticeRecord:
    about = About(user_id=ANN, agent_name="Sample", graph_id="g", now_us=clock.now_us())
    return agent_failed(about, key=f"{rule}{number}", rule=rule, error="no network")


async def test_what_repeats_is_told_together_after_pauses_that_grow(house: House) -> None:
    clock, tray = FakeClock(), Tray()
    await house.storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    line = SqlNoticeQueue(house.storage.database)
    postman = postman_of(house, tray, clock, limited=False)
    told: list[tuple[int, str]] = []

    for minute in range(40):
        await line.add([failure(clock, minute)])
        await postman.deliver_due()
        told += [(minute, letter.subject) for letter in tray.letters]
        tray.letters.clear()
        clock.pass_time(minutes=1)

    assert told == [
        (0, "Sample: failed"),
        (1, "Sample: failed"),
        (6, "5 problems with your agents"),
        (36, "30 problems with your agents"),
    ]
    await line.add([failure(clock, 1, rule="another")])
    await postman.deliver_due()
    assert [letter.subject for letter in tray.letters] == ["Sample: another"]


async def test_what_was_quiet_for_a_day_is_told_at_once(house: House) -> None:
    clock, tray = FakeClock(), Tray()
    await house.storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    line = SqlNoticeQueue(house.storage.database)
    postman = postman_of(house, tray, clock, limited=False)
    for minutes in (0, 2, 6, 31):
        clock.pass_time(minutes=minutes)
        await line.add([failure(clock, minutes)])
        await postman.deliver_due()
    assert len(tray.letters) == 4

    clock.pass_time(days=1)
    for number in (100, 101):
        await line.add([failure(clock, number)])
        await postman.deliver_due()
        clock.pass_time(seconds=40)

    assert len(tray.letters) == 5
    await postman.deliver_due()
    assert len(tray.letters) == 6


async def test_what_concerns_the_operator_goes_there_and_counts_for_nobody(house: House) -> None:
    clock, tray = FakeClock(), Tray()
    await house.storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    wanted = SqlPreferences(house.storage.database)
    await wanted.of(ANN).change(PreferenceChanges(daily_limit=0), now_us=clock.now_us())
    line = SqlNoticeQueue(house.storage.database)
    await line.add(samples_for(ANN, "REFUND_REQUEST", clock))

    await postman_of(house, tray, clock, operator="money@example.com").deliver_due()

    [letter] = tray.letters
    assert letter.to == "money@example.com"
    assert letter.unsubscribe_url == ""
    found = await wanted.of(ANN).get(now_us=clock.now_us())
    assert found is not None
    assert found.sent_today == 0


def samples_for(user: UserId, kind: str, clock: FakeClock) -> list[NoticeRecord]:
    made = samples(NoticeType(kind), now_us=clock.now_us())
    return [replace(one, user_id=user) for one in made]


class Refusing(Tray):
    """Takes no letter."""

    async def send(self, letter: Letter) -> None:
        await super().send(letter)
        raise AddressRefused("the mail server refused the address: 550 5.1.1 no such user")


async def test_an_address_that_refuses_letters_gets_no_more_until_it_changes(house: House) -> None:
    clock, tray = FakeClock(), Refusing()
    await house.storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    postman = postman_of(house, tray, clock, limited=False)

    for name in "abcde":
        await queue(house, clock, name)
        await postman.deliver_due()

    assert len(tray.letters) == 3
    found = await statuses(house)
    assert [found[name] for name in "abcde"] == ["FAILED"] * 3 + ["DROPPED"] * 2
    await house.storage.database.write(
        lambda c: c.exec_driver_sql("UPDATE users SET email = 'ann@other.example'")
    )
    await queue(house, clock, "f")
    await postman.deliver_due()
    assert tray.letters[-1].to == "ann@other.example"


class Dying(Tray):
    """Takes the first letter, and dies before it says so."""

    async def send(self, letter: Letter) -> None:
        await super().send(letter)
        if len(self.letters) == 1:
            raise asyncio.CancelledError


async def test_a_letter_that_is_sent_again_is_the_same_letter_whatever_came_meanwhile(
    house: House,
) -> None:
    clock, tray = FakeClock(), Dying()
    await house.storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    postman = postman_of(house, tray, clock, limited=False)
    await queue(house, clock, "a", "b")
    with pytest.raises(asyncio.CancelledError):
        await postman.deliver_due()

    await queue(house, clock, "c")
    await postman.deliver_due()

    first, again, other = tray.letters
    assert (first.key, first.text) == (again.key, again.text)
    assert other.key != first.key
    assert other.subject == "c: completed"
