"""Reddit: posts of the account that are written, changed and taken away."""

from typing import Any, Final

from backend.blocks.reddit.service import (
    MINE,
    Account,
    InCommunity,
    RedditBase,
    community,
    full_name,
    link_to,
    send,
)
from backend.sdk import Example, pin, pins
from backend.sdk.calling import Makes, Sets
from backend.sdk.services import ServiceCalls

_URL: Final = "https://www.reddit.com/r/cats/comments/p1/purr/"


class CreateRedditPostBlock(Makes, RedditBase):
    """Posts in a community at Reddit: a text or a link."""

    id = "f3a2b1c0-8d7e-4f6a-9b5c-1234567890ab"
    examples = (
        Example(
            inputs={"subreddit": "cats", "title": "Meow", "content": "!", "credentials": MINE},
            outputs=[
                ("post_id", "new"),
                ("post_url", "https://www.reddit.com/r/cats/comments/new/meow/"),
                ("subreddit", "cats"),
            ],
        ),
        Example(
            inputs={"subreddit": "quiet", "title": "Meow", "credentials": MINE},
            error="Reddit answers: RATELIMIT: take a break",
        ),
        Example(
            inputs={"subreddit": "cats", "title": "", "credentials": MINE},
            error="Reddit answers: NO_TEXT: we need something here",
        ),
    )

    @pins
    class Input(InCommunity):
        """Input pins."""

        title: str = pin(description="What stands above it.")
        content: str = pin(default="", description="The text, in Markdown.")
        url: str | None = pin(
            default=None, description="The link; given, it is posted in place of the text."
        )
        flair_id: str | None = pin(
            default=None, description="The flair of the community that it gets."
        )
        flair_text: str | None = pin(
            default=None, description="What the flair says, if that may be chosen."
        )

    @pins
    class Output:
        """Output pins."""

        post_id: str = pin(description="The post.")
        post_url: str = pin(description="Its address.")
        subreddit: str = pin(description="The community.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Post it."""
        name = community(inputs.subreddit).removeprefix("r/")
        body = (
            {"kind": "link", "url": inputs.url}
            if inputs.url
            else {
                "kind": "self",
                "text": inputs.content,
            }
        )
        flair = {"flair_id": inputs.flair_id, "flair_text": inputs.flair_text}
        fields = {
            "sr": name,
            "title": inputs.title,
            **body,
            **{word: value for word, value in flair.items() if value},
        }
        made = await send(calls, "api/submit", fields)
        return {
            "post_id": calls.need(made, str, "id"),
            "post_url": calls.need(made, str, "url"),
            "subreddit": name,
        }


class EditRedditPostBlock(Sets, RedditBase):
    """Changes the text of a post of the account at Reddit."""

    id = "cdb9df0f-8b1d-433e-873a-ededc1b6479d"
    examples = (
        Example(
            inputs={"post_id": "p1", "new_content": "Because", "credentials": MINE},
            outputs=[("success", True), ("post_id", "p1"), ("post_url", _URL)],
        ),
    )

    @pins
    class Input(Account):
        """Input pins."""

        post_id: str = pin(description="The post.")
        new_content: str = pin(description="What it says now, in Markdown.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        success: bool = pin(description="That it is done.")
        post_id: str = pin(description="The post.")
        post_url: str = pin(description="Its address.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Change it."""
        name = full_name("t3", inputs.post_id)
        fields = {"thing_id": name, "text": inputs.new_content}
        made = await send(calls, "api/editusertext", fields)
        [thing] = calls.entries(made, "things")[:1] or [{}]
        return {
            "success": True,
            "post_id": name[3:],
            "post_url": link_to(calls.need(thing, dict, "data")),
        }


class DeleteRedditPostBlock(Sets, RedditBase):
    """Deletes a post of the account at Reddit."""

    id = "72e4730a-d66d-4785-8e54-5ab3af450c81"
    examples = (
        Example(
            inputs={"post_id": "t3_p1", "credentials": MINE},
            outputs=[("success", True), ("post_id", "p1")],
        ),
    )

    @pins
    class Input(Account):
        """Input pins."""

        post_id: str = pin(description="The post.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        success: bool = pin(description="That it is done.")
        post_id: str = pin(description="The post.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Delete it."""
        name = full_name("t3", inputs.post_id)
        await send(calls, "api/del", {"id": name})
        return {"success": True, "post_id": name[3:]}
