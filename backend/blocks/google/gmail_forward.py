"""GmailForward: a mail at Gmail goes on to others, with its files."""

import html
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from backend.blocks.google.gmail import (
    MINE,
    MOST_BYTES,
    account_pin,
    attachments_of,
    calls_of,
    decoded,
    email_of,
    files_in,
    headers_of,
    message_at,
    page_of,
    texts_of,
)
from backend.blocks.google.gmail_compose import CONTENT, FILES, handed_over, prefixed
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    Effect,
    Example,
    TooLarge,
    WebLimits,
    pin,
    pins,
)
from backend.sdk.mail import Attachment, Draft, addresses_in
from backend.sdk.services import ServiceCalls, path_of

#: A file in base64, with room for what stands around it.
_FILE: Final = WebLimits(timeout_s=120.0, max_bytes=2 * MOST_BYTES)
_SHOWN: Final = ("From", "Date", "Subject", "To")


class GmailForwardBlock(Block):
    """Forwards a mail of an account at Gmail: what it says, who wrote it, and its files."""

    id = "64d2301c-b3f5-4174-8ac0-111ca1e1a7c0"
    categories = (Category.COMMUNICATION,)
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs={"messageId": "m1", "to": ["eve@example.com"], "credentials": MINE},
            outputs=[("messageId", "s1"), ("threadId", "t9"), ("status", "forwarded")],
        ),
        Example(inputs={"messageId": "m1", "to": [], "credentials": MINE}, error="nobody to go to"),
        Example(
            inputs={"messageId": "gone", "to": ["eve@example.com"], "credentials": MINE},
            error="Requested entity was not found",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin("readonly", "send")
        messageId: str = pin(description="The mail that goes on.")
        to: list[str] = pin(description="Who gets it.")
        cc: list[str] = pin(default_factory=list, description="Who gets a copy.")
        bcc: list[str] = pin(default_factory=list, description="Who gets a copy unseen.")
        subject: str = pin(default="", description="Empty: that of the mail, with Fwd: before it.")
        forwardMessage: str = pin(default="", description="What you say about it; it stands first.")
        includeAttachments: bool = pin(default=True, description="Its files go with it.")
        content_type: str | None = pin(
            default=None,
            schema=CONTENT,
            description="Whether it goes on as plain text or as a page (html); auto: as it is.",
        )
        additionalAttachments: list[str] = pin(
            default_factory=list, schema=FILES, description="More files that go with it."
        )

    @pins
    class Output:
        """Output pins."""

        messageId: str = pin(description="The mail that was sent.")
        threadId: str = pin(description="Its conversation.")
        status: str = pin(description="That it is sent.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Send it on."""
        to = addresses_in(*inputs.to)
        if not to:
            raise ValueError("the mail has nobody to go to")
        calls = calls_of(context, inputs.credentials)
        message = await message_at(calls, inputs.messageId)
        own = await attachments_of(context, inputs.additionalAttachments)
        files = await _files(calls, message) if inputs.includeAttachments else []
        if sum(len(file.content) for file in (*files, *own)) > MOST_BYTES:
            raise TooLarge("the files of a mail are 18 MB at most")
        text, page = _words(message, inputs.forwardMessage, inputs.content_type)
        draft = Draft(
            key=context.idempotency_key,
            to=to,
            cc=addresses_in(*inputs.cc),
            bcc=addresses_in(*inputs.bcc),
            subject=inputs.subject or prefixed("Fwd", headers_of(message).get("subject", "")),
            text=text,
            html=page,
            attachments=[*files, *own],
        )
        sent = await handed_over(calls, draft)
        yield "messageId", sent["id"]
        yield "threadId", calls.need(sent, str, "threadId")
        yield "status", "forwarded"


def _words(message: Mapping[str, Any], said: str, content_type: str | None) -> tuple[str, str]:
    """Return the plain text and the page of what goes on; the page is empty if it has none."""
    headers = headers_of(message)
    known = [f"{name}: {headers[name.lower()]}" for name in _SHOWN if headers.get(name.lower())]
    lines = ["---------- Forwarded message ---------", *(" ".join(line.split()) for line in known)]
    said_text, said_page = texts_of(said, content_type)
    body = str(email_of(message)["body"])
    text = "\n".join([*([said_text, ""] if said_text else []), *lines, "", body])
    page = page_of(message)
    if content_type == "plain" or not (page or said_page):
        return text, ""
    first = said_page or _page(said_text)
    return text, "".join([first, _page("\n".join(lines)), page or _page(body)])


def _page(text: str) -> str:
    return f"<p>{html.escape(text)}</p>".replace("\n", "<br>") if text else ""


async def _files(calls: ServiceCalls, message: Mapping[str, Any]) -> list[Attachment]:
    """Return the files of a mail, read one after the other. Raises TooLarge."""
    found: list[Attachment] = []
    left = MOST_BYTES
    for part in files_in(message):
        body = part.get("body") or {}
        left -= int(body.get("size") or 0)
        if left < 0:
            raise TooLarge("the files of a mail are 18 MB at most")
        data = body.get("data")
        if not data and body.get("attachmentId"):
            path = path_of("messages", str(message["id"]), "attachments", body["attachmentId"])
            data = calls.need(
                calls.json_of(await calls.send("GET", path, limits=_FILE)), str, "data"
            )
        found.append(
            Attachment(
                name=str(part["filename"]),
                media_type=str(part.get("mimeType") or ""),
                content=decoded(str(data or "")),
            )
        )
    return found
