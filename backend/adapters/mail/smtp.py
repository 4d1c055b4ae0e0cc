"""Letters through an SMTP server that the operator has named."""

from dataclasses import dataclass, field
from typing import Final, Literal

from backend.adapters.mail.message import as_message
from backend.core.errors import BadRequest, Unavailable
from backend.ports.mail import Letter

_LIMIT_S: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class SmtpServer:
    """Where letters are handed over. *security*: starttls, tls or none."""

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    security: Literal["starttls", "tls", "none"] = "starttls"


class SmtpMailer:
    """Sends each letter over a connection of its own: they are few."""

    def __init__(self, server: SmtpServer, *, sender: str) -> None:
        self._server = server
        self._sender = sender

    async def send(self, letter: Letter) -> None:
        import aiosmtplib  # noqa: PLC0415 - only where a mail server is set

        server = self._server
        try:
            await aiosmtplib.send(
                as_message(letter, sender=self._sender),
                hostname=server.host,
                port=server.port,
                username=server.username or None,
                password=server.password or None,
                use_tls=server.security == "tls",
                start_tls=server.security == "starttls",
                timeout=_LIMIT_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as exc:
            raise BadRequest("the mail server refused the recipient") from exc
        except (aiosmtplib.SMTPException, OSError) as exc:
            raise Unavailable(f"the mail server did not take the letter: {exc}") from exc
