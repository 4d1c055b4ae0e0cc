"""Reddit: posts that are found, read, written, changed and taken away."""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.reddit.service import (
    MINE,
    POST,
    REDDIT,
    Account,
    RedditBase,
    RedditListBase,
    ask,
    author_of,
    community,
    full_name,
    link_to,
    one_thing,
    person,
    post_of,
    things,
)
from backend.sdk import BlockContext, Example, pin, pins
from backend.sdk.calling import Reads
from backend.sdk.services import Query, ServiceCalls
from backend.sdk.shapes import many, record

_PURR: Final = {"post_id": "p1", "subreddit": "cats", "title": "Purr", "body": "Why?"}
_HISS: Final = {"post_id": "p2", "subreddit": "cats", "title": "Hiss", "body": ""}
_URL: Final = "https://www.reddit.com/r/cats/comments/p1/purr/"
_POSTS: Final = many(POST, "RedditPost")
_BY_PEOPLE: Final = {"enum": ["new", "hot", "top", "controversial"], "type": "string"}
_SORT: Final = {"enum": ["relevance", "hot", "top", "new", "comments"], "type": "string"}
_TIME: Final = {"enum": ["all", "day", "hour", "month", "week", "year"], "type": "string"}
_FOUND: Final = {
    "id": "p1",
    "subreddit": "cats",
    "title": "Purr",
    "body": "Why?",
    "author": "ann",
    "score": 7,
    "num_comments": 1,
    "created_utc": 1769853600.0,
    "permalink": _URL,
}


_RESULT_SHAPE: Final = record(
    {
        "id": str,
        "subreddit": str,
        "title": str,
        "body": str,
        "author": str,
        "score": int,
        "num_comments": int,
        "created_utc": float,
        "permalink": str,
    }
)


