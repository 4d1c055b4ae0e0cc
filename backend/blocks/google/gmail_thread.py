"""A conversation at Gmail, and whose account it is."""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.google.gmail import EMAIL, MINE, account_pin, calls_of, email_of
from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins
from backend.sdk.services import path_of

_PROFILE: Final = {
    "emailAddress": "author@example.com",
    "messagesTotal": 2,
    "threadsTotal": 2,
    "historyId": "77",
}
_THREAD: Final[dict[str, Any]] = {
    "properties": {
        "id": {"title": "Id", "type": "string"},
        "messages": {
            "items": {**EMAIL, "title": "Email"},
            "title": "Messages",
            "type": "array",
        },
        "historyId": {"title": "Historyid", "type": "string"},
    },
    "required": ["id", "messages", "historyId"],
    "type": "object",
}


class GmailGetThreadBlock(Block):
    """Reads a conversation at Gmail: all of its mails, the oldest first."""

    id = "21a79166-9df7-4b5f-9f36-96f639d86112"
    categories = (Category.COMMUNICATION,)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"threadId": "t3", "credentials": MINE},
            outputs=[("thread", {"id": "t3", "historyId": "77", "messages": []})],
        ),
        Example(
            inputs={"threadId": "gone", "credentials": MINE},
            error="Requested entity was not found",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin("readonly")
        threadId: str = pin(description="The conversation.")

    @pins
    class Output:
        """Output pins."""

        thread: dict[str, Any] = pin(
            schema=_THREAD, description="The conversation, with its mails."
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield it."""
        calls = calls_of(context, inputs.credentials)
        path = path_of("threads", inputs.threadId)
        found = await calls.object("GET", path, query={"format": "full"})
        messages = calls.entries(found, "messages")
        yield (
            "thread",
            {
                "id": calls.need(found, str, "id"),
                "historyId": str(found.get("historyId") or ""),
                "messages": [email_of(message) for message in messages],
            },
        )


class GmailGetProfileBlock(Block):
    """Tells whose account at Gmail it is, and how much is in it."""

    id = "04b0d996-0908-4a4b-89dd-b9697ff253d3"
    categories = (Category.COMMUNICATION,)
    effect = Effect.READ
    retries = 2
    examples = (Example(inputs={"credentials": MINE}, outputs=[("profile", _PROFILE)]),)

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin("readonly")

    @pins
    class Output:
        """Output pins."""

        profile: dict[str, Any] = pin(
            schema={
                "properties": {
                    "emailAddress": {"title": "Emailaddress", "type": "string"},
                    "messagesTotal": {"title": "Messagestotal", "type": "integer"},
                    "threadsTotal": {"title": "Threadstotal", "type": "integer"},
                    "historyId": {"title": "Historyid", "type": "string"},
                },
                "required": ["emailAddress", "messagesTotal", "threadsTotal", "historyId"],
                "type": "object",
            },
            description="Its address, how many mails and conversations it has, and its state.",
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield it."""
        calls = calls_of(context, inputs.credentials)
        found = await calls.object("GET", "profile")
        yield (
            "profile",
            {
                "emailAddress": calls.need(found, str, "emailAddress"),
                "messagesTotal": int(found.get("messagesTotal") or 0),
                "threadsTotal": int(found.get("threadsTotal") or 0),
                "historyId": str(found.get("historyId") or ""),
            },
        )
