"""Mailboxes over lines that are encrypted: from the first byte, after STARTTLS, or not at all."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from backend.adapters.mail import imap
from backend.adapters.mail.imap import GuardedMailboxes
from backend.adapters.web.trust import TrustList
from backend.core.credentials import Secret
from backend.core.errors import WebFailed, WebRefused
from backend.ports.mail import MailServer
from tests.imap_server import PASSWORD, USER, ImapServer
from tests.unit.adapters.mail.mail_server import NAME, OpenGate, certificate

Listen = Callable[[ImapServer], None]


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Listen:
    """Take the port of a server for one of those that mailboxes may be at."""

    def take(server: ImapServer) -> None:
        monkeypatch.setattr(imap, "IMAP_PORTS", frozenset({server.port}))

    return take


@asynccontextmanager
async def running(server: ImapServer) -> AsyncIterator[ImapServer]:
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def at(server: ImapServer) -> MailServer:
    return MailServer(host=NAME, port=server.port, username=Secret(USER), password=Secret(PASSWORD))


async def test_a_password_goes_over_an_encrypted_line(
    tmp_path: Path, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = certificate(tmp_path)
    async with running(ImapServer(tls=mine)) as server:
        listen(server)
        monkeypatch.setattr(imap, "_ENCRYPTED_PORT", server.port)
        server.deliver(b"Subject: a\n\nb")

        async with GuardedMailboxes(OpenGate(), TrustList(), tls=theirs).open(
            at(server), "INBOX"
        ) as box:
            [head] = await box.heads(1, most=5)

        assert (head.uid, box.validity, box.next_uid) == (1, 7, 2)


async def test_a_plain_line_is_encrypted_before_anything_is_said(
    tmp_path: Path, listen: Listen
) -> None:
    mine, theirs = certificate(tmp_path)
    async with running(ImapServer(start_tls=mine)) as server:
        listen(server)

        async with GuardedMailboxes(OpenGate(), TrustList(), tls=theirs).open(at(server), "INBOX"):
            pass

        assert server.commands[:2] == ["STARTTLS", "LOGIN"]


async def test_where_nothing_is_encrypted_no_password_is_shown(listen: Listen) -> None:
    async with running(ImapServer()) as server:
        listen(server)

        with pytest.raises(WebRefused, match="STARTTLS"):
            async with GuardedMailboxes(OpenGate(), TrustList()).open(at(server), "INBOX"):
                pass

        assert "LOGIN" not in server.commands


async def test_a_certificate_of_another_name_is_not_believed(
    tmp_path: Path, listen: Listen
) -> None:
    mine, theirs = certificate(tmp_path, "other.example.com")
    async with running(ImapServer(start_tls=mine)) as server:
        listen(server)

        with pytest.raises(WebFailed, match="SSLCertVerificationError"):
            async with GuardedMailboxes(OpenGate(), TrustList(), tls=theirs).open(
                at(server), "INBOX"
            ):
                pass

        assert "LOGIN" not in server.commands


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("INBOX", "INBOX"),
        ("Entwürfe", "Entw&APw-rfe"),
        ("a&b", "a&-b"),
        ("日本", "&ZeVnLA-"),
    ],
)
def test_names_of_mailboxes_are_written_as_the_standard_has_it(name: str, written: str) -> None:
    assert imap._utf7(name) == written
