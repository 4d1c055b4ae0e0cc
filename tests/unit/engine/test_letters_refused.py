"""What a real mail server says to a letter, and what becomes of its notices. A clock that tests move."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backend.adapters.mail import SmtpMailer, SmtpServer
from backend.adapters.storage.notice_inbox import SqlInbox
from backend.adapters.storage.notice_queue import SqlNoticeQueue
from backend.adapters.storage.preferences import SqlPreferences
from backend.engine.postman import Postman
from backend.ports.notices import NoticeQuery
from backend.testing.clock import FakeClock
from tests.unit.adapters.mail.mail_server import Mailbox, mail_server
from tests.unit.engine.engine_house import ANN, House
from tests.unit.engine.test_postman import postman_of, queue


@asynccontextmanager
async def delivering(house: House, clock: FakeClock) -> AsyncIterator[tuple[Mailbox, Postman]]:
    await house.storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    async with mail_server(tls=None) as box:
        server = SmtpServer(host="localhost", port=box.port, security="none")
        mailer = SmtpMailer(server, sender="agpt@localhost", limit_s=5)
        try:
            yield box, postman_of(house, mailer, clock, limited=False)
        finally:
            await mailer.close()


def pause_s(house: House, clock: FakeClock) -> int:
    with sqlite3.connect(house.path) as database:
        [(next_us,)] = database.execute("SELECT next_us FROM notices").fetchall()
    database.close()
    return int(next_us - clock.now_us()) // 1_000_000


async def test_later_is_believed_with_growing_pauses_until_the_letter_is_taken(
    house: House,
) -> None:
    clock = FakeClock()
    async with delivering(house, clock) as (box, postman):
        await queue(house, clock, "a")
        pauses = []
        for answer in ("421 going down", "450 busy", "451 greylisted", "452 full", "421 again"):
            box.at_recipient = answer
            assert await postman.deliver_due() == 0
            pauses.append(pause_s(house, clock))
            assert await postman.deliver_due() == 0  # not before its time
            clock.pass_time(seconds=pauses[-1])
        box.at_recipient = "250 OK"

        assert await postman.deliver_due() == 1

    assert pauses == [30, 60, 120, 240, 480]
    assert len(box.mails) == 1
    assert postman.failed == 0


async def test_a_bounce_is_kept_and_shown_and_not_tried_again(house: House) -> None:
    clock = FakeClock()
    async with delivering(house, clock) as (box, postman):
        box.at_recipient = "550 5.1.1 no such user"
        await queue(house, clock, "a")
        assert await postman.deliver_due() == 0
        box.at_recipient = "250 OK"
        clock.pass_time(days=2)

        assert await postman.deliver_due() == 0

    assert box.mails == []
    [shown] = await SqlNoticeQueue(house.storage.database).listed(NoticeQuery(limit=10))
    assert (shown.status, shown.attempts) == ("FAILED", 1)
    assert shown.error == "the mail server refused the address: 550 5.1.1 no such user"
    told = await SqlPreferences(house.storage.database).of(ANN).get(now_us=clock.now_us())
    assert told is not None
    assert told.bounces == 1


async def test_an_owner_reads_in_the_app_that_no_more_letters_come_once(house: House) -> None:
    clock = FakeClock()
    inbox = SqlInbox(house.storage.database).of(ANN)
    async with delivering(house, clock) as (box, postman):
        box.at_recipient = "550 5.1.1 no such user"
        for name in "abcde":
            await queue(house, clock, name)
            await postman.deliver_due()

    [told] = await inbox.listed(before=None, unread_only=True, limit=9)
    assert (told.kind, told.title) == (
        "ADDRESS_REFUSED",
        "Letters do not reach ann@example.com",
    )
    assert "550 5.1.1 no such user" in told.text


async def test_a_letter_whose_server_goes_in_its_middle_has_one_copy_more_at_most(
    house: House,
) -> None:
    clock = FakeClock()
    async with delivering(house, clock) as (box, postman):
        box.cuts = 1
        await queue(house, clock, "a")
        assert await postman.deliver_due() == 0
        await queue(house, clock, "b")
        clock.pass_time(minutes=1)

        assert await postman.deliver_due() == 2

    first, again, other = sorted(mail["Message-ID"] for mail in box.mails)
    assert len({first, again, other}) == 2
    subjects = sorted(mail["Subject"] for mail in box.mails)
    assert subjects == ["a: completed", "a: completed", "b: completed"]
