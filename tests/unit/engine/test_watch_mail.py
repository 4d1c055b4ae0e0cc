"""Mailboxes at a real server on loopback: what is new, whatever its sender wrote."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.files import FolderFiles
from backend.adapters.web import GuardedWebClient
from backend.core.credentials import Secret, UserPasswordCredentials
from backend.core.errors import BadRequest, TooLarge, WebFailed, WebRefused
from backend.core.ids import CredentialsId, WebhookId
from backend.core.watch_settings import MailWatch
from backend.engine.mails import read_mail
from backend.engine.watch_mail import MailBells, MailLooker
from backend.ports.files import FileLimits
from backend.services.files import FileService
from backend.testing.clock import FakeClock
from tests.imap_server import PASSWORD, USER, ImapServer
from tests.unit.engine.watching import look

LIMIT_S = 20.0


class Lender:
    """Lends Ann's name and a password."""

    def __init__(self, password: str = PASSWORD) -> None:
        self.password = password

    async def lend(self, _user_id: str, reference: dict[str, Any]) -> UserPasswordCredentials:
        return UserPasswordCredentials(
            id=CredentialsId(reference["id"]),
            provider="imap",
            username=Secret(USER),
            password=Secret(self.password),
        )


class House:
    """A mail server, and who looks into it."""

    def __init__(self, server: ImapServer, place: Path, *, trusted: bool = True) -> None:
        self.server = server
        origin = f"127.0.0.1:{server.port}"
        self.web = GuardedWebClient([origin] if trusted else [])
        self.woken = asyncio.Event()
        self.bells = MailBells(self.web.mailboxes(), self._wake, most=5, gather_s=0.0)
        limits = FileLimits(file_bytes=2_000)
        files = FolderFiles(place / "files", limits, durable=False)
        self.files = FileService(files=files, clock=FakeClock())
        self.state: dict[str, Any] = {}

    async def _wake(self, _: WebhookId) -> None:
        self.woken.set()

    def looker(self, password: str = PASSWORD) -> MailLooker:
        return MailLooker(
            self.web.mailboxes(), self.files, Lender(password), self.bells, max_bytes=10_000
        )

    def settings(self, **changes: Any) -> MailWatch:
        given: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.server.port,
            "mailbox": "INBOX",
            "sender": "",
            "subject": "",
            "every_s": 60.0,
            "idle": False,
            **changes,
        }
        return MailWatch(**given)

    async def look(self, *, most: int | None = None, **changes: Any) -> list[Any]:
        return await look(self.looker(), self.settings(**changes), self.state, most=most)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    server = await ImapServer().start()
    made = House(server, tmp_path)
    yield made
    await server.stop()
    await made.web.aclose()


def mail(subject: str = "Hi", *, body: str = "body", **headers: str) -> bytes:
    lines = {"From": "Bob <bob@example.com>", "To": USER, "Subject": subject, **headers}
    head = "".join(f"{name}: {value}\n" for name, value in lines.items())
    return f"{head}\n{body}\n".encode()


def subjects(items: list[Any]) -> list[str]:
    return [item.payload["subject"] for item in items]


async def test_only_mails_that_come_after_it_was_set_up_are_new(house: House) -> None:
    house.server.deliver(mail("old"))
    first = await house.look()
    house.server.deliver(mail("one"))
    house.server.deliver(mail("two"))

    second = await house.look()
    third = await house.look()

    assert (first, subjects(second), third) == ([], ["one", "two"], [])
    assert second[0].payload["text"].strip() == "body"
    assert "EXAMINE" in house.server.commands
    assert "SELECT" not in house.server.commands


async def test_after_a_crash_a_mail_has_the_same_key(house: House) -> None:
    await house.look()
    house.server.deliver(mail("one"))
    house.server.deliver(mail("two"))

    [before] = await house.look(most=1)
    after = await house.look()

    assert subjects(after) == ["one", "two"]
    assert before == after[0]


async def test_filters_look_at_what_people_read(house: House) -> None:
    await house.look()
    house.server.deliver(mail("=?utf-8?q?Rechnung_f=C3=BCr_Mai?="))
    house.server.deliver(mail("Rechnung", From="eve@example.com"))
    house.server.deliver(mail("other"))

    found = await house.look(subject="rechnung FÜR", sender="BOB@")

    assert subjects(found) == ["Rechnung für Mai"]


