"""GitHub: issues, what is said at them, who works at them."""

from typing import Any, Final

from backend.blocks.github.service import (
    ISSUE,
    MINE,
    REPOSITORY,
    Account,
    AtIssue,
    Done,
    GithubBase,
    GithubListBase,
    InRepository,
    Made,
    in_repository,
    issue_path,
    listed,
    login,
    numbered,
)
from backend.sdk import Example, Json, pin, pins
from backend.sdk.calling import Makes, Reads, Sets
from backend.sdk.services import ServiceCalls
from backend.sdk.shapes import many, record

_COMMENT: Final = "#issuecomment-"
_GONE: Final = f"{REPOSITORY}/issues/404"
_AT: Final = {"issue_url": ISSUE, "credentials": MINE}
_SAID: Final = {"id": 11, "body": "Yes", "user": "bob", "url": f"{ISSUE}{_COMMENT}11"}


_ISSUE_SHAPE: Final = record({"title": str, "url": str})
_COMMENT_SHAPE: Final = record({"id": int, "body": str, "user": str, "url": str})


@pins
class _Comment:
    """A comment that is there now."""

    error: str = pin(description="What went wrong.")
    id: int = pin(description="Its id.")
    url: str = pin(description="Its address.")


def _of_comment(calls: ServiceCalls, found: Any) -> dict[str, Any]:
    return {"id": calls.need(found, int, "id"), "url": calls.need(found, str, "html_url")}


class GithubMakeIssueBlock(Makes, GithubBase):
    """Opens an issue in a repository at GitHub."""

    id = "691dad47-f494-44c3-a1e8-05b7990f2dab"
    examples = (
        Example(
            inputs={"repo_url": REPOSITORY, "title": "It purrs", "body": "", "credentials": MINE},
            outputs=[("number", 7), ("url", f"{REPOSITORY}/issues/7")],
        ),
        Example(
            inputs={
                "repo_url": "https://github.com/ann",
                "title": "x",
                "body": "",
                "credentials": MINE,
            },
            error="is no repository, such as",
        ),
    )

    @pins
    class Input(InRepository):
        """Input pins."""

        title: str = pin(description="What it is called.")
        body: str = pin(description="What it says, in Markdown.")

    Output = Made

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Open it."""
        value: Json = {"title": inputs.title, "body": inputs.body}
        made = await calls.object("POST", in_repository(inputs.repo_url, "issues"), value=value)
        return {
            "number": calls.need(made, int, "number"),
            "url": calls.need(made, str, "html_url"),
        }


class GithubReadIssueBlock(Reads, GithubBase):
    """Reads an issue at GitHub."""

    id = "6443c75d-032a-4772-9c08-230c707c8acc"
    examples = (
        Example(inputs=_AT, outputs=[("title", "It meows"), ("body", "Loudly"), ("user", "ann")]),
        Example(
            inputs={"issue_url": _GONE, "credentials": MINE},
            error="GitHub answers with status 404: Not Found",
        ),
    )

    Input = AtIssue

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        title: str = pin(description="What it is called.")
        body: str = pin(description="What it says.")
        user: str = pin(description="Who opened it.")

    async def work(self, calls: ServiceCalls, inputs: AtIssue) -> dict[str, Any]:
        """Read it."""
        found = await calls.object("GET", issue_path(inputs.issue_url))
        return {
            "title": calls.need(found, str, "title"),
            "body": str(found.get("body") or ""),
            "user": login(calls, found),
        }


class GithubListIssuesBlock(GithubListBase):
    """Lists the open issues of a repository at GitHub, the newest first; 1,000 at the most."""

    id = "c215bfd7-0e57-4573-8f8c-f7d4963dcd74"
    each, every = "issue", "issues"
    examples = (
        Example(
            inputs={"repo_url": "ann/cats", "credentials": MINE},
            outputs=[
                ("issues", [{"title": "It meows", "url": ISSUE}]),
                ("issue", {"title": "It meows", "url": ISSUE}),
            ],
        ),
    )

    Input = InRepository

    @pins
    class Output:
        """Output pins."""

        issue: dict[str, Any] = pin(schema=_ISSUE_SHAPE, description="One of them.")
        issues: list[dict[str, Any]] = pin(
            schema=many(_ISSUE_SHAPE, "IssueItem"), description="All of them."
        )

    async def work(self, calls: ServiceCalls, inputs: InRepository) -> list[dict[str, Any]]:
        """List them; GitHub counts pull requests among them, and we do not."""
        found = await listed(calls, in_repository(inputs.repo_url, "issues"))
        return [
            {"title": calls.need(each, str, "title"), "url": calls.need(each, str, "html_url")}
            for each in found
            if "pull_request" not in each
        ]


class GithubCommentBlock(Makes, GithubBase):
    """Writes a comment at an issue or a pull request at GitHub."""

    id = "a8db4d8d-db1c-4a25-a1b0-416a8c33602b"
    examples = (
        Example(
            inputs={**_AT, "comment": "Indeed"},
            outputs=[("id", 11), ("url", f"{ISSUE}{_COMMENT}11")],
        ),
        Example(
            inputs={"issue_url": REPOSITORY, "comment": "x", "credentials": MINE},
            error="names no number, such as",
        ),
    )

    @pins
    class Input(AtIssue):
        """Input pins."""

        comment: str = pin(description="What it says, in Markdown.")

    Output = _Comment

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Write it."""
        path = issue_path(inputs.issue_url, "comments")
        return _of_comment(calls, await calls.object("POST", path, value={"body": inputs.comment}))


