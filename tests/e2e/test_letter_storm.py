"""Letters to a real mail server while their sender is killed again and again."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from email import message_from_bytes
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from tests.e2e.harness import Server, until
from tests.e2e.running import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LETTERS = 300


class Mailbox:
    """Takes its time, so that a kill finds somebody at work."""

    def __init__(self) -> None:
        self.ids: Counter[str] = Counter()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        self.ids[str(message_from_bytes(envelope.content)["Message-ID"])] += 1
        # The letter is there, and whoever sent it does not know yet.
        await asyncio.sleep(0.01)
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box, port = Mailbox(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


def queue_letters(server: Server) -> None:
    """Queue a notice for each of many users."""
    new_user = "INSERT INTO users (id, email, created_us, updated_us) VALUES (?, ?, 1, 1)"
    new_letter = (
        "INSERT INTO notices (id, user_id, type, data, created_us, status, attempts, next_us)"
        " VALUES (?, ?, 'LOW_BALANCE', '{\"current_balance\": 1}', 1, 'QUEUED', 0, 1)"
    )
    changes: list[tuple[str, tuple[str, str]]] = []
    for number in range(LETTERS):
        user = f"user-{number}"
        changes.append((new_user, (user, f"{user}@example.com")))
        changes.append((new_letter, (f"n-{number}", user)))
    server.store.change(*changes)


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.chaos)])
def test_each_letter_arrives_and_no_more_often_than_its_sender_was_killed(
    start_server: Callable[..., Server], mailbox: tuple[Mailbox, int], kills: int
) -> None:
    box, port = mailbox
    server = start_server(SMTP_HOST="127.0.0.1", SMTP_PORT=str(port), SMTP_SECURITY="none")
    queue_letters(server)
    step = LETTERS // (kills + 1)

    for _ in range(kills):
        wanted = min(box.ids.total() + step, LETTERS)
        until(lambda wanted=wanted: box.ids.total() >= wanted, limit_s=60)  # type: ignore[misc] # bound now
        server.kill("NotificationManager")
        server.wait_ready("NotificationManager")

    def all_sent() -> bool:
        query = "SELECT count(*) FROM notices WHERE status = 'SENT' AND id LIKE 'n-%'"
        return server.rows(query) == [(LETTERS,)]

    until(all_sent, limit_s=120)

    assert len(box.ids) == LETTERS
    assert box.ids.total() - LETTERS <= kills
