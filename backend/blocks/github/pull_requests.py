"""GitHub: pull requests, and who is asked to review them."""

from typing import Any, Final

from backend.blocks.github.service import (
    MINE,
    PULL,
    REPOSITORY,
    AtPull,
    Done,
    GithubBase,
    GithubListBase,
    InRepository,
    Made,
    in_repository,
    listed,
    login,
    pull_path,
)
from backend.sdk import Example, Json, pin, pins
from backend.sdk.calling import Makes, Reads, Sets
from backend.sdk.services import ServiceCalls
from backend.sdk.shapes import many, record

_AT: Final = {"pr_url": PULL, "credentials": MINE}
_REVIEWERS: Final = "requested_reviewers"


_PULL_REQUEST_SHAPE: Final = record({"title": str, "url": str})
_REVIEWER_SHAPE: Final = record({"username": str, "url": str})


class GithubMakePullRequestBlock(Makes, GithubBase):
    """Opens a pull request in a repository at GitHub."""

    id = "dfb987f8-f197-4b2e-bf19-111812afd692"
    examples = (
        Example(
            inputs={
                "repo_url": REPOSITORY,
                "title": "Purr",
                "body": "",
                "head": "purr",
                "base": "main",
                "credentials": MINE,
            },
            outputs=[("number", 8), ("url", f"{REPOSITORY}/pull/8")],
        ),
        Example(
            inputs={
                "repo_url": REPOSITORY,
                "title": "Purr",
                "body": "",
                "head": "main",
                "base": "main",
                "credentials": MINE,
            },
            error="status 422: Validation Failed",
        ),
    )

    @pins
    class Input(InRepository):
        """Input pins."""

        title: str = pin(description="What it is called.")
        body: str = pin(description="What it says, in Markdown.")
        head: str = pin(description="The branch with the changes; owner:branch for one of a fork.")
        base: str = pin(description="The branch that they are for.")

    Output = Made

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Open it."""
        value: Json = {
            "title": inputs.title,
            "body": inputs.body,
            "head": inputs.head,
            "base": inputs.base,
        }
        made = await calls.object("POST", in_repository(inputs.repo_url, "pulls"), value=value)
        return {
            "number": calls.need(made, int, "number"),
            "url": calls.need(made, str, "html_url"),
        }


class GithubReadPullRequestBlock(Reads, GithubBase):
    """Reads a pull request at GitHub, with its changes if they are asked for."""

    id = "bf94b2a4-1a30-4600-a783-a8a44ee31301"
    examples = (
        Example(
            inputs=_AT, outputs=[("title", "Meow less"), ("body", "Please"), ("author", "bob")]
        ),
        Example(
            inputs={**_AT, "include_pr_changes": True},
            outputs=[
                ("title", "Meow less"),
                ("body", "Please"),
                ("author", "bob"),
                ("changes", "cat.py (modified, +1 -1)\n@@ -1 +1 @@\n-meow\n+purr\n"),
            ],
        ),
        Example(
            inputs={"pr_url": f"{REPOSITORY}/issues/2", "credentials": MINE},
            error="names no number, such as",
        ),
    )

    @pins
    class Input(AtPull):
        """Input pins."""

        include_pr_changes: bool = pin(
            default=False, advanced=False, description="With its changes, file by file."
        )

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        title: str = pin(description="What it is called.")
        body: str = pin(description="What it says.")
        author: str = pin(description="Who opened it.")
        changes: str = pin(description="What it changes, as a patch.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Read it."""
        found = await calls.object("GET", pull_path(inputs.pr_url))
        outputs = {
            "title": calls.need(found, str, "title"),
            "body": str(found.get("body") or ""),
            "author": login(calls, found),
        }
        if inputs.include_pr_changes:
            files = await listed(calls, pull_path(inputs.pr_url, "files"))
            outputs["changes"] = "\n".join(_change(calls, file) for file in files)
        return outputs


def _change(calls: ServiceCalls, file: dict[str, Any]) -> str:
    """Return what is changed in a file; of one that is no text, or too large, only how much."""
    name, how = calls.need(file, str, "filename"), file.get("status")
    counts = f"+{file.get('additions', 0)} -{file.get('deletions', 0)}"
    return f"{name} ({how}, {counts})\n{file.get('patch') or ''}\n"


