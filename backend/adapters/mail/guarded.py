"""Mail of users to servers that they name: dials only what the gate has checked."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from email.message import EmailMessage
from typing import TYPE_CHECKING, Final

from backend.adapters.mail.dial import dial, require_port
from backend.adapters.web.gate import Gate
from backend.adapters.web.trust import TrustList, canonical
from backend.core.errors import BadRequest, WebFailed, WebRefused, WebTimedOut
from backend.ports.mail import MailServer

if TYPE_CHECKING:
    import aiosmtplib

#: Where mail servers listen. What else a port may be for hears no commands from us.
MAIL_PORTS: Final = frozenset({25, 465, 587, 2465, 2525, 2587})
_ENCRYPTED_PORTS: Final = frozenset({465, 2465})
_SHOWN: Final = 300
_LATER: Final = range(400, 500)
#: Who we say we are: the machine's name is nobody's business.
_OWN_NAME: Final = "[127.0.0.1]"


class GuardedMail:
    """
    See backend.ports.mail.MailWay.

    Args:
        trust: The operator's list. A server on it may be private, and may do without encryption.
        tls: Instead of the system's certificates.
        limit_s: For all of one mail.
    """

    def __init__(
        self,
        gate: Gate,
        trust: TrustList,
        *,
        tls: ssl.SSLContext | None = None,
        limit_s: float = 60.0,
    ) -> None:
        self._gate = gate
        self._trust = trust
        self._tls = tls
        self._limit_s = limit_s

    async def hand_over(
        self,
        message: EmailMessage,
        server: MailServer,
        *,
        sender: str,
        recipients: Sequence[str],
    ) -> None:
        host, port = canonical(server.host), server.port
        trusted = self._trust.covers("smtp", host, port)
        require_port(self._trust, "smtp", host, port, MAIL_PORTS)
        try:
            async with asyncio.timeout(self._limit_s):
                line = await dial(self._gate, host, port, trusted=trusted)
                await self._speak(line, message, server, sender, recipients, trusted=trusted)
        except TimeoutError as exc:
            raise WebTimedOut(
                f"the mail server {host} took longer than {self._limit_s:g} s"
            ) from exc

    async def _speak(
        self,
        line: socket.socket,
        message: EmailMessage,
        server: MailServer,
        sender: str,
        recipients: Sequence[str],
        *,
        trusted: bool,
    ) -> None:
        import aiosmtplib  # noqa: PLC0415 - heavy, and only for those who send mail

        encrypted = server.port in _ENCRYPTED_PORTS
        client = aiosmtplib.SMTP(
            # For the certificate only: the line leads to the address that was checked.
            hostname=server.host,
            sock=line,
            username=server.username.reveal(),
            password=server.password.reveal(),
            use_tls=encrypted,
            start_tls=False if encrypted else (None if trusted else True),
            tls_context=self._tls,
            local_hostname=_OWN_NAME,
            timeout=self._limit_s,
        )
        try:
            await self._open(client)
            missed, _ = await client.send_message(
                message, sender=sender, recipients=list(recipients)
            )
            with suppress(aiosmtplib.SMTPException, OSError):
                await client.quit()  # the mail is on its way, whatever is said now
        except aiosmtplib.SMTPException as exc:
            raise _told(exc) from exc
        except (OSError, ssl.SSLError) as exc:
            raise WebFailed(f"the line to the mail server broke: {type(exc).__name__}") from exc
        finally:
            client.close()
        if missed:
            raise BadRequest(
                f"the mail went out, but not to {', '.join(missed)}: the server refused them"
            )

    async def _open(self, client: "aiosmtplib.SMTP") -> None:
        import aiosmtplib  # noqa: PLC0415 - see _speak

        try:
            await client.connect()
        except (aiosmtplib.SMTPAuthenticationError, aiosmtplib.SMTPTimeoutError):
            raise
        except aiosmtplib.SMTPResponseException as exc:
            # Not its words: whoever listens there need not be a mail server.
            raise WebFailed(f"the mail server did not let us begin: it answers {exc.code}") from exc
        except aiosmtplib.SMTPException as exc:
            if "STARTTLS" in str(exc):
                raise WebRefused(
                    "this mail server offers no encryption (STARTTLS), so it gets no password; an "
                    "operator can allow it with TRUST_ENDPOINTS_FOR_REQUESTS"
                ) from exc
            raise WebFailed("the mail server broke the line before the mail was sent") from exc


def _told(exc: "aiosmtplib.SMTPException") -> Exception:
    """Return our error for what the library says once somebody speaks SMTP with us."""
    import aiosmtplib  # noqa: PLC0415 - see _speak

    match exc:
        case aiosmtplib.SMTPAuthenticationError():
            return BadRequest(f"the mail server refused the login: {_words(exc.code, exc.message)}")
        case aiosmtplib.SMTPRecipientsRefused():
            first = exc.recipients[0]
            error = WebFailed if first.code in _LATER else BadRequest
            return error(
                f"the mail server refused {first.recipient}: {_words(first.code, first.message)}"
            )
        case aiosmtplib.SMTPResponseException():
            error = WebFailed if exc.code in _LATER else BadRequest
            return error(f"the mail server refused the mail: {_words(exc.code, exc.message)}")
        case aiosmtplib.SMTPTimeoutError():
            return WebTimedOut("the mail server took too long")
        case aiosmtplib.SMTPNotSupported():
            return BadRequest(f"the mail server cannot do what is needed: {exc}"[:_SHOWN])
        case _:
            return WebFailed(
                f"the line to the mail server broke ({type(exc).__name__}); whether the mail is on "
                "its way is not known"
            )


def _words(code: int, text: str) -> str:
    return f"{code} {' '.join(text.split())}"[:_SHOWN]
