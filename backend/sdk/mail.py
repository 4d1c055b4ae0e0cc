"""Mail for blocks: addresses that are none of somebody else's headers, and whole messages.

Beside `backend.sdk`, because most blocks send none.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr, getaddresses
from typing import Final

from backend.core.errors import BadRequest
from backend.core.ids import derived_id
from backend.ports.mail import MailServer

__all__ = ["Attachment", "Draft", "MailServer", "addresses_in", "message_id", "message_of"]

MAX_RECIPIENTS: Final = 100
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
#: One @, no spaces, nothing that ends an address or begins a list.
_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[^\s@<>,;:\"()\[\]\\]{1,253}")
_SHOWN: Final = 80


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A file that goes with a mail, whole."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """
    What a mail is to say.

    Attributes:
        key: The same for the same mail sent again: it becomes its Message-ID.
        sender: Empty: the server through which it goes knows.
        html: The text as a web page; empty: the mail has only *text*.
        headers: More of them, by name.
    """

    key: str
    sender: str = ""
    to: Sequence[str] = ()
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    subject: str = ""
    text: str = ""
    html: str = ""
    attachments: Sequence[Attachment] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def addresses_in(*texts: str) -> list[str]:
    """
    Return the addresses in *texts*, each once; a text may hold several between commas.

    Raises:
        BadRequest: If one is none, has a line break in it, or there are over 100.
    """
    for text in texts:
        _one_line("an address", text)
    found: dict[str, str] = {}
    for name, address in getaddresses(list(texts)):
        if not address and not name:
            continue
        if not _ADDRESS.fullmatch(address):
            raise BadRequest(f"{(address or name)[:_SHOWN]!r} is no mail address")
        found.setdefault(address.lower(), formataddr((name, address)))
    if any(text.strip() for text in texts) and not found:
        raise BadRequest(f"{', '.join(texts)[:_SHOWN]!r} is no mail address")
    if len(found) > MAX_RECIPIENTS:
        raise BadRequest(f"a mail goes to {MAX_RECIPIENTS} addresses at most")
    return list(found.values())


def bare(addresses: Sequence[str]) -> list[str]:
    """Return *addresses* without the names before them."""
    return [address for _, address in getaddresses(list(addresses))]


def message_id(key: str, sender: str) -> str:
    """Return the Message-ID of a mail: it tells the same mail sent twice from two mails."""
    domain = sender.rpartition("@")[2].strip("> ").lower()
    if not re.fullmatch(r"[a-z0-9.-]+", domain):
        domain = "localhost"
    return f"<{derived_id('mail', key)}@{domain}>"


def message_of(draft: Draft, *, now: datetime) -> EmailMessage:
    """
    Return *draft* in the form of RFC 5322.

    Raises:
        BadRequest: If a header would hold a line break: it would become a header of its own.
    """
    message = EmailMessage(policy=SMTP)
    message["Message-ID"] = message_id(draft.key, draft.sender)
    message["Date"] = format_datetime(now)
    for name, addresses in (
        ("From", [draft.sender]),
        ("To", draft.to),
        ("Cc", draft.cc),
        ("Bcc", draft.bcc),
    ):
        if any(addresses):
            message[name] = _one_line(name, ", ".join(addresses))
    message["Subject"] = _one_line("the subject", draft.subject)
    for name, value in draft.headers.items():
        message[name] = _one_line(name, value)
    message.set_content(draft.text)
    if draft.html:
        message.add_alternative(draft.html, subtype="html")
    for file in draft.attachments:
        kind, _, subtype = file.media_type.partition("/")
        message.add_attachment(
            file.content,
            maintype=kind or "application",
            subtype=subtype or "octet-stream",
            filename=_CONTROL.sub("_", file.name) or "file",
        )
    return message


def _one_line(what: str, text: str) -> str:
    if _CONTROL.search(text):
        raise BadRequest(f"{what} may not hold line breaks or control characters")
    return text