async def test_a_mailbox_that_was_made_anew_begins_anew(house: House) -> None:
    await house.look()
    house.server.boxes["INBOX"].validity = 8
    house.server.deliver(mail("who knows"))

    assert await house.look() == []
    house.server.deliver(mail("new"))
    assert subjects(await house.look()) == ["new"]


async def test_attachments_become_files_and_what_is_too_large_is_named(house: House) -> None:
    await house.look()
    part = '--b\nContent-Type: text/csv\nContent-Disposition: attachment; filename="{}"\n\n{}\n'
    body = part.format("../../etc/a.csv", "1,2") + part.format("big.csv", "x" * 3_000) + "--b--"
    kind = {"MIME-Version": "1.0", "Content-Type": "multipart/mixed; boundary=b"}
    house.server.deliver(mail("files", body=body, **kind))

    [found] = await house.look()

    [file] = found.payload["attachments"]
    assert file["file"].startswith("workspace://")
    assert found.payload["left_out"] == ["big.csv"]


async def test_of_a_mail_that_is_too_large_its_header_is_told(house: House) -> None:
    await house.look()
    house.server.deliver(mail("large", body="x" * 20_000))

    [found] = await house.look()

    assert (found.payload["subject"], found.payload["is_whole"]) == ("large", False)
    assert found.payload["text"].strip() == ""


async def test_a_wrong_password_is_a_refusal_with_the_servers_words(house: House) -> None:
    with pytest.raises(BadRequest, match="refused the login: wrong password"):
        await look(house.looker("no"), house.settings(), {})
    with pytest.raises(BadRequest, match="'Nowhere' cannot be opened"):
        await house.look(mailbox="Nowhere")


async def test_the_server_rings_when_mail_comes(house: House) -> None:
    bells = asyncio.create_task(house.bells.serve())
    await asyncio.sleep(0)  # the task begins
    await house.look(idle=True)
    async with asyncio.timeout(LIMIT_S):
        await house.server.waits.wait()
        house.server.deliver(mail("new"))
        await house.woken.wait()

    assert subjects(await house.look()) == ["new"]
    bells.cancel()
    await asyncio.wait([bells])


async def test_nobody_is_dialled_who_is_near_and_not_trusted(house: House, tmp_path: Path) -> None:
    strange = House(house.server, tmp_path, trusted=False)

    with pytest.raises(WebRefused, match="port"):
        await strange.look()
    with pytest.raises(WebRefused, match="TRUST_ENDPOINTS_FOR_REQUESTS"):
        await strange.look(port=993)
    await strange.web.aclose()


@pytest.mark.parametrize(
    ("says", "error"),
    [
        (b"* 1 FETCH (UID 1 BODY[] {99999999999}\r\n", TooLarge),
        (b"* 1 FETCH " + b"x" * 600_000 + b"\r\n", TooLarge),
        (b"* BYE\r\n", WebFailed),
    ],
)
async def test_a_server_that_means_no_good_is_left(
    house: House, says: bytes, error: type[Exception]
) -> None:
    await house.look()
    house.server.says = says
    house.server.deliver(mail())

    with pytest.raises(error):
        await house.look()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff\xfe",
        b"Subject: =?x-none?b?////?=\nFrom: <<<>>>\nDate: never\n\n",
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n" * 5_000,
        b"Content-Type: text/plain; charset=x-none\n\n\xff",
        b"Content-Type: text/plain; charset*=utf-8''x%FF\nContent-Transfer-Encoding: base64\n\n!!",
        b"".join(b"Content-Type: message/rfc822\n\n" for _ in range(300)),
        b"Content-Disposition: attachment; filename*=x-none''a%FF\nSubject: a\n\n" + b"x" * 10,
        b"Subject: a\x01b\r\n\tc =?utf-8?q?=0D=0ABcc=3A_eve?=\n\nx",
        b"Date: Mon, 99 Foo 99999 99:99:99 +9999\n\n",
    ],
)  # fmt: skip
def test_whatever_a_mail_is_it_can_be_read(content: bytes) -> None:
    found = read_mail(content)

    assert "\n" not in found.facts["subject"] + found.facts["from"]
    assert set(found.facts) >= {"from", "to", "subject", "date", "text", "html"}
