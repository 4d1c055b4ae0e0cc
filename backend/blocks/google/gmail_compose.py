"""How mails at Gmail are written: what all of their blocks take, how an answer is made of a mail."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from backend.blocks.google.gmail import (
    account_pin,
    attachments_of,
    headers_of,
    message_at,
    texts_of,
)
from backend.sdk import BlockContext, JsonObject, pin, pins
from backend.sdk.mail import Draft, addresses_in, bare, message_of
from backend.sdk.services import ServiceCalls

CONTENT: Final = {
    "anyOf": [{"enum": ["auto", "plain", "html"], "type": "string"}, {"type": "null"}]
}
FILES: Final = {"items": {"format": "file", "type": "string"}, "type": "array"}


@pins
class MailInput:
    """A new mail."""

    credentials: dict[str, Any] = account_pin("send")
    to: list[str] = pin(description="Who gets it.")
    subject: str = pin(description="What it is about, in one line.")
    body: str = pin(description="What it says.")
    cc: list[str] = pin(default_factory=list, description="Who gets a copy.")
    bcc: list[str] = pin(default_factory=list, description="Who gets a copy unseen.")
    content_type: str | None = pin(
        default=None,
        description="Whether the text is plain or a page (html); auto looks.",
        schema=CONTENT,
    )
    attachments: list[str] = pin(
        default_factory=list, description="Files that go with it.", schema=FILES
    )


@pins
class AnswerInput:
    """An answer to a mail."""

    credentials: dict[str, Any] = account_pin("readonly", "send")
    threadId: str = pin(description="The conversation.")
    parentMessageId: str = pin(description="The mail that is answered.")
    to: list[str] = pin(default_factory=list, description="Who gets it; empty: who wrote the mail.")
    cc: list[str] = pin(default_factory=list, description="Who gets a copy.")
    bcc: list[str] = pin(default_factory=list, description="Who gets a copy unseen.")
    replyAll: bool = pin(default=False, description="It goes to all who had the mail, too.")
    subject: str = pin(default="", description="Empty: that of the mail, with Re: before it.")
    body: str = pin(description="What it says.")
    content_type: str | None = pin(
        default=None,
        description="Whether the text is plain or a page (html); auto looks.",
        schema=CONTENT,
    )
    attachments: list[str] = pin(
        default_factory=list, description="Files that go with it.", schema=FILES
    )


async def mail_of(inputs: MailInput, context: BlockContext) -> Draft:
    """Return a new mail. Raises ValueError if nobody is to get it."""
    to = addresses_in(*inputs.to)
    if not to:
        raise ValueError("the mail has nobody to go to")
    text, html = texts_of(inputs.body, inputs.content_type)
    return Draft(
        key=context.idempotency_key,
        to=to,
        cc=addresses_in(*inputs.cc),
        bcc=addresses_in(*inputs.bcc),
        subject=inputs.subject,
        text=text,
        html=html,
        attachments=await attachments_of(context, inputs.attachments),
    )


async def answer_of(calls: ServiceCalls, inputs: AnswerInput) -> Draft:
    """Return the answer to a mail, with what keeps it in its conversation."""
    parent = headers_of(await message_at(calls, inputs.parentMessageId))
    to, cc = await _recipients(calls, inputs, parent)
    text, html = texts_of(inputs.body, inputs.content_type)
    known = parent.get("message-id", "")
    return Draft(
        key=calls.context.idempotency_key,
        to=to,
        cc=cc,
        bcc=addresses_in(*inputs.bcc),
        subject=inputs.subject or prefixed("Re", parent.get("subject", "")),
        text=text,
        html=html,
        attachments=await attachments_of(calls.context, inputs.attachments),
        headers={
            "In-Reply-To": known,
            "References": " ".join([*parent.get("references", "").split(), known]),
        }
        if known
        else {},
    )


async def handed_over(
    calls: ServiceCalls, draft: Draft, thread: str = "", *, path: str = "messages/send"
) -> JsonObject:
    """Send *draft*, or keep it at *path*; return what Gmail says of it, which has an id."""
    message = message_of(draft, now=calls.context.started)
    value: dict[str, Any] = {"raw": base64.urlsafe_b64encode(message.as_bytes()).decode()}
    if thread:
        value["threadId"] = thread
    kept = path == "drafts"
    made = await calls.object("POST", path, value={"message": value} if kept else value)
    calls.need(made, str, "id")
    return made


def prefixed(word: str, subject: str) -> str:
    """Return *subject* in one line, with ``word:`` before it if it has none."""
    one_line = " ".join(subject.split())
    return one_line if one_line.lower().startswith(f"{word.lower()}:") else f"{word}: {one_line}"


async def _recipients(
    calls: ServiceCalls, inputs: AnswerInput, parent: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Return who gets an answer, and who a copy."""
    to = addresses_in(*inputs.to)
    cc = addresses_in(*inputs.cc)
    writer = addresses_in(parent.get("reply-to") or parent.get("from", ""))
    if inputs.replyAll:
        me = str((await calls.object("GET", "profile")).get("emailAddress") or "").lower()
        others = addresses_in(parent.get("to", ""), parent.get("cc", ""))
        to = to or writer
        known = {address.lower() for address in bare([*to, *cc])} | {me}
        cc += [each for each in others if bare([each])[0].lower() not in known]
    to = to or writer
    if not to:
        raise ValueError("the mail that is answered does not say who wrote it")
    return to, cc
