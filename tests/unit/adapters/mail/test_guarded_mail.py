"""Mail to servers that users name: where it may go, what is encrypted, what a refusal says."""

import asyncio
from email.message import EmailMessage
from pathlib import Path

import pytest

from backend.adapters.mail import guarded
from backend.adapters.mail.guarded import GuardedMail
from backend.adapters.web import Gate, GuardedWebClient, TrustList
from backend.core.credentials import Secret
from backend.core.errors import BadRequest, WebFailed, WebRefused, WebTimedOut
from tests.unit.adapters.mail.mail_server import (
    NAME,
    PASSWORD,
    Mailbox,
    OpenGate,
    certificate,
    mail_server,
)

ANN, BOB = "ann@example.com", "bob@example.com"


def letter() -> EmailMessage:
    message = EmailMessage()
    message["Message-ID"] = "<one@example.com>"
    message["From"], message["To"], message["Subject"] = ANN, BOB, "Grüße"
    message.set_content("Wie geht es Dir?")
    return message


def near(box: Mailbox) -> GuardedMail:
    """Return a way on which the operator trusts the server in this machine."""
    return GuardedMail(OpenGate(), TrustList.of([f"{NAME}:{box.port}"]))


async def send(way: GuardedMail, box: Mailbox, *to: str, **changes: object) -> None:
    await way.hand_over(letter(), box.server(**changes), sender=ANN, recipients=to or [BOB])


async def test_a_mail_arrives_whole() -> None:
    async with mail_server(tls=None) as box:
        await send(near(box), box, BOB, "eve@example.com")

    [mail] = box.mails
    assert (mail["Subject"], mail["Message-ID"]) == ("Grüße", "<one@example.com>")
    assert mail.get_content().strip() == "Wie geht es Dir?"
    assert box.recipients == [[BOB, "eve@example.com"]]
    assert box.logins == [(ANN, PASSWORD, False)]


async def test_a_server_of_the_world_gets_the_password_encrypted_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = certificate(tmp_path)
    async with mail_server(tls=mine) as box:
        monkeypatch.setattr(guarded, "MAIL_PORTS", frozenset({box.port}))

        await send(GuardedMail(OpenGate(), TrustList(), tls=theirs), box)

    assert len(box.mails) == 1
    assert box.logins == [(ANN, PASSWORD, True)]


async def test_without_encryption_no_password_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    async with mail_server(tls=None) as box:
        monkeypatch.setattr(guarded, "MAIL_PORTS", frozenset({box.port}))

        with pytest.raises(WebRefused, match="no encryption"):
            await send(GuardedMail(OpenGate(), TrustList()), box)

    assert (box.mails, box.logins) == ([], [])


async def test_a_certificate_of_another_name_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = certificate(tmp_path, "other.example.com")
    async with mail_server(tls=mine, wrapped=True) as box:
        for ports in ("MAIL_PORTS", "_ENCRYPTED_PORTS"):
            monkeypatch.setattr(guarded, ports, frozenset({box.port}))

        with pytest.raises(WebFailed):
            await send(GuardedMail(OpenGate(), TrustList(), tls=theirs), box)

    assert (box.mails, box.logins) == ([], [])


async def test_a_port_may_be_encrypted_from_the_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = certificate(tmp_path)
    async with mail_server(tls=mine, wrapped=True) as box:
        for ports in ("MAIL_PORTS", "_ENCRYPTED_PORTS"):
            monkeypatch.setattr(guarded, ports, frozenset({box.port}))

        await send(GuardedMail(OpenGate(), TrustList(), tls=theirs), box)

    assert len(box.mails) == 1
    assert box.logins == [(ANN, PASSWORD, True)]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "0x7f.1", "[::1]"])
async def test_what_is_not_outside_is_refused(host: str) -> None:
    box = Mailbox(port=25)

    with pytest.raises(WebRefused):
        await send(GuardedMail(Gate(), TrustList()), box, host=host)


@pytest.mark.parametrize("port", [22, 80, 6379, 0])
async def test_other_ports_than_those_of_mail_are_refused(port: int) -> None:
    way = GuardedWebClient(["localhost"]).mail()

    with pytest.raises(WebRefused, match="port"):
        await send(way, Mailbox(port=port), host="localhost")


async def test_a_refused_login_says_what_the_server_said() -> None:
    async with mail_server(tls=None) as box:
        with pytest.raises(BadRequest, match=r"refused the login: 535") as failed:
            await send(near(box), box, password=Secret("wrong"))

    assert "wrong" not in str(failed.value)
    assert box.mails == []


@pytest.mark.parametrize(
    ("answer", "error"), [("552 Too large", BadRequest), ("451 Later", WebFailed)]
)
async def test_a_refused_mail_says_so_and_whether_it_may_go_later(
    answer: str, error: type[Exception]
) -> None:
    async with mail_server(tls=None) as box:
        box.at_data = answer

        with pytest.raises(error, match=answer):
            await send(near(box), box)


async def test_a_recipient_that_is_refused_is_named() -> None:
    async with mail_server(tls=None) as box:
        box.at_recipient = "550 Nobody of that name"

        with pytest.raises(BadRequest, match=r"bob@example\.com: 550 Nobody"):
            await send(near(box), box)
        assert box.mails == []
        with pytest.raises(BadRequest, match=r"went out, but not to bob@example\.com"):
            await send(near(box), box, BOB, "ok@example.com")

    assert box.recipients == [["ok@example.com"]]


async def test_the_words_of_what_is_no_mail_server_are_kept_from_users() -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 secret-store 1.2 ready\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as listener:
        box = Mailbox(port=listener.sockets[0].getsockname()[1])
        with pytest.raises(WebFailed, match="554") as failed:
            await send(near(box), box)

    assert "secret-store" not in str(failed.value)


async def test_a_closed_door_and_a_silent_server_are_failures() -> None:
    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        gone.set()

    gone = asyncio.Event()
    async with await asyncio.start_server(listen, "127.0.0.1", 0) as listener:
        box = Mailbox(port=listener.sockets[0].getsockname()[1])
        trust = TrustList.of([f"{NAME}:{box.port}"])
        with pytest.raises(WebTimedOut):
            await send(GuardedMail(OpenGate(), trust, limit_s=0.2), box)
        await gone.wait()

    with pytest.raises(WebFailed, match="cannot be reached"):
        await send(GuardedMail(OpenGate(), trust), box)
