"""How a notice leaves the house."""

from dataclasses import dataclass
from typing import Protocol


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
            BadRequest: If it can never be delivered.
        """
