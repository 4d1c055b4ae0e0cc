"""What a mail says (RFC 5322), read within bounds: whatever its sender wrote does no harm."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import compat32
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any, Final

MAX_TEXT: Final = 100_000
MAX_PARTS: Final = 200
_MAX_HEADER: Final = 2_000
_MAX_ADDRESSES: Final = 100
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
#: The older policy gives headers as they came; the newer one reads them, and trips over ill ones.
_WHOLE: Final = BytesParser(policy=compat32)
_HEADER: Final = BytesHeaderParser(policy=compat32)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attached:
    """A file that came with a mail."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadMail:
    """A mail's facts, as they go to an agent, and its files."""

    facts: dict[str, Any] = field(repr=False)
    attached: list[Attached] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class MailHeader:
    """What filters look at."""

    sender: str
    subject: str


def read_header(content: bytes) -> MailHeader:
    """Return what the header of a mail says."""
    message = _HEADER.parsebytes(content)
    return MailHeader(sender=_header(message, "From"), subject=_header(message, "Subject"))


def read_mail(content: bytes) -> ReadMail:
    """
    Return what a mail says: ``from``, ``to``, ``cc``, ``subject``, ``date``, ``message_id``, ``text``, ``html``.

    Texts are cut at `MAX_TEXT` characters. Parts beyond `MAX_PARTS` are left out.
    """
    message = _WHOLE.parsebytes(content)
    texts = {"text/plain": "", "text/html": ""}
    attached: list[Attached] = []
    for part in _parts(message):
        kind = part.get_content_type()
        name = _file_name(part)
        is_shown = not name and part.get_content_disposition() != "attachment"
        if is_shown and kind in texts:
            texts[kind] = texts[kind] or _text(part)
        elif name or part.get_content_disposition() == "attachment":
            body = part.get_payload(decode=True)
            if isinstance(body, bytes) and body:
                attached.append(Attached(name=name or "file", media_type=kind, content=body))
    return ReadMail(
        facts={
            "from": _header(message, "From"),
            "to": _addresses(message, "To"),
            "cc": _addresses(message, "Cc"),
            "subject": _header(message, "Subject"),
            "date": _date(message),
            "message_id": _header(message, "Message-ID"),
            "text": texts["text/plain"],
            "html": texts["text/html"],
        },
        attached=attached,
    )


def _parts(message: Message) -> Iterator[Message]:
    """Yield the parts that have no parts; a mail inside a mail is taken apart as well."""
    waiting, left = [message], MAX_PARTS
    while waiting and left:
        part = waiting.pop()
        inner = part.get_payload()
        if part.is_multipart() and isinstance(inner, list):
            waiting.extend(one for one in reversed(inner) if isinstance(one, Message))
            continue
        left -= 1
        yield part


def _text(part: Message) -> str:
    body = part.get_payload(decode=True)
    if not isinstance(body, bytes):
        return ""
    charset = part.get_param("charset")
    text = _decoded(body, charset if isinstance(charset, str) else "utf-8")
    return _NO_TEXT.sub("\ufffd", text)[:MAX_TEXT]


def _file_name(part: Message) -> str:
    try:
        name = part.get_filename()
    except (LookupError, ValueError, TypeError):
        return ""  # its charset is none
    return _CONTROL.sub(" ", _words(name or ""))[:200].strip()


def _header(message: Message, name: str) -> str:
    return _CONTROL.sub(" ", _words(str(message.get(name) or "")[: 4 * _MAX_HEADER]))[
        :_MAX_HEADER
    ].strip()


def _addresses(message: Message, name: str) -> list[str]:
    """Return bare addresses."""
    values = [str(value)[: 4 * _MAX_HEADER] for value in message.get_all(name, [])[:10]]
    found = (_CONTROL.sub(" ", _words(address)) for _, address in getaddresses(values))
    return [address for address in found if address][:_MAX_ADDRESSES]


def _date(message: Message) -> str:
    try:
        at = parsedate_to_datetime(str(message.get("Date") or ""))
    except (ValueError, TypeError, OverflowError):
        return ""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()


def _words(value: str) -> str:
    """Return a header with its encoded words decoded (RFC 2047); what is none stays as it is."""
    try:
        pieces = decode_header(value)
    except (ValueError, LookupError):
        return _NO_TEXT.sub("\ufffd", value)
    text = "".join(
        piece if isinstance(piece, str) else _decoded(piece, charset or "utf-8")
        for piece, charset in pieces
    )
    return _NO_TEXT.sub("\ufffd", text)


def _decoded(content: bytes, charset: str) -> str:
    try:
        return content.decode(charset, "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")
