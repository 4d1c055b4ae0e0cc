"""How a notice leaves the house, and how mail of users does."""

from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol

from backend.core.credentials import Secret


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """
    A mail.

    Attributes:
        key: The same for the same letter sent again: it becomes its Message-ID.
        unsubscribe_url: A POST there ends such letters; empty: nothing does.
    """

    key: str
    to: str
    subject: str
    text: str
    html: str
    sent_us: int
    unsubscribe_url: str = ""


class Mailer(Protocol):
    """Sends letters."""

    async def send(self, letter: Letter) -> None:
        """
        Send *letter*; the same key twice is one letter where the way allows it.

        Raises:
            Unavailable: If it could not be handed over; try again later.
            AddressRefused: If its address takes no letters.
            BadRequest: If it can never be delivered for another reason.
        """

    async def close(self) -> None:
        """Give back what is open; a later letter opens it anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MailServer:
    """A user's own mail server. At port 465 all is encrypted from the first byte."""

    host: str
    port: int
    username: Secret
    password: Secret


class MailWay(Protocol):
    """The guarded way out to mail servers that users name."""

    async def hand_over(
        self,
        message: EmailMessage,
        server: MailServer,
        *,
        sender: str,
        recipients: Sequence[str],
    ) -> None:
        """
        Give *message* to *server* for all *recipients*.

        Never repeats anything: if the connection breaks at the end, the mail may be on its way.

        Args:
            sender: Who hears if it cannot be delivered: a bare address.
            recipients: Bare addresses, also those that no header names.

        Raises:
            WebRefused: If this host or port may not be called from here, or is not encrypted.
            WebTimedOut: If the server took too long.
            WebFailed: If it could not be reached, broke off, or asks to come again later.
            BadRequest: If it refused the login, the sender, a recipient or the mail.
        """
