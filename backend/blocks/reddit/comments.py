"""Reddit: comments at posts, and answers to them."""

from typing import Any, Final

from backend.blocks.reddit.service import (
    COMMENT,
    MINE,
    Account,
    RedditBase,
    RedditListBase,
    ask,
    comment_of,
    full_name,
    inside,
    one_thing,
    send,
)
from backend.sdk import Example, pin, pins
from backend.sdk.calling import Makes, Reads, Sets
from backend.sdk.services import Query, ServiceCalls, path_of
from backend.sdk.shapes import many

_COMMENTS: Final = many(COMMENT, "RedditComment")
_SORT: Final = {"enum": ["best", "top", "new", "controversial", "old", "qa"], "type": "string"}
_MOST: Final = 500
_SAID: Final = {
    "comment_id": "c1",
    "post_id": "p1",
    "parent_comment_id": None,
    "author": "bob",
    "body": "Because",
    "score": 3,
    "created_utc": 1769853660.0,
    "edited": False,
    "is_submitter": False,
    "permalink": "https://www.reddit.com/r/cats/comments/p1/purr/c1/",
    "depth": 0,
}
_ANSWER: Final = {
    **_SAID,
    "comment_id": "c2",
    "parent_comment_id": "c1",
    "author": "[deleted]",
    "edited": True,
    "permalink": "https://www.reddit.com/r/cats/comments/p1/purr/c2/",
    "depth": 1,
}