class GetRedditPostsBlock(Reads, RedditBase):
    """Reads the newest posts of a community at Reddit."""

    id = "c6731acb-4285-4ee1-bc9b-03d0766c370f"
    examples = (
        Example(
            inputs={"subreddit": "cats", "post_limit": 2, "credentials": MINE},
            outputs=[("post", _PURR), ("post", _HISS), ("posts", [_PURR, _HISS])],
        ),
        Example(
            inputs={"subreddit": "r/cats", "last_post": "t3_p2", "credentials": MINE},
            outputs=[("post", _PURR), ("posts", [_PURR])],
        ),
        Example(
            inputs={"subreddit": "cats", "last_minutes": 400, "credentials": MINE},
            outputs=[("post", _PURR), ("posts", [_PURR])],
        ),
        Example(
            inputs={"subreddit": "a/b", "credentials": MINE}, error="is no name of a community"
        ),
        Example(inputs={"subreddit": "gone", "credentials": MINE}, error="status 404: Not Found"),
    )

    @pins
    class Input(Account):
        """Input pins."""

        subreddit: str = pin(
            default="writingprompts",
            advanced=False,
            description="The community, with or without r/ before it.",
        )
        last_minutes: int | None = pin(default=None, description="Only posts of so many minutes.")
        last_post: str | None = pin(
            default=None, description="Only posts after this one, by its id."
        )
        post_limit: int | None = pin(default=10, description="How many at the most; 1,000 at all.")

    @pins
    class Output:
        """Output pins."""

        post: dict[str, Any] = pin(title="RedditPost", schema=POST, description="A post.")
        posts: list[dict[str, Any]] = pin(
            schema=_POSTS, description="All of them, the newest first."
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield each, then all."""
        calls = REDDIT.calls(context, inputs.credentials)
        known = full_name("t3", inputs.last_post) if inputs.last_post else ""
        since = 0.0
        if inputs.last_minutes:
            since = context.started.timestamp() - 60 * inputs.last_minutes
        path = f"{community(inputs.subreddit)}/new"
        posts = []
        for found in await things(calls, path, most=inputs.post_limit or 10):
            if f"t3_{found.get('id')}" == known or float(found.get("created_utc") or 0) < since:
                break
            posts.append(post_of(calls, found))
            yield "post", posts[-1]
        yield "posts", posts


class GetRedditPostBlock(Reads, RedditBase):
    """Reads a post at Reddit."""

    id = "36e6a259-168c-4032-83ec-b2935d0e4584"
    examples = (
        Example(
            inputs={"post_id": "p1", "credentials": MINE},
            outputs=[
                (
                    "post",
                    {
                        **_FOUND,
                        "upvote_ratio": 0.9,
                        "url": _URL,
                        "is_self": True,
                        "over_18": False,
                    },
                )
            ],
        ),
        Example(inputs={"post_id": "gone", "credentials": MINE}, error="there is nothing t3_gone"),
        Example(inputs={"post_id": "t1_c1", "credentials": MINE}, error="is no id of Reddit"),
    )

    @pins
    class Input(Account):
        """Input pins."""

        post_id: str = pin(description="The post.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        post: dict[str, Any] = pin(
            title="RedditPostDetails",
            schema=record(
                {
                    "id": str,
                    "subreddit": str,
                    "title": str,
                    "body": str,
                    "author": str,
                    "score": int,
                    "upvote_ratio": float,
                    "num_comments": int,
                    "created_utc": float,
                    "url": str,
                    "permalink": str,
                    "is_self": bool,
                    "over_18": bool,
                }
            ),
            description="The post.",
        )

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Read it."""
        found = await one_thing(calls, full_name("t3", inputs.post_id))
        return {
            "post": {
                **_in_short(calls, found),
                "upvote_ratio": float(found.get("upvote_ratio") or 0),
                "url": str(found.get("url") or ""),
                "is_self": bool(found.get("is_self")),
                "over_18": bool(found.get("over_18")),
            }
        }


def _in_short(calls: ServiceCalls, found: dict[str, Any]) -> dict[str, Any]:
    post = post_of(calls, found)
    return {
        "id": post.pop("post_id"),
        **post,
        "author": author_of(found),
        "score": int(found.get("score") or 0),
        "num_comments": int(found.get("num_comments") or 0),
        "created_utc": float(found.get("created_utc") or 0),
        "permalink": link_to(found),
    }


class SearchRedditBlock(RedditListBase):
    """Searches posts at Reddit, everywhere or in one community."""

    id = "4a0c975e-807b-4d5e-83c9-1619864a4b1a"
    each, every = "result", "results"
    examples = (
        Example(
            inputs={"query": "purr", "subreddit": "cats", "limit": 1, "credentials": MINE},
            outputs=[("results", [_FOUND]), ("result", _FOUND)],
        ),
        Example(inputs={"query": " ", "credentials": MINE}, error="nothing to search for"),
    )

    @pins
    class Input(Account):
        """Input pins."""

        query: str = pin(description="What to search for.")
        subreddit: str | None = pin(
            default=None, description="The community; not given: everywhere."
        )
        sort: str = pin(default="relevance", schema=_SORT, description="What stands first.")
        time_filter: str = pin(default="all", schema=_TIME, description="How old it may be.")
        limit: int = pin(default=10, description="How many at the most.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        result: dict[str, Any] = pin(
            title="RedditSearchResult", schema=_RESULT_SHAPE, description="A post."
        )
        results: list[dict[str, Any]] = pin(
            schema=many(_RESULT_SHAPE, "RedditSearchResult"), description="All of them."
        )

    async def work(self, calls: ServiceCalls, inputs: Input) -> list[dict[str, Any]]:
        """Search."""
        if not inputs.query.strip():
            raise ValueError("there is nothing to search for")
        query: Query = {
            "q": inputs.query,
            "sort": inputs.sort,
            "t": inputs.time_filter,
            "type": "link",
            "restrict_sr": bool(inputs.subreddit),
        }
        root = f"{community(inputs.subreddit)}/" if inputs.subreddit else ""
        found = await things(calls, f"{root}search", most=inputs.limit, query=query)
        return [_in_short(calls, each) for each in found]


class GetUserPostsBlock(RedditListBase):
    """Reads what somebody has posted at Reddit."""

    id = "6fbe6329-d13e-4d2e-bd4d-b4d921b56161"
    each, every = "post", "posts"
    examples = (
        Example(
            inputs={"username": "u/ann", "post_limit": 1, "credentials": MINE},
            outputs=[("posts", [_PURR]), ("post", _PURR)],
        ),
        Example(inputs={"username": "nobody", "credentials": MINE}, error="status 404: Not Found"),
    )

    @pins
    class Input(Account):
        """Input pins."""

        username: str = pin(description="Who it is.")
        post_limit: int = pin(default=10, description="How many at the most.")
        sort: str = pin(default="new", schema=_BY_PEOPLE, description="What stands first.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        post: dict[str, Any] = pin(title="RedditPost", schema=POST, description="A post.")
        posts: list[dict[str, Any]] = pin(schema=_POSTS, description="All of them.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> list[dict[str, Any]]:
        """Read it."""
        return await _posts_of(calls, inputs.username, inputs)


class RedditGetMyPostsBlock(RedditListBase):
    """Reads what the account itself has posted at Reddit."""

    id = "4ab3381b-0c07-4201-89b3-fa2ec264f154"
    each, every = "post", "posts"
    examples = (
        Example(
            inputs={"post_limit": 2, "credentials": MINE},
            outputs=[("posts", [_PURR, _HISS]), ("post", _PURR), ("post", _HISS)],
        ),
    )

    @pins
    class Input(Account):
        """Input pins."""

        post_limit: int = pin(default=10, description="How many at the most.")
        sort: str = pin(default="new", schema=_BY_PEOPLE, description="What stands first.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        post: dict[str, Any] = pin(title="RedditPost", schema=POST, description="A post.")
        posts: list[dict[str, Any]] = pin(schema=_POSTS, description="All of them.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> list[dict[str, Any]]:
        """Ask who it is, and read it."""
        me = calls.need(await ask(calls, "api/v1/me"), str, "name")
        return await _posts_of(calls, me, inputs)


async def _posts_of(calls: ServiceCalls, name: str, inputs: Any) -> list[dict[str, Any]]:
    path, query = f"{person(name)}/submitted", {"sort": inputs.sort}
    found = await things(calls, path, most=inputs.post_limit, query=query)
    return [post_of(calls, each) for each in found]
