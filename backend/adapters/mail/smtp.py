"""Letters through an SMTP server that the operator has named."""

import asyncio
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import TYPE_CHECKING, Final, Literal

from backend.adapters.mail.message import as_message
from backend.core.errors import AddressRefused, BadRequest, Unavailable
from backend.ports.mail import Letter

if TYPE_CHECKING:
    import aiosmtplib

_LIMIT_S: Final = 30.0
#: A connection that nobody needs is closed: servers count them, and end them after minutes.
_IDLE_S: Final = 20.0
_LATER: Final = range(400, 500)
_SHOWN: Final = 300
#: Codes of RFC 3463 that are about the address (5.1.x), or its mailbox (5.2.x).
_ABOUT_ADDRESS: Final = re.compile(r"5\.[12]\.\d")
_ENHANCED: Final = re.compile(r"5\.\d{1,3}\.\d{1,3}\b")


@dataclass(frozen=True, kw_only=True)
class SmtpServer:
    """Where letters are handed over. *security*: starttls, tls or none."""

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    security: Literal["starttls", "tls", "none"] = "starttls"


class SmtpMailer:
    """
    Sends letters one after the other over one connection, which it keeps for a while.

    Args:
        tls: Instead of the system's certificates.
        limit_s: For each word of the server: one that hangs holds up all letters so long.
        idle_s: The connection is kept for so long after a letter.
    """

    def __init__(
        self,
        server: SmtpServer,
        *,
        sender: str,
        tls: ssl.SSLContext | None = None,
        limit_s: float = _LIMIT_S,
        idle_s: float = _IDLE_S,
    ) -> None:
        self._server = server
        self._sender = sender
        self._tls = tls
        self._limit_s = limit_s
        self._idle_s = idle_s
        self._lock = asyncio.Lock()
        self._client: aiosmtplib.SMTP | None = None
        self._closing: asyncio.TimerHandle | None = None

    async def send(self, letter: Letter) -> None:
        import aiosmtplib  # noqa: PLC0415 - only where a mail server is set

        message = as_message(letter, sender=self._sender)
        async with self._lock:
            self._stop_closing()
            try:
                client = await self._connected()
                await client.send_message(message, sender=_bare(message), recipients=[letter.to])
            except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPResponseException) as exc:
                if _ends_line(exc):
                    self._drop()
                raise _told(exc) from exc
            except aiosmtplib.SMTPNotSupported as exc:
                raise BadRequest(f"the mail server cannot do what is needed: {exc}") from exc
            except aiosmtplib.SMTPTimeoutError as exc:
                self._drop()
                raise Unavailable(f"the mail server took longer than {self._limit_s:g} s") from exc
            except (aiosmtplib.SMTPException, OSError) as exc:
                self._drop()
                raise Unavailable(f"the mail server did not take the letter: {exc}") from exc
            except ValueError as exc:
                raise AddressRefused(f"this is no mail address: {exc}") from exc
            except BaseException:
                # Somewhere in a command: what the server says next would be taken for the answer
                # to another one.
                self._drop()
                raise
            self._close_later()

    async def close(self) -> None:
        """Say goodbye to the server; a later letter connects anew."""
        import aiosmtplib  # noqa: PLC0415 - see send

        async with self._lock:
            self._stop_closing()
            if self._client is not None and self._client.is_connected:
                with suppress(aiosmtplib.SMTPException, OSError):
                    await self._client.quit()
            self._drop()

    async def _connected(self) -> "aiosmtplib.SMTP":
        import aiosmtplib  # noqa: PLC0415 - see send

        if self._client is not None and self._client.is_connected:
            try:
                # Before a letter is on its way: afterwards nobody knows whether it arrived.
                await self._client.noop()
            except (aiosmtplib.SMTPException, OSError):
                self._drop()
            else:
                return self._client
        self._drop()
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password or None,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=self._tls,
            timeout=self._limit_s,
        )
        self._client = client
        try:
            await client.connect()
        except aiosmtplib.SMTPTimeoutError:
            raise
        except (aiosmtplib.SMTPException, ssl.SSLError) as exc:
            self._drop()
            raise Unavailable(_not_begun(exc)) from exc
        return client

    def _close_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._closing = loop.call_later(self._idle_s, self._drop)

    def _stop_closing(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _bare(message: EmailMessage) -> str:
    return str(message["From"].addresses[0].addr_spec)


def _ends_line(exc: Exception) -> bool:
    return getattr(exc, "code", 0) == 421  # noqa: PLR2004 - the server says goodbye with it


def _not_begun(exc: Exception) -> str:
    """
    Say why there is no line on which a letter could go.

    None of it is about a letter: whoever runs this can mend it, and then all of them are to leave.
    """
    import aiosmtplib  # noqa: PLC0415 - see send

    certificate: BaseException | None = exc
    while certificate is not None and not isinstance(certificate, ssl.SSLCertVerificationError):
        certificate = certificate.__cause__ or certificate.__context__
    if isinstance(certificate, ssl.SSLCertVerificationError):
        return (
            f"the certificate of the mail server cannot be trusted: {certificate.verify_message}; "
            "SSL_CERT_FILE names a file with other authorities"
        )
    if isinstance(exc, aiosmtplib.SMTPAuthenticationError):
        return f"the mail server refused the login: {_words(exc.code, exc.message)}"
    if isinstance(exc, aiosmtplib.SMTPResponseException):
        return f"the mail server did not let us begin: {_words(exc.code, exc.message)}"
    if "STARTTLS" in str(exc):
        return (
            "the mail server offers no encryption (STARTTLS); SMTP_SECURITY says tls where all is "
            "encrypted from the first byte, and none where nothing is"
        )
    return f"the mail server did not let us begin: {exc}"


def _told(
    exc: "aiosmtplib.SMTPRecipientsRefused | aiosmtplib.SMTPResponseException",
) -> Exception:
    """Return our error for what a server said: later, never, or never to this address."""
    import aiosmtplib  # noqa: PLC0415 - see send

    is_recipient = isinstance(exc, aiosmtplib.SMTPRecipientsRefused)
    if isinstance(exc, aiosmtplib.SMTPRecipientsRefused):
        code, text = exc.recipients[0].code, exc.recipients[0].message
    else:
        code, text = exc.code, exc.message
    words = _words(code, text)
    if code in _LATER:
        return Unavailable(f"the mail server did not take the letter: {words}")
    enhanced = _ENHANCED.search(text)
    about_address = bool(_ABOUT_ADDRESS.match(enhanced[0])) if enhanced else is_recipient
    if about_address:
        return AddressRefused(f"the mail server refused the address: {words}")
    return BadRequest(f"the mail server refused the letter: {words}")


def _words(code: int, text: str) -> str:
    return f"{code} {' '.join(text.split())}"[:_SHOWN]
