"""What the blocks of Gmail share: its address, what a mail is, how one is written."""

import asyncio
import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any, Final

from backend.sdk import BlockContext, CredentialsKind, TooLarge, credentials_pin
from backend.sdk.mail import Attachment, bare
from backend.sdk.services import Service, ServiceCalls, path_of

#: Google refuses with 403 what is too much, as well as what is not allowed.
LIMIT_WORDS: Final = ("rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED")
GMAIL: Final = Service(
    provider="google",
    name="Gmail",
    url="https://gmail.googleapis.com/gmail/v1/users/me",
    place="gmail/v1/users/me",
    limit_words=LIMIT_WORDS,
)
_SCOPE: Final = "https://www.googleapis.com/auth/gmail."
#: Of all files of one mail; Google takes 25 MB, and in a mail they are a third larger.
MOST_BYTES: Final = 18 * 1024 * 1024
_MOST_PARTS: Final = 200

#: For examples.
MINE: Final = {"id": "mine", "provider": "google", "type": "oauth2"}


def _text(title: str) -> dict[str, Any]:
    return {"title": title, "type": "string"}


def _texts(title: str) -> dict[str, Any]:
    return {"items": {"type": "string"}, "title": title, "type": "array"}


_ATTACHMENT: Final[dict[str, Any]] = {
    "properties": {
        "filename": _text("Filename"),
        "content_type": _text("Content Type"),
        "size": {"title": "Size", "type": "integer"},
        "attachment_id": _text("Attachment Id"),
    },
    "required": ["filename", "content_type", "size", "attachment_id"],
    "title": "Attachment",
    "type": "object",
}
#: A mail, as pins hold it.
EMAIL: Final[dict[str, Any]] = {
    "properties": {
        "threadId": _text("Threadid"),
        "labelIds": _texts("Labelids"),
        "id": _text("Id"),
        "subject": _text("Subject"),
        "snippet": _text("Snippet"),
        "from_": _text("From"),
        "to": _texts("To"),
        "cc": _texts("Cc"),
        "bcc": _texts("Bcc"),
        "date": _text("Date"),
        "body": {"default": "", **_text("Body")},
        "sizeEstimate": {"title": "Sizeestimate", "type": "integer"},
        "attachments": {"items": _ATTACHMENT, "title": "Attachments", "type": "array"},
    },
    "required": [
        "threadId",
        "labelIds",
        "id",
        "subject",
        "snippet",
        "from_",
        "to",
        "date",
        "sizeEstimate",
        "attachments",
    ],
    "type": "object",
}


def account_pin(*scopes: str) -> Any:
    """Return the pin that takes an account at Google with the Gmail *scopes*."""
    return credentials_pin(
        ["google"],
        [CredentialsKind.OAUTH2],
        scopes=[_SCOPE + scope for scope in scopes],
        description="An account at Google.",
    )


def calls_of(context: BlockContext, credentials: Mapping[str, Any]) -> ServiceCalls:
    """Return the way to the mailbox of *credentials*."""
    return GMAIL.calls(context, credentials)


async def message_at(calls: ServiceCalls, message_id: str) -> Mapping[str, Any]:
    """Return a mail as Gmail has it."""
    path = path_of("messages", message_id)
    found = await calls.object("GET", path, query={"format": "full"})
    if not isinstance(found.get("payload"), dict):
        raise calls.nonsense("it is no mail")
    return found


def headers_of(message: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers of a mail, the first of each, by name in small letters."""
    found: dict[str, str] = {}
    for header in (message.get("payload") or {}).get("headers") or []:
        found.setdefault(str(header.get("name")).lower(), str(header.get("value") or ""))
    return found


def email_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mail of Gmail as pins hold it: attachments by name and id, not their content."""
    headers = headers_of(message)
    parts = list(_parts(message.get("payload") or {}))
    return {
        "threadId": str(message.get("threadId") or ""),
        "labelIds": [str(label) for label in message.get("labelIds") or []],
        "id": str(message.get("id") or ""),
        "subject": headers.get("subject", ""),
        "snippet": str(message.get("snippet") or ""),
        "from_": next(iter(bare([headers.get("from", "")])), ""),
        "to": bare([headers.get("to", "")]),
        "cc": bare([headers.get("cc", "")]),
        "bcc": bare([headers.get("bcc", "")]),
        "date": headers.get("date", ""),
        "body": _body(parts),
        "sizeEstimate": int(message.get("sizeEstimate") or 0),
        "attachments": [
            {
                "filename": str(part["filename"]),
                "content_type": str(part.get("mimeType") or ""),
                "size": int((part.get("body") or {}).get("size") or 0),
                "attachment_id": str((part.get("body") or {}).get("attachmentId") or ""),
            }
            for part in parts
            if part.get("filename")
        ],
    }


def _parts(payload: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the parts of a mail, outer ones first, 200 at the most."""
    waiting = [payload]
    for _ in range(_MOST_PARTS):
        if not waiting:
            return
        part = waiting.pop(0)
        yield part
        waiting.extend(each for each in part.get("parts") or [] if isinstance(each, dict))


def page_of(message: Mapping[str, Any]) -> str:
    """Return the page that a mail is; empty: it has none."""
    return _text_of(list(_parts(message.get("payload") or {})), "text/html")


def files_in(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the parts of a mail that are files."""
    return [part for part in _parts(message.get("payload") or {}) if part.get("filename")]


def decoded(data: str) -> bytes:
    """Return what *data* of Gmail stands for; nothing if it is damaged."""
    try:
        return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
    except (binascii.Error, ValueError):
        return b""


def _body(parts: Sequence[Mapping[str, Any]]) -> str:
    """Return what a mail says: its plain text, else its page without the tags."""
    return _text_of(parts, "text/plain") or _without_tags(_text_of(parts, "text/html"))


def _text_of(parts: Sequence[Mapping[str, Any]], kind: str) -> str:
    for part in parts:
        data = (part.get("body") or {}).get("data")
        if part.get("mimeType") == kind and data and not part.get("filename"):
            return decoded(str(data)).decode("utf-8", "replace")
    return ""


class _Words(HTMLParser):
    """Gathers what a page says."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in ("script", "style"):
            self._hidden += 1
        elif tag in ("br", "p", "div", "tr", "li"):
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._hidden = max(0, self._hidden - 1)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


def _without_tags(page: str) -> str:
    reader = _Words()
    reader.feed(page)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.words).splitlines())
    return "\n".join(line for line in lines if line)


async def attachments_of(context: BlockContext, sources: Sequence[str]) -> list[Attachment]:
    """
    Return the files of *sources*, read.

    Raises:
        TooLarge: If they are over 18 MB together.
    """
    found: list[Attachment] = []
    left = MOST_BYTES
    for source in sources:
        async with context.run_files().open(source) as file:
            content = await asyncio.to_thread(file.content.read, left + 1)
            found.append(Attachment(name=file.name, media_type=file.media_type, content=content))
        left -= len(content)
        if left < 0:
            raise TooLarge("the files of a mail are 18 MB at most")
    return found


def texts_of(body: str, content_type: str | None) -> tuple[str, str]:
    """Return the plain text and the page that *body* is; the page is empty if it is none."""
    looks_so = "</" in body or "<br" in body or "<p>" in body
    if content_type == "html" or (content_type in (None, "auto") and looks_so):
        return _without_tags(body), body
    return body, ""
