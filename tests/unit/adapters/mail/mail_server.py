"""A real mail server on loopback, with a name, a certificate and a memory."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from backend.adapters.web import Gate
from backend.core.credentials import Secret
from backend.ports.mail import MailServer

NAME = "mail.example.com"
PASSWORD = "correct horse"


class OpenGate(Gate):
    """Takes this machine for the rest of the world."""

    def __init__(self) -> None:
        super().__init__(resolver=_here)

    async def addresses(self, host: str, port: int, *, trusted: bool = False) -> list[str]:
        del trusted
        return await super().addresses(host, port, trusted=True)


async def _here(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@dataclass
class Mailbox:
    """What came, and what is said to who comes."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    logins: list[tuple[str, str, bool]] = field(default_factory=list)
    at_data: str = "250 OK"
    at_recipient: str = "250 OK"
    #: Connections that were made.
    connections: int = 0
    #: The next letters that are taken, each followed by silence: the line is cut.
    cuts: int = 0
    #: Set: from then on nothing is answered to a letter.
    hangs: bool = False

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.at_recipient.startswith("250") or "ok" in address:
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
            return "250 OK"
        return self.at_recipient

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - see above
        if self.hangs:
            await asyncio.Event().wait()
        if self.at_data.startswith("250"):
            self.recipients.append(list(envelope.rcpt_tos))
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
            if self.cuts:
                self.cuts -= 1
                server.transport.abort()
        return self.at_data

    def login(self, server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> Any:
        assert isinstance(data, LoginPassword)
        name, password = data.login.decode(), data.password.decode()
        self.logins.append(
            (name, password, server.transport.get_extra_info("sslcontext") is not None)
        )
        return AuthResult(success=password == PASSWORD, handled=False)

    def server(self, **changes: Any) -> MailServer:
        known: dict[str, Any] = {
            "host": NAME,
            "port": self.port,
            "username": Secret("ann@example.com"),
            "password": Secret(PASSWORD),
        }
        return MailServer(**known | changes)


@asynccontextmanager
async def mail_server(
    *, tls: ssl.SSLContext | None, wrapped: bool = False
) -> AsyncIterator[Mailbox]:
    """Open a server; with *tls* it offers STARTTLS, or, *wrapped*, speaks nothing else."""
    box = Mailbox()
    loop = asyncio.get_running_loop()

    class Counted(SMTP):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            # Once more when STARTTLS has changed the line.
            box.connections += self.transport is None
            super().connection_made(transport)

    def accept() -> SMTP:
        return Counted(
            box,
            tls_context=None if wrapped else tls,
            authenticator=box.login,
            auth_require_tls=False,
            loop=loop,
        )

    listener = await loop.create_server(accept, "127.0.0.1", 0, ssl=tls if wrapped else None)
    box.port = listener.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        listener.close()
        await listener.wait_closed()


def certificate(folder: Path, name: str = NAME) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the context of a server called *name*, and one of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    place = folder / "server.pem"
    text = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    place.write_bytes(private + text)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(place)
    client = ssl.create_default_context(cadata=text.decode())
    return server, client
