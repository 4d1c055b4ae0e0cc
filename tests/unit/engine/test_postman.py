"""Letters to a real mail server on loopback, by a clock that the test moves."""

import asyncio
from email import message_from_bytes, policy
from typing import Any

from aiosmtpd.controller import UnthreadedController

from backend.adapters.mail import SmtpMailer, SmtpServer, as_message
from backend.adapters.storage.preferences import SqlPreferences
from backend.core.preferences import PreferenceChanges
from backend.core.records import NoticeRecord
from backend.engine.postman import Postman
from backend.ports.mail import Letter
from backend.ports.storage import JournalBatch
from backend.testing.clock import FakeClock
from tests.e2e.running import free_port
from tests.unit.engine.engine_house import ANN, House

DAY_US = 24 * 3600 * 1_000_000


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
    wanted = SqlPreferences(house.storage.database)
    postman = Postman(house.storage, mailer, clock, wanted)

    assert await postman.deliver_due() == 0  # a day too early
    clock.pass_time(days=1)
    mailbox.answer = "451 try later"
    assert await postman.deliver_due() == 3
    mailbox.answer = "250 OK"
    assert await postman.deliver_due() == 0  # it waits before it tries again
    clock.pass_time(minutes=1)
    assert await postman.deliver_due() == 3
    assert await postman.deliver_due() == 0

    [letter] = mailbox.letters
    assert (letter["To"], letter["Subject"]) == ("ann@example.com", "3 agent runs")
    text = letter.get_body(("plain",)).get_content()
    assert all(f"agent {n}: completed" in text for n in range(3))
    assert postman.sent == 3
    server.close()
    await server.wait_closed()


class Tray:
    """Takes every letter."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    async def send(self, letter: Letter) -> None:
        self.letters.append(letter)


async def queue(house: House, clock: FakeClock, *names: str, kind: str = "AGENT_RUN") -> None:
    notices = {
        name: NoticeRecord(
            id=name,
            user_id=ANN,
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
    postman = Postman(house.storage, tray, clock, wanted)

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
    wanted = SqlPreferences(house.storage.database)
    postman = Postman(house.storage, tray, clock, wanted, limited=False)

    for name in "abcde":
        await queue(house, clock, name)
        await postman.deliver_due()

    assert len(tray.letters) == 5


async def test_what_is_not_wanted_is_dropped(house: House) -> None:
    clock, tray = FakeClock(), Tray()
    await house.storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    wanted = SqlPreferences(house.storage.database)
    postman = Postman(house.storage, tray, clock, wanted)

    await wanted.of(ANN).change(PreferenceChanges(said={"AGENT_RUN": False}), now_us=clock.now_us())
    await queue(house, clock, "unwanted")
    await postman.deliver_due()
    await wanted.of(ANN).change(
        PreferenceChanges(said={"AGENT_RUN": True}, daily_limit=0), now_us=clock.now_us()
    )
    await queue(house, clock, "none at all")
    await postman.deliver_due()
    await wanted.of(ANN).change(
        PreferenceChanges(email="ann@users.invalid", daily_limit=9), now_us=clock.now_us()
    )
    await queue(house, clock, "to nobody")
    await postman.deliver_due()

    assert tray.letters == []
    assert set((await statuses(house)).values()) == {"DROPPED"}


async def test_a_letter_says_how_such_letters_are_ended(house: House) -> None:
    clock, tray = FakeClock(), Tray()
    await house.storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    postman = Postman(
        house.storage,
        tray,
        clock,
        SqlPreferences(house.storage.database),
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
