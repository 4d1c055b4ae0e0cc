"""Letters to a real mail server on loopback, by a clock that the test moves."""

import asyncio
from email import message_from_bytes, policy
from typing import Any

from aiosmtpd.controller import UnthreadedController

from backend.adapters.mail import SmtpMailer, SmtpServer
from backend.core.records import NoticeRecord
from backend.engine.postman import Postman
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
    postman = Postman(house.storage, mailer, clock)

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
