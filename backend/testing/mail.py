"""A way out for mail that only keeps it: for the examples of blocks, and for tests."""

from collections.abc import Sequence
from email.message import EmailMessage

from backend.ports.mail import MailServer


class KeptMail:
    """See backend.ports.mail.MailWay. *kept*: server, recipients and message of each, in order."""

    def __init__(self) -> None:
        self.kept: list[tuple[MailServer, tuple[str, ...], EmailMessage]] = []

    async def hand_over(
        self,
        message: EmailMessage,
        server: MailServer,
        *,
        sender: str,
        recipients: Sequence[str],
    ) -> None:
        """Keep *message*."""
        assert sender
        self.kept.append((server, tuple(recipients), message))
