"""Mails from an account at Gmail: new ones, and answers that stay in their conversation."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from backend.blocks.google.gmail import EMAIL, MINE, calls_of
from backend.blocks.google.gmail_compose import (
    AnswerInput,
    MailInput,
    answer_of,
    handed_over,
    mail_of,
)
from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins
from backend.sdk.mail import Draft, bare


class GmailSendBlock(Block):
    """Sends a mail from an account at Gmail, with files if need be."""

    id = "6c27abc2-e51d-499e-a85f-5a0041ba94f0"
    categories = (Category.COMMUNICATION,)
    # Gmail cannot be asked with these rights whether it has a mail already.
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs={
                "to": ["bob@example.com"],
                "subject": "Hello",
                "body": "How are you?",
                "credentials": MINE,
            },
            outputs=[("result", {"id": "s1", "status": "sent"})],
        ),
        Example(
            inputs={
                "to": ["bob@example.com"],
                "subject": "Hello\nBcc: all@example.com",
                "body": "How are you?",
                "credentials": MINE,
            },
            error="may not hold line breaks",
        ),
    )

    Input = MailInput

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        result: dict[str, Any] = pin(
            title="GmailSendResult",
            description="The mail's id, and that it is sent.",
            schema={
                "properties": {
                    "id": {"title": "Id", "type": "string"},
                    "status": {"title": "Status", "type": "string"},
                },
                "required": ["id", "status"],
                "type": "object",
            },
        )

    async def run(self, inputs: MailInput, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Send it."""
        draft = await mail_of(inputs, context)
        sent = await handed_over(calls_of(context, inputs.credentials), draft)
        yield "result", {"id": sent["id"], "status": "sent"}


class GmailReplyBlock(Block):
    """Answers a mail from an account at Gmail, in the same conversation."""

    id = "12bf5a24-9b90-4f40-9090-4e86e6995e60"
    categories = (Category.COMMUNICATION,)
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs={
                "threadId": "t1",
                "parentMessageId": "m1",
                "body": "Very well",
                "credentials": MINE,
            },
            outputs=[
                ("messageId", "s1"),
                ("threadId", "t1"),
                ("message", {"id": "s1", "threadId": "t1", "labelIds": ["SENT"]}),
                (
                    "email",
                    {
                        "threadId": "t1",
                        "labelIds": ["SENT"],
                        "id": "s1",
                        "subject": "Re: Hello",
                        "snippet": "Very well",
                        "from_": "",
                        "to": ["bob@example.com"],
                        "cc": [],
                        "bcc": [],
                        "date": "2026-01-31T13:37:00+00:00",
                        "body": "Very well",
                        "sizeEstimate": 0,
                        "attachments": [],
                    },
                ),
            ],
        ),
        Example(
            inputs={
                "threadId": "t1",
                "parentMessageId": "gone",
                "body": "Very well",
                "credentials": MINE,
            },
            error="Requested entity was not found",
        ),
    )

    Input = AnswerInput

    @pins
    class Output:
        """Output pins."""

        messageId: str = pin(description="The answer.")
        threadId: str = pin(description="Its conversation.")
        message: dict[str, Any] = pin(description="What Gmail says of it.")
        email: dict[str, Any] = pin(description="The answer as a mail.", schema=EMAIL)

    async def run(
        self, inputs: AnswerInput, context: BlockContext
    ) -> AsyncIterator[tuple[str, Any]]:
        """Send it."""
        calls = calls_of(context, inputs.credentials)
        draft = await answer_of(calls, inputs)
        sent = await handed_over(calls, draft, inputs.threadId)
        yield "messageId", sent["id"]
        yield "threadId", str(sent.get("threadId") or inputs.threadId)
        yield "message", sent
        yield "email", _email(sent, draft, context)


def _email(sent: Mapping[str, Any], draft: Draft, context: BlockContext) -> dict[str, Any]:
    """Return the answer as it was sent; asking Gmail for it could fail, and it is sent."""
    return {
        "threadId": str(sent.get("threadId") or ""),
        "labelIds": [str(label) for label in sent.get("labelIds") or []],
        "id": str(sent.get("id")),
        "subject": draft.subject,
        "snippet": draft.text[:100],
        "from_": "",
        "to": bare(draft.to),
        "cc": bare(draft.cc),
        "bcc": bare(draft.bcc),
        "date": context.started.isoformat(),
        "body": draft.text,
        "sizeEstimate": 0,
        "attachments": [],
    }