class GithubUpdateCommentBlock(Sets, GithubBase):
    """Changes a comment at an issue or a pull request at GitHub."""

    id = "b3f4d747-10e3-4e69-8c51-f2be1d99c9a7"
    examples = (
        Example(
            inputs={
                "comment_url": f"{ISSUE}{_COMMENT}11",
                "comment": "Not at all",
                "credentials": MINE,
            },
            outputs=[("id", 11), ("url", f"{ISSUE}{_COMMENT}11")],
        ),
        Example(
            inputs={**_AT, "comment_id": "11", "comment": "Not at all"},
            outputs=[("id", 11), ("url", f"{ISSUE}{_COMMENT}11")],
        ),
        Example(inputs={"comment": "x", "credentials": MINE}, error="which comment it is"),
    )

    @pins
    class Input(Account):
        """Input pins."""

        comment_url: str = pin(default="", advanced=False, description="Its address.")
        issue_url: str = pin(default="", description="Or the address of the issue,")
        comment_id: str = pin(default="", description="and the comment's id.")
        comment: str = pin(description="What it says now, in Markdown.")

    Output = _Comment

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Change it."""
        place, mark, number = inputs.comment_url.strip().rpartition(_COMMENT)
        if not mark:
            place, number = inputs.issue_url, inputs.comment_id.strip()
        if not (place and number.isdecimal()):
            raise ValueError("say by its address, or by issue and id, which comment it is")
        repo, _ = numbered(place, "issues", "pull", "pulls")
        path = in_repository(repo, "issues", "comments", number)
        found = await calls.object("PATCH", path, value={"body": inputs.comment})
        return _of_comment(calls, found)


class GithubListCommentsBlock(GithubListBase):
    """Lists the comments at an issue or a pull request at GitHub, the oldest first."""

    id = "c4b5fb63-0005-4a11-b35a-0c2467bd6b59"
    each, every = "comment", "comments"
    examples = (
        Example(
            inputs=_AT,
            outputs=[
                ("comments", [_SAID]),
                ("comment", _SAID),
            ],
        ),
    )

    Input = AtIssue

    @pins
    class Output:
        """Output pins."""

        comment: dict[str, Any] = pin(schema=_COMMENT_SHAPE, description="One of them.")
        comments: list[dict[str, Any]] = pin(
            schema=many(_COMMENT_SHAPE, "CommentItem"), description="All of them."
        )

    async def work(self, calls: ServiceCalls, inputs: AtIssue) -> list[dict[str, Any]]:
        """List them."""
        return [
            {
                **_of_comment(calls, each),
                "body": str(each.get("body") or ""),
                "user": login(calls, each),
            }
            for each in await listed(calls, issue_path(inputs.issue_url, "comments"))
        ]


class GithubAddLabelBlock(Sets, GithubBase):
    """Puts a label on an issue or a pull request at GitHub."""

    id = "98bd6b77-9506-43d5-b669-6b9733c4b1f1"
    examples = (
        Example(inputs={**_AT, "label": "bug"}, outputs=[("status", "Label added successfully")]),
    )

    @pins
    class Input(AtIssue):
        """Input pins."""

        label: str = pin(description="The label.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Put it on."""
        path = issue_path(inputs.issue_url, "labels")
        await calls.json("POST", path, value={"labels": [inputs.label]})
        return {"status": "Label added successfully"}


class GithubRemoveLabelBlock(Sets, GithubBase):
    """Takes a label off an issue or a pull request at GitHub."""

    id = "78f050c5-3e3a-48c0-9e5b-ef1ceca5589c"
    examples = (
        Example(inputs={**_AT, "label": "bug"}, outputs=[("status", "Label removed successfully")]),
        Example(inputs={**_AT, "label": "gone"}, error="status 404: Label does not exist"),
    )

    @pins
    class Input(AtIssue):
        """Input pins."""

        label: str = pin(description="The label.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Take it off."""
        await calls.send("DELETE", issue_path(inputs.issue_url, "labels", inputs.label))
        return {"status": "Label removed successfully"}


class GithubAssignIssueBlock(Sets, GithubBase):
    """Says at GitHub who works at an issue."""

    id = "90507c72-b0ff-413a-886a-23bbbd66f542"
    examples = (
        Example(
            inputs={**_AT, "assignee": "bob"}, outputs=[("status", "Issue assigned successfully")]
        ),
        Example(inputs={**_AT, "assignee": "nobody"}, error="'nobody' cannot be assigned"),
    )

    @pins
    class Input(AtIssue):
        """Input pins."""

        assignee: str = pin(description="Who it is.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Say it. GitHub passes over whom it cannot assign, and so it is looked at."""
        path = issue_path(inputs.issue_url, "assignees")
        found = await calls.object("POST", path, value={"assignees": [inputs.assignee]})
        names = {str(each.get("login")).lower() for each in calls.entries(found, "assignees")}
        if inputs.assignee.lower() not in names:
            raise ValueError(f"{inputs.assignee!r} cannot be assigned in this repository")
        return {"status": "Issue assigned successfully"}


class GithubUnassignIssueBlock(Sets, GithubBase):
    """Says at GitHub that somebody does not work at an issue."""

    id = "d154002a-38f4-46c2-962d-2488f2b05ece"
    examples = (
        Example(
            inputs={**_AT, "assignee": "bob"},
            outputs=[("status", "Issue unassigned successfully")],
        ),
    )

    @pins
    class Input(AtIssue):
        """Input pins."""

        assignee: str = pin(description="Who it is.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Say it."""
        path = issue_path(inputs.issue_url, "assignees")
        await calls.object("DELETE", path, value={"assignees": [inputs.assignee]})
        return {"status": "Issue unassigned successfully"}
