"""Mailboxes of users, at servers that they name: read, never changed."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from backend.ports.mail import MailServer


@dataclass(frozen=True, kw_only=True, slots=True)
class MailHead:
    """A mail before it is fetched. *header* has its From, Subject and Message-ID, as they came."""

    uid: int
    size_bytes: int
    header: bytes = field(repr=False)


class Mailbox(Protocol):
    """
    One mailbox, opened to be read.

    Attributes:
        validity: As long as it is the same, a uid is the same mail.
        next_uid: No mail had it when the box was opened; later ones have it or a larger one.
        can_wait: Whether the server tells when mail comes (it has IDLE).
    """

    validity: int
    next_uid: int
    can_wait: bool

    async def heads(self, since_uid: int, *, most: int) -> Sequence[MailHead]:
        """Return the mails from *since_uid* on, at most so many, lowest first."""

    async def fetch(self, uid: int, *, max_bytes: int) -> bytes | None:
        """Return a whole mail; None if it is gone. Nobody sees that it was read."""

    async def wait(self, *, limit_s: float) -> bool:
        """Wait, if it `can_wait`, until the server says that something is new; False after *limit_s*."""


class Mailboxes(Protocol):
    """The guarded way to them, over IMAP."""

    def open(self, server: MailServer, name: str) -> AbstractAsyncContextManager[Mailbox]:
        """
        Open the mailbox *name*; it closes with the context.

        All methods raise:
            WebRefused: If this host or port may not be called from here, or is not encrypted.
            WebTimedOut: If the server took too long.
            WebFailed: If it could not be reached, broke off, or says what nobody understands.
            BadRequest: If it refused the login, or has no such mailbox.
            TooLarge: If it sends more than was asked for.
        """
