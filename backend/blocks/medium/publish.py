"""PublishToMedium: a story at Medium."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any, Final

from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.services import Service, ServiceCalls, path_of

MEDIUM: Final = Service(provider="medium", name="Medium", url="https://api.medium.com/v1")
_MINE: Final = {"id": "mine", "provider": "medium", "type": "api_key"}
_STORY: Final = {
    "title": "Hello",
    "content": "# Hello",
    "content_format": "markdown",
    "tags": ["first"],
    "publish_status": "draft",
    "credentials": _MINE,
}
#: What the pin holds when nobody has said who the author is.
_NOBODY: Final = ("", "<secret>")


class PublishStatus(StrEnum):
    """Who may read a story."""

    PUBLIC = "public"
    DRAFT = "draft"
    UNLISTED = "unlisted"


class PublishToMediumBlock(Block):
    """Publishes a story at Medium."""

    id = "3f7b2dcb-4a78-4e3f-b0f1-88132e1b89df"
    categories = (Category.SOCIAL,)
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs=_STORY,
            outputs=[
                ("post_id", "story-1"),
                ("post_url", "https://medium.com/@ann/story-1"),
                ("published_at", 1769866620000),
            ],
        ),
        Example(
            inputs={**_STORY, "content_format": "word"},
            error="status 400: Content format was invalid",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        author_id: str = pin(
            default="<secret>",
            secret=True,
            description="The id of the author; not given: whose key it is.",
        )
        title: str = pin(description="The title.")
        content: str = pin(description="The story.")
        content_format: str = pin(description="`html` or `markdown`.")
        tags: list[str] = pin(description="Up to three words.")
        canonical_url: str | None = pin(default=None, description="Where it was published first.")
        publish_status: PublishStatus = pin(
            title="PublishToMediumStatus", description="Who may read it."
        )
        license: str = pin(default="all-rights-reserved", description="What others may do with it.")
        notify_followers: bool = pin(default=False, description="Tell who follows the author.")
        credentials: dict[str, Any] = credentials_pin(
            ["medium"], [CredentialsKind.KEY], description="An integration token of Medium."
        )

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        post_id: str = pin(description="The id of the story.")
        post_url: str = pin(description="The address of the story.")
        published_at: int = pin(description="When it was published, in milliseconds since 1970.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield what has become of the story."""
        calls = MEDIUM.calls(context, inputs.credentials)
        author = inputs.author_id if inputs.author_id not in _NOBODY else await _own_id(calls)
        answer = await calls.object(
            "POST",
            f"users/{path_of(author)}/posts",
            value={
                "title": inputs.title,
                "contentFormat": inputs.content_format,
                "content": inputs.content,
                "canonicalUrl": inputs.canonical_url,
                "tags": list(inputs.tags),
                "publishStatus": inputs.publish_status,
                "license": inputs.license,
                "notifyFollowers": inputs.notify_followers,
            },
        )
        story = answer.get("data")
        if not isinstance(story, dict) or "id" not in story:
            raise calls.nonsense("it names no story")
        yield "post_id", str(story["id"])
        yield "post_url", str(story.get("url") or "")
        # A draft is not published yet.
        yield "published_at", story.get("publishedAt") or 0


async def _own_id(calls: ServiceCalls) -> str:
    """Return the id of the author whose key it is."""
    answer = await calls.object("GET", "me")
    author = answer.get("data")
    if not isinstance(author, dict) or "id" not in author:
        raise calls.nonsense("it names no author")
    return str(author["id"])
