"""GitHub: reviews of pull requests, and what is said in them."""

from collections.abc import Mapping
from typing import Any, Final

from backend.blocks.github.service import (
    MINE,
    PULL,
    GithubBase,
    GithubListBase,
    InReview,
    in_repository,
    listed,
    login,
    repository,
)
from backend.sdk import Example, Json, pin, pins
from backend.sdk.calling import Makes, Sets
from backend.sdk.graphql import ask
from backend.sdk.services import MAX_PAGES, ServiceCalls
from backend.sdk.shapes import many, record

_IN: Final = {"repo": "ann/cats", "pr_number": 2, "credentials": MINE}
_EVENT: Final = {"enum": ["COMMENT", "APPROVE", "REQUEST_CHANGES"], "type": "string"}
_THREADS: Final = """
query($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 50, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { id comments(first: 100) { nodes { databaseId } } }
      }
    }
  }
}
"""
_SAID: Final = {
    "id": 31,
    "user": "cy",
    "body": "Why?",
    "path": "cat.py",
    "line": 1,
    "side": "RIGHT",
    "created_at": "2026-01-31T10:00:00Z",
    "updated_at": "2026-01-31T10:00:00Z",
    "in_reply_to_id": None,
    "html_url": f"{PULL}#discussion_r31",
}
_REVIEW: Final = {
    "id": 21,
    "user": "cy",
    "state": "APPROVED",
    "body": "Good",
    "html_url": f"{PULL}#pullrequestreview-21",
}


_REVIEW_SHAPE: Final = record({"id": int, "user": str, "state": str, "body": str, "html_url": str})
_COMMENT_SHAPE: Final = record(
    {
        "id": int,
        "user": str,
        "body": str,
        "path": str,
        "line": int,
        "side": str,
        "created_at": str,
        "updated_at": str,
        "in_reply_to_id": int | None,
        "html_url": str,
    }
)


def _path(inputs: InReview, *segments: str | int) -> str:
    return in_repository(inputs.repo, "pulls", inputs.pr_number, *segments)