class PostRedditCommentBlock(Makes, RedditBase):
    """Writes a comment at a post at Reddit."""

    id = "4a92261b-701e-4ffb-8970-675fd28e261f"
    examples = (
        Example(
            inputs={"post_id": "p1", "comment": "Meow", "credentials": MINE},
            outputs=[("comment_id", "new"), ("post_id", "p1")],
        ),
        Example(
            inputs={"post_id": "p1", "comment": "", "credentials": MINE},
            error="Reddit answers: NO_TEXT: we need something here",
        ),
    )

    @pins
    class Input(Account):
        """Input pins."""

        post_id: str = pin(description="The post.")
        comment: str = pin(description="What it says, in Markdown.")

    @pins
    class Output:
        """Output pins."""

        comment_id: str = pin(description="The comment.")
        post_id: str = pin(description="The post.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Write it."""
        post = full_name("t3", inputs.post_id)
        return {"comment_id": await _said(calls, post, inputs.comment), "post_id": post[3:]}


class ReplyToRedditCommentBlock(Makes, RedditBase):
    """Answers a comment at Reddit."""

    id = "7635b059-3a9f-4f7d-b499-1b56c4f76f4f"
    examples = (
        Example(
            inputs={"comment_id": "t1_c1", "reply_text": "Meow", "credentials": MINE},
            outputs=[("comment_id", "new"), ("parent_comment_id", "c1")],
        ),
    )

    @pins
    class Input(Account):
        """Input pins."""

        comment_id: str = pin(description="The comment.")
        reply_text: str = pin(description="What the answer says, in Markdown.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        comment_id: str = pin(description="The answer.")
        parent_comment_id: str = pin(description="The comment.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Write it."""
        parent = full_name("t1", inputs.comment_id)
        made = await _said(calls, parent, inputs.reply_text)
        return {"comment_id": made, "parent_comment_id": parent[3:]}


async def _said(calls: ServiceCalls, parent: str, text: str) -> str:
    """Write a comment below *parent*; return its id."""
    made = await send(calls, "api/comment", {"thing_id": parent, "text": text})
    [thing] = calls.entries(made, "things")[:1] or [{}]
    return calls.need(thing, str, "data", "id")


class GetRedditCommentBlock(Reads, RedditBase):
    """Reads a comment at Reddit."""

    id = "72cb311a-5998-4e0a-9bc4-f1b67a97284e"
    examples = (
        Example(inputs={"comment_id": "c1", "credentials": MINE}, outputs=[("comment", _SAID)]),
        Example(
            inputs={"comment_id": "gone", "credentials": MINE}, error="there is nothing t1_gone"
        ),
    )

    @pins
    class Input(Account):
        """Input pins."""

        comment_id: str = pin(description="The comment.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        comment: dict[str, Any] = pin(
            title="RedditComment", schema=COMMENT, description="The comment."
        )

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Read it."""
        found = await one_thing(calls, full_name("t1", inputs.comment_id))
        return {"comment": comment_of(calls, found)}


class GetRedditPostCommentsBlock(RedditListBase):
    """Reads the comments at a post at Reddit, without the answers to them."""

    id = "98422b2c-c3b0-4d70-871f-56bd966f46da"
    each, every = "comment", "comments"
    also = ("post_id",)
    examples = (
        Example(
            inputs={"post_id": "p1", "credentials": MINE},
            outputs=[("comments", [_SAID]), ("comment", _SAID), ("post_id", "p1")],
        ),
    )

    @pins
    class Input(Account):
        """Input pins."""

        post_id: str = pin(description="The post.")
        limit: int = pin(default=25, description="How many at the most; 500 at all.")
        sort: str = pin(default="best", schema=_SORT, description="What stands first.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        comment: dict[str, Any] = pin(
            title="RedditComment", schema=COMMENT, description="A comment."
        )
        comments: list[dict[str, Any]] = pin(schema=_COMMENTS, description="All of them.")
        post_id: str = pin(description="The post.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> list[dict[str, Any]]:
        """Read them."""
        sort = "confidence" if inputs.sort == "best" else inputs.sort
        query: Query = {"limit": _limit(inputs.limit), "depth": 1, "sort": sort}
        found = await _below(calls, inputs.post_id, query)
        return [comment_of(calls, each) for each in found[: inputs.limit]]


class GetRedditCommentRepliesBlock(RedditListBase):
    """Reads the answers to a comment at Reddit."""

    id = "7fa83965-7289-432f-98a9-1575f5bcc8f1"
    each, every = "reply", "replies"
    also = ("comment_id", "post_id")
    examples = (
        Example(
            inputs={"comment_id": "c1", "post_id": "p1", "credentials": MINE},
            outputs=[
                ("replies", [_ANSWER]),
                ("reply", _ANSWER),
                ("comment_id", "c1"),
                ("post_id", "p1"),
            ],
        ),
        Example(
            inputs={"comment_id": "c1", "post_id": "p1", "limit": 0, "credentials": MINE},
            error="the limit is 1 at least",
        ),
    )

    @pins
    class Input(Account):
        """Input pins."""

        comment_id: str = pin(description="The comment.")
        post_id: str = pin(description="The post at which it is.")
        limit: int = pin(default=10, description="How many at the most; 500 at all.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        reply: dict[str, Any] = pin(title="RedditComment", schema=COMMENT, description="An answer.")
        replies: list[dict[str, Any]] = pin(schema=_COMMENTS, description="All of them.")
        comment_id: str = pin(description="The comment.")
        post_id: str = pin(description="The post.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> list[dict[str, Any]]:
        """Read them: the service gives the comment with what is below it."""
        comment = full_name("t1", inputs.comment_id)[3:]
        query: Query = {"comment": comment, "limit": _limit(inputs.limit), "depth": 2}
        found = await _below(calls, inputs.post_id, query)
        # Where there are none, the service puts an empty text in the place of a list.
        lists = [each["replies"] for each in found if each.get("replies")]
        answers = [answer for each in lists for answer in inside(calls, each, "t1")]
        return [comment_of(calls, each) for each in answers[: inputs.limit]]


def _limit(limit: int) -> int:
    if limit < 1:
        raise ValueError("the limit is 1 at least")
    return min(limit, _MOST)


async def _below(calls: ServiceCalls, post: str, query: Query) -> list[dict[str, Any]]:
    """Return the comments of a post that the service gives at once."""
    found = await ask(calls, path_of("comments", full_name("t3", post)[3:]), query)
    if not isinstance(found, list) or len(found) < 2:  # noqa: PLR2004 - the post, its comments
        raise calls.nonsense("it is no post with comments")
    return inside(calls, found[1], "t1")


class DeleteRedditCommentBlock(Sets, RedditBase):
    """Deletes a comment of the account at Reddit."""

    id = "2650584d-434f-46db-81ef-26c8d8d41f81"
    examples = (
        Example(
            inputs={"comment_id": "c1", "credentials": MINE},
            outputs=[("success", True), ("comment_id", "c1")],
        ),
    )

    @pins
    class Input(Account):
        """Input pins."""

        comment_id: str = pin(description="The comment.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        success: bool = pin(description="That it is done.")
        comment_id: str = pin(description="The comment.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Delete it."""
        name = full_name("t1", inputs.comment_id)
        await send(calls, "api/del", {"id": name})
        return {"success": True, "comment_id": name[3:]}
