"""Drafts of mails at Gmail: new ones, and answers, for a person to look at and send."""

from collections.abc import AsyncIterator
from typing import Any

from backend.blocks.google.gmail import MINE, account_pin, calls_of
from backend.blocks.google.gmail_compose import (
    AnswerInput,
    MailInput,
    answer_of,
    handed_over,
    mail_of,
)
from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class GmailCreateDraftBlock(Block):
    """Writes a draft of a mail into an account at Gmail; a person may look at it and send it."""

    id = "e1eeead4-46cb-491e-8281-17b6b9c44a55"
    categories = (Category.COMMUNICATION,)
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs={
                "to": ["bob@example.com"],
                "subject": "Hello",
                "body": "How are you?",
                "credentials": MINE,
            },
            outputs=[("result", {"id": "r1", "message_id": "s1", "status": "draft_created"})],
        ),
        Example(
            inputs={"to": [], "subject": "Hello", "body": "", "credentials": MINE},
            error="nobody to go to",
        ),
    )

    @pins
    class Input(MailInput):
        """Input pins."""

        credentials: dict[str, Any] = account_pin("modify")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        result: dict[str, Any] = pin(
            title="GmailDraftResult",
            schema={
                "properties": {
                    "id": {"title": "Id", "type": "string"},
                    "message_id": {"title": "Message Id", "type": "string"},
                    "status": {"title": "Status", "type": "string"},
                },
                "required": ["id", "message_id", "status"],
                "type": "object",
            },
            description="The draft's id, that of its mail, and that it is there.",
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Write it."""
        calls = calls_of(context, inputs.credentials)
        made = await handed_over(calls, await mail_of(inputs, context), path="drafts")
        message_id = calls.need(made, str, "message", "id")
        yield "result", {"id": made["id"], "message_id": message_id, "status": "draft_created"}


class GmailDraftReplyBlock(Block):
    """Writes a draft of an answer to a mail, in the same conversation, into an account at Gmail."""

    id = "d7a9f3e2-8b4c-4d6f-9e1a-3c5b7f8d2a6e"
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
                ("draftId", "r1"),
                ("messageId", "s1"),
                ("threadId", "t1"),
                ("status", "draft_created"),
            ],
        ),
        Example(
            inputs={"threadId": "t1", "parentMessageId": "no", "body": "", "credentials": MINE},
            error="Requested entity was not found",
        ),
    )

    @pins
    class Input(AnswerInput):
        """Input pins."""

        credentials: dict[str, Any] = account_pin("modify", "readonly")

    @pins
    class Output:
        """Output pins."""

        draftId: str = pin(description="The draft.")
        messageId: str = pin(description="Its mail.")
        threadId: str = pin(description="The conversation.")
        status: str = pin(description="That it is there.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Write it."""
        calls = calls_of(context, inputs.credentials)
        draft = await answer_of(calls, inputs)
        made = await handed_over(calls, draft, inputs.threadId, path="drafts")
        yield "draftId", made["id"]
        yield "messageId", calls.need(made, str, "message", "id")
        yield "threadId", calls.need(made, str, "message", "threadId")
        yield "status", "draft_created"