class GithubCreatePRReviewBlock(Makes, GithubBase):
    """Reviews a pull request at GitHub, with comments at its lines; or begins to."""

    id = "84754b30-97d2-4c37-a3b8-eb39f268275b"
    examples = (
        Example(
            inputs={**_IN, "body": "Good", "event": "APPROVE"},
            outputs=[
                ("review_id", 22),
                ("state", "APPROVED"),
                ("html_url", f"{PULL}#pullrequestreview-22"),
            ],
        ),
        Example(
            inputs={**_IN, "body": "", "create_as_draft": True},
            outputs=[
                ("review_id", 22),
                ("state", "PENDING"),
                ("html_url", f"{PULL}#pullrequestreview-22"),
            ],
        ),
        Example(
            inputs={**_IN, "body": "x", "comments": [{"body": "no file"}]},
            error="a comment needs path and body",
        ),
    )

    @pins
    class Input(InReview):
        """Input pins."""

        body: str = pin(description="What it says, in Markdown.")
        event: str = pin(
            default="COMMENT", title="ReviewEvent", schema=_EVENT, description="What it comes to."
        )
        create_as_draft: bool = pin(
            default=False, advanced=False, description="It waits for more, and for being submitted."
        )
        comments: list[dict[str, Any]] | None = pin(
            default=None,
            schema={
                "anyOf": [
                    {
                        "items": {
                            "properties": {
                                "path": {"title": "Path", "type": "string"},
                                "position": {
                                    "anyOf": [{"type": "integer"}, {"type": "null"}],
                                    "title": "Position",
                                },
                                "body": {"title": "Body", "type": "string"},
                                "line": {
                                    "anyOf": [{"type": "integer"}, {"type": "null"}],
                                    "title": "Line",
                                },
                            },
                            "title": "ReviewComment",
                            "type": "object",
                        },
                        "type": "array",
                    },
                    {"type": "null"},
                ]
            },
            description="Comments at lines.",
        )

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        review_id: int = pin(description="Its id.")
        state: str = pin(description="How it stands.")
        html_url: str = pin(description="Its address.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Write it."""
        value: dict[str, Json] = {"body": inputs.body}
        if not inputs.create_as_draft:
            value["event"] = inputs.event
        if inputs.comments:
            value["comments"] = [_comment(each) for each in inputs.comments]
        made = await calls.object("POST", _path(inputs, "reviews"), value=value)
        return {
            "review_id": calls.need(made, int, "id"),
            "state": calls.need(made, str, "state"),
            "html_url": calls.need(made, str, "html_url"),
        }


def _comment(given: Mapping[str, Any]) -> dict[str, Json]:
    """Return a comment as the service takes it. Raises ValueError."""
    if not given.get("path") or not given.get("body"):
        raise ValueError("a comment needs path and body")
    names = ("path", "body", "position", "line", "side", "start_line", "start_side")
    found = {name: given[name] for name in names if given.get(name) is not None}
    if "position" in found:
        # The service takes one of the two ways of saying where, not both.
        found = {name: found[name] for name in ("path", "body", "position")}
    return found


class GithubSubmitPendingReviewBlock(Makes, GithubBase):
    """Submits a review at GitHub that was begun."""

    id = "2e468217-7ca0-4201-9553-36e93eb9357a"
    examples = (
        Example(
            inputs={**_IN, "review_id": 21, "event": "REQUEST_CHANGES"},
            outputs=[
                ("state", "CHANGES_REQUESTED"),
                ("html_url", f"{PULL}#pullrequestreview-21"),
            ],
        ),
        Example(inputs={**_IN, "review_id": 404}, error="status 404: Not Found"),
    )

    @pins
    class Input(InReview):
        """Input pins."""

        review_id: int = pin(description="Its id.")
        event: str = pin(
            default="COMMENT", title="ReviewEvent", schema=_EVENT, description="What it comes to."
        )

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        state: str = pin(description="How it stands.")
        html_url: str = pin(description="Its address.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Submit it."""
        path = _path(inputs, "reviews", inputs.review_id, "events")
        made = await calls.object("POST", path, value={"event": inputs.event})
        return {
            "state": calls.need(made, str, "state"),
            "html_url": calls.need(made, str, "html_url"),
        }


class GithubListPRReviewsBlock(GithubListBase):
    """Lists the reviews of a pull request at GitHub, the oldest first."""

    id = "f79bc6eb-33c0-4099-9c0f-d664ae1ba4d0"
    each, every = "review", "reviews"
    examples = (
        Example(inputs=_IN, outputs=[("reviews", [_REVIEW]), ("review", _REVIEW)]),
        Example(inputs={**_IN, "repo": "cats"}, error="'cats' is no repository"),
    )

    Input = InReview

    @pins
    class Output:
        """Output pins."""

        review: dict[str, Any] = pin(schema=_REVIEW_SHAPE, description="One of them.")
        reviews: list[dict[str, Any]] = pin(
            schema=many(_REVIEW_SHAPE, "ReviewItem"), description="All of them."
        )

    async def work(self, calls: ServiceCalls, inputs: InReview) -> list[dict[str, Any]]:
        """List them."""
        return [
            {
                "id": calls.need(each, int, "id"),
                "user": login(calls, each),
                "state": calls.need(each, str, "state"),
                "body": str(each.get("body") or ""),
                "html_url": calls.need(each, str, "html_url"),
            }
            for each in await listed(calls, _path(inputs, "reviews"))
        ]


class GithubGetPRReviewCommentsBlock(GithubListBase):
    """Lists what is said at the lines of a pull request at GitHub, in all reviews or in one."""

    id = "1d34db7f-10c1-45c1-9d43-749f743c8bd4"
    each, every = "comment", "comments"
    examples = (
        Example(inputs=_IN, outputs=[("comments", [_SAID]), ("comment", _SAID)]),
        Example(inputs={**_IN, "review_id": 22}, outputs=[("comments", [])]),
    )

    @pins
    class Input(InReview):
        """Input pins."""

        review_id: int | None = pin(default=None, description="The id of a review; not given: all.")

    @pins
    class Output:
        """Output pins."""

        comment: dict[str, Any] = pin(schema=_COMMENT_SHAPE, description="One of them.")
        comments: list[dict[str, Any]] = pin(
            schema=many(_COMMENT_SHAPE, "CommentItem"), description="All of them."
        )

    async def work(self, calls: ServiceCalls, inputs: Input) -> list[dict[str, Any]]:
        """List them."""
        if inputs.review_id is None:
            path = _path(inputs, "comments")
        else:
            path = _path(inputs, "reviews", inputs.review_id, "comments")
        return [
            {
                "id": calls.need(each, int, "id"),
                "user": login(calls, each),
                "body": str(each.get("body") or ""),
                "path": str(each.get("path") or ""),
                # Where the line is gone, it is told where it was.
                "line": int(each.get("line") or each.get("original_line") or 0),
                "side": str(each.get("side") or ""),
                "created_at": str(each.get("created_at") or ""),
                "updated_at": str(each.get("updated_at") or ""),
                "in_reply_to_id": each.get("in_reply_to_id"),
                "html_url": calls.need(each, str, "html_url"),
            }
            for each in await listed(calls, path)
        ]


class GithubResolveReviewDiscussionBlock(Sets, GithubBase):
    """Says at GitHub that what was said at a line of a pull request is settled, or is not."""

    id = "b4b8a38c-95ae-4c91-9ef8-c2cffaf2b5d1"
    examples = (
        Example(inputs={**_IN, "comment_id": 31}, outputs=[("success", True)]),
        Example(inputs={**_IN, "comment_id": 31, "resolve": False}, outputs=[("success", True)]),
        Example(inputs={**_IN, "comment_id": 404}, error="there is no comment 404"),
    )

    @pins
    class Input(InReview):
        """Input pins."""

        comment_id: int = pin(description="The id of a comment at the line.")
        resolve: bool = pin(default=True, description="Whether it is settled.")

    @pins
    class Output:
        """Output pins."""

        success: bool = pin(description="That it is said.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Find where it was said, and say it there."""
        thread = await _thread(calls, inputs, inputs.comment_id)
        verb = "resolveReviewThread" if inputs.resolve else "unresolveReviewThread"
        query = f"mutation($thread: ID!) {{ {verb}(input: {{threadId: $thread}}) {{ thread {{ id }} }} }}"
        found = await ask(calls, query, {"thread": thread})
        calls.need(found, str, verb, "thread", "id")
        return {"success": True}


async def _thread(calls: ServiceCalls, inputs: InReview, comment: int) -> str:
    """Return the id of the thread that has *comment*. Raises ValueError if none has."""
    owner, name = repository(inputs.repo)
    after: str | None = None
    for _ in range(MAX_PAGES):
        variables: dict[str, Json] = {
            "owner": owner,
            "name": name,
            "number": inputs.pr_number,
            "after": after,
        }
        found = await ask(calls, _THREADS, variables)
        threads = calls.need(found, dict, "repository", "pullRequest", "reviewThreads")
        for thread in calls.entries(threads, "nodes"):
            said = calls.entries(calls.need(thread, dict, "comments"), "nodes")
            if comment in [each.get("databaseId") for each in said]:
                return calls.need(thread, str, "id")
        after = threads.get("pageInfo", {}).get("endCursor")
        if not threads.get("pageInfo", {}).get("hasNextPage") or not after:
            break
    raise ValueError(f"there is no comment {comment} at a line of pull request {inputs.pr_number}")
