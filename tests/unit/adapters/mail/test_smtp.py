"""Letters to an operator's mail server: encryption, logins, answers of each kind, lines that break."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.mail import SmtpMailer, SmtpServer
from backend.core.errors import AddressRefused, BadRequest, Unavailable
from backend.ports.mail import Letter
from tests.unit.adapters.mail.mail_server import PASSWORD, Mailbox, certificate, mail_server

LETTER = Letter(
    key="one", to="ann@example.com", subject="Grüße", text="Es ging gut.", html="<p>x", sent_us=1
)


def letters(count: int) -> Iterator[Letter]:
    return (replace(LETTER, key=str(number)) for number in range(count))


def mailer(box: Mailbox, security: Any = "none", *, login: str = "", **options: Any) -> SmtpMailer:
    server = SmtpServer(
        host="localhost",
        port=box.port,
        username="agpt" if login else "",
        password=login,
        security=security,
    )
    return SmtpMailer(server, sender="agpt@example.com", **{"limit_s": 5.0, **options})


@asynccontextmanager
async def sending(box: Mailbox, *kind: Any, **options: Any) -> AsyncIterator[SmtpMailer]:
    way = mailer(box, *kind, **options)
    try:
        yield way
    finally:
        await way.close()


@pytest.fixture(params=["starttls", "tls"])
def security(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_letter_arrives_encrypted_and_after_a_login(tmp_path: Path, security: str) -> None:
    mine, theirs = certificate(tmp_path, "localhost")
    async with (
        mail_server(tls=mine, wrapped=security == "tls") as box,
        sending(box, security, login=PASSWORD, tls=theirs) as way,
    ):
        await way.send(LETTER)

    [mail] = box.mails
    assert (mail["Subject"], mail["To"]) == ("Grüße", "ann@example.com")
    assert box.logins == [("agpt", PASSWORD, True)]


@pytest.mark.parametrize("fault", ["of another name", "of nobody we know"])
async def test_a_wrong_certificate_gets_neither_password_nor_letter_and_is_called_so(
    tmp_path: Path, security: str, fault: str
) -> None:
    name = "localhost" if "nobody" in fault else "other.example.com"
    mine, theirs = certificate(tmp_path, name)
    known = ssl.create_default_context() if "nobody" in fault else theirs
    async with (
        mail_server(tls=mine, wrapped=security == "tls") as box,
        sending(box, security, login=PASSWORD, tls=known) as way,
    ):
        with pytest.raises(Unavailable, match="certificate of the mail server") as failed:
            await way.send(LETTER)

    why = "self-signed" if "nobody" in fault else "not valid for 'localhost'"
    assert why in str(failed.value).replace("self signed", "self-signed")
    assert (box.mails, box.logins) == ([], [])


async def test_a_server_without_encryption_gets_no_letter_and_letters_wait_for_better_times() -> (
    None
):
    async with mail_server(tls=None) as box, sending(box, "starttls", login=PASSWORD) as way:
        with pytest.raises(Unavailable, match=r"no encryption.*SMTP_SECURITY"):
            await way.send(LETTER)

    assert (box.mails, box.logins) == ([], [])


async def test_a_refused_login_is_told_without_the_password_and_letters_wait() -> None:
    async with mail_server(tls=None) as box, sending(box, login="wrong!") as way:
        with pytest.raises(Unavailable, match=r"refused the login: 535") as failed:
            await way.send(LETTER)

    assert "wrong!" not in str(failed.value)
    assert box.mails == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("421 4.3.2 going down", Unavailable),
        ("450 4.2.1 mailbox busy", Unavailable),
        ("451 4.7.1 greylisted", Unavailable),
        ("550 5.1.1 no such user", AddressRefused),
        ("550 5.7.1 no spam here", BadRequest),
        ("552 5.3.4 too large", BadRequest),
    ],
)
@pytest.mark.parametrize("where", ["at_recipient", "at_data"])
async def test_each_answer_says_whether_to_come_again_and_the_next_letter_goes(
    answer: str, error: type[Exception], where: str
) -> None:
    async with mail_server(tls=None) as box, sending(box) as way:
        setattr(box, where, answer)
        with pytest.raises(error, match=answer) as failed:
            await way.send(LETTER)
        setattr(box, where, "250 OK")

        await way.send(LETTER)

    assert type(failed.value) is error
    assert len(box.mails) == 1
    # A server that says goodbye is believed.
    assert box.connections == (2 if answer.startswith("421") else 1)


async def test_many_letters_share_a_connection_until_nobody_needs_it() -> None:
    async with mail_server(tls=None) as box, sending(box, idle_s=0.05) as way:
        for letter in letters(50):
            await way.send(letter)
        assert box.connections == 1
        while way._client is not None:  # noqa: ASYNC110 - a timer closes it
            await asyncio.sleep(0.01)

        await way.send(LETTER)

    assert (len(box.mails), box.connections) == (51, 2)


async def test_a_line_that_was_closed_meanwhile_is_opened_anew_and_no_letter_goes_twice() -> None:
    async with mail_server(tls=None) as box, sending(box) as way:
        await way.send(LETTER)
        assert way._client is not None
        assert isinstance(way._client.transport, asyncio.Transport)
        way._client.transport.abort()

        for letter in letters(2):
            await way.send(letter)

    assert (len(box.mails), box.connections) == (3, 2)


async def test_a_letter_whose_server_goes_after_it_took_it_comes_twice_at_most_as_the_same() -> (
    None
):
    async with mail_server(tls=None) as box, sending(box) as way:
        box.cuts = 1
        with pytest.raises(Unavailable):
            await way.send(LETTER)

        await way.send(LETTER)

    first, again = (mail["Message-ID"] for mail in box.mails)
    assert first == again


@pytest.mark.parametrize("when", ["at once", "at a letter"])
async def test_a_server_that_hangs_is_given_up_and_the_next_letter_begins_anew(when: str) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        gone.set()

    gone = asyncio.Event()
    async with (
        mail_server(tls=None) as box,
        await asyncio.start_server(say_nothing, "127.0.0.1", 0) as silent,
    ):
        box.hangs = True
        port = box.port
        if when == "at once":
            box.port = silent.sockets[0].getsockname()[1]
        async with sending(box, limit_s=0.2) as way:
            with pytest.raises(Unavailable, match=r"took longer than 0\.2 s"):
                await way.send(LETTER)
            if when == "at once":
                await gone.wait()
            box.hangs = False
            way._server = replace(way._server, port=port)

            await way.send(LETTER)

    assert len(box.mails) == 1


async def test_a_closed_door_is_told() -> None:
    async with mail_server(tls=None) as box:
        pass

    async with sending(box) as way:
        with pytest.raises(Unavailable, match=f"localhost.*{box.port}"):
            await way.send(LETTER)