class GithubListPullRequestsBlock(GithubListBase):
    """Lists the open pull requests of a repository at GitHub, the newest first."""

    id = "ffef3c4c-6cd0-48dd-817d-459f975219f4"
    each, every = "pull_request", "pull_requests"
    examples = (
        Example(
            inputs={"repo_url": REPOSITORY, "credentials": MINE},
            outputs=[
                ("pull_requests", [{"title": "Meow less", "url": PULL}]),
                ("pull_request", {"title": "Meow less", "url": PULL}),
            ],
        ),
    )

    Input = InRepository

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        pull_request: dict[str, Any] = pin(schema=_PULL_REQUEST_SHAPE, description="One of them.")
        pull_requests: list[dict[str, Any]] = pin(
            schema=many(_PULL_REQUEST_SHAPE, "PRItem"),
            description="All of them, 1,000 at the most.",
        )

    async def work(self, calls: ServiceCalls, inputs: InRepository) -> list[dict[str, Any]]:
        """List them."""
        return [
            {"title": calls.need(each, str, "title"), "url": calls.need(each, str, "html_url")}
            for each in await listed(calls, in_repository(inputs.repo_url, "pulls"))
        ]


class GithubListPRReviewersBlock(GithubListBase):
    """Lists who is asked at GitHub to review a pull request."""

    id = "2646956e-96d5-4754-a3df-034017e7ed96"
    each, every = "reviewer", "reviewers"
    examples = (
        Example(
            inputs=_AT,
            outputs=[
                ("reviewers", [{"username": "cy", "url": "https://github.com/cy"}]),
                ("reviewer", {"username": "cy", "url": "https://github.com/cy"}),
            ],
        ),
    )

    Input = AtPull

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        reviewer: dict[str, Any] = pin(schema=_REVIEWER_SHAPE, description="One of them.")
        reviewers: list[dict[str, Any]] = pin(
            schema=many(_REVIEWER_SHAPE, "ReviewerItem"), description="All of them."
        )

    async def work(self, calls: ServiceCalls, inputs: AtPull) -> list[dict[str, Any]]:
        """List them."""
        found = await calls.object("GET", pull_path(inputs.pr_url, _REVIEWERS))
        return [
            {"username": calls.need(each, str, "login"), "url": calls.need(each, str, "html_url")}
            for each in calls.entries(found, "users")
        ]


class GithubAssignPRReviewerBlock(Sets, GithubBase):
    """Asks somebody at GitHub to review a pull request."""

    id = "c0d22c5e-e688-43e3-ba43-d5faba7927fd"
    examples = (
        Example(
            inputs={**_AT, "reviewer": "cy"},
            outputs=[("status", "Reviewer assigned successfully")],
        ),
        Example(inputs={**_AT, "reviewer": "nobody"}, error="Reviews may only be requested from"),
    )

    @pins
    class Input(AtPull):
        """Input pins."""

        reviewer: str = pin(description="Who it is.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Ask."""
        value: Json = {"reviewers": [inputs.reviewer]}
        found = await calls.object("POST", pull_path(inputs.pr_url, _REVIEWERS), value=value)
        calls.need(found, int, "number")
        return {"status": "Reviewer assigned successfully"}


class GithubUnassignPRReviewerBlock(Sets, GithubBase):
    """Tells somebody at GitHub that a pull request need not be reviewed."""

    id = "9637945d-c602-4875-899a-9c22f8fd30de"
    examples = (
        Example(
            inputs={**_AT, "reviewer": "cy"},
            outputs=[("status", "Reviewer unassigned successfully")],
        ),
    )

    @pins
    class Input(AtPull):
        """Input pins."""

        reviewer: str = pin(description="Who it is.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Tell it."""
        value: Json = {"reviewers": [inputs.reviewer]}
        found = await calls.object("DELETE", pull_path(inputs.pr_url, _REVIEWERS), value=value)
        calls.need(found, int, "number")
        return {"status": "Reviewer unassigned successfully"}
