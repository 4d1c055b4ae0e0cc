"""GmailRead: mails of an account that a search finds."""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.google.gmail import EMAIL, MINE, account_pin, calls_of, email_of, message_at
from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins
from backend.sdk.services import Query, pages

MOST_MAILS: Final = 500
_PAGE: Final = 100
_HELLO: Final = {
    "threadId": "t1",
    "labelIds": ["INBOX", "UNREAD"],
    "id": "m1",
    "subject": "Hello",
    "snippet": "How are you?",
    "from_": "bob@example.com",
    "to": ["author@example.com"],
    "cc": [],
    "bcc": [],
    "date": "Fri, 30 Jan 2026 10:00:00 +0000",
    "body": "How are you?",
    "sizeEstimate": 2048,
    "attachments": [
        {
            "filename": "plan.pdf",
            "content_type": "application/pdf",
            "size": 1024,
            "attachment_id": "a1",
        }
    ],
}


class GmailReadBlock(Block):
    """Reads mails of an account at Gmail: those that a search finds, the newest first."""

    id = "25310c70-b89b-43ba-b25c-4dfa7e2a481c"
    categories = (Category.COMMUNICATION,)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"max_results": 1, "credentials": MINE},
            outputs=[("email", _HELLO), ("emails", [_HELLO])],
        ),
        Example(
            inputs={"query": "from:nobody", "credentials": MINE},
            outputs=[("emails", [])],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin("readonly")
        query: str = pin(default="is:unread", description="A search, as in Gmail itself.")
        max_results: int = pin(default=10, description="How many at the most; 500 at all.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        email: dict[str, Any] = pin(description="A mail.", schema=EMAIL)
        emails: list[dict[str, Any]] = pin(
            description="All of them.",
            schema={"items": {**EMAIL, "title": "Email"}, "type": "array"},
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield each mail, then all."""
        most = min(inputs.max_results, MOST_MAILS)
        if most < 1:
            raise ValueError("max_results is 1 at least")
        calls = calls_of(context, inputs.credentials)

        async def page(mark: str | None) -> tuple[list[Any], str | None]:
            query: Query = {"q": inputs.query, "maxResults": min(most, _PAGE), "pageToken": mark}
            answer: Any = await calls.object("GET", "messages", query=query)
            if "messages" not in answer and "resultSizeEstimate" not in answer:
                raise calls.nonsense("it is no list of mails")
            return answer.get("messages") or [], answer.get("nextPageToken")

        emails = []
        for found in await pages(page, most=most):
            email = email_of(await message_at(calls, str(found.get("id"))))
            yield "email", email
            emails.append(email)
        yield "emails", emails
