"""Linear: issues and projects that are found, issues and comments that are written."""

from typing import Any, Final

from backend.blocks.linear.service import (
    COMMENTS,
    ISSUE,
    MINE,
    LinearBase,
    account_pin,
    id_of,
    issue_of,
    listed,
)
from backend.sdk import Category, Example, Json, pin, pins
from backend.sdk.calling import Makes, Reads
from backend.sdk.graphql import ask
from backend.sdk.services import ServiceCalls
from backend.sdk.shapes import absent, many, record

_MORE: Final = "pageInfo { hasNextPage endCursor }"
_SEARCH: Final = (
    "query($term: String!, $first: Int!, $after: String) {"
    f" searchIssues(term: $term, first: $first, after: $after) {{ nodes {{ {ISSUE} }} {_MORE} }} }}"
)
_PROJECTS: Final = (
    "query($term: String!, $first: Int!, $after: String) {"
    " searchProjects(term: $term, first: $first, after: $after)"
    f" {{ nodes {{ id name description priority progress content }} {_MORE} }} }}"
)
_COMMENT: Final = (
    "mutation($input: CommentCreateInput!) { commentCreate(input: $input) { comment { id body } } }"
)
_NEW: Final = (
    "mutation($input: IssueCreateInput!) {"
    " issueCreate(input: $input) { issue { identifier title } } }"
)
_PROJECT: Final = record(
    {
        "id": str,
        "name": str,
        "description": absent(str | None),
        "priority": absent(int | None),
        "progress": absent(float | None),
        "content": absent(str | None),
    },
    title="Project",
    optional=("description", "priority", "progress", "content"),
)
_PROJECT_LIST: Final = many(_PROJECT)
_USER: Final = record({"id": str, "name": str}, title="User")


def _or_null(schema: dict[str, Any], title: str = "") -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}], "default": None, "title": title}


_SAID: Final = record(
    {
        "id": str,
        "body": str,
        "createdAt": {**absent(str | None), "title": "Createdat"},
        "user": _or_null(_USER),
    },
    title="Comment",
    optional=("createdAt", "user"),
)
_ISSUES: Final = many(
    record(
        {
            "id": str,
            "identifier": str,
            "title": str,
            "description": str | None,
            "priority": int,
            "project": _or_null(_PROJECT),
            "createdAt": {**absent(str | None), "title": "Createdat"},
            "comments": _or_null(many(_SAID), "Comments"),
            "assignee": _or_null(_USER),
        },
        title="Issue",
        optional=("project", "createdAt", "comments", "assignee"),
    )
)
#: For examples.
_PURR: Final = {
    "id": "i1",
    "identifier": "CAT-1",
    "title": "Purr",
    "description": None,
    "priority": 2,
    "project": {"id": "p1", "name": "Cats", "progress": 0.5},
    "createdAt": "2026-01-31T10:00:00Z",
    "comments": None,
    "assignee": {"id": "u1", "name": "Ann"},
}


class LinearSearchIssuesBlock(Reads, LinearBase):
    """Searches issues at Linear; 500 at the most."""

    id = "b5a2a0e6-26b4-4c5b-8a42-bc79e9cb65c2"
    costs = ({"cost_amount": 1, "cost_filter": {}, "cost_type": "run"},)
    examples = (
        Example(inputs={"term": "purr", "credentials": MINE}, outputs=[("issues", [_PURR])]),
        Example(inputs={"term": " ", "credentials": MINE}, error="nothing to search for"),
    )

    @pins
    class Input:
        """Input pins."""

        term: str = pin(description="What to search for.")
        credentials: dict[str, Any] = account_pin("read")

    @pins
    class Output:
        """Output pins."""

        issues: list[dict[str, Any]] = pin(schema=_ISSUES, description="The issues.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Search."""
        if not inputs.term.strip():
            raise ValueError("there is nothing to search for")
        found = await listed(calls, _SEARCH, {"term": inputs.term}, "searchIssues")
        return {"issues": [issue_of(calls, each) for each in found]}


class LinearGetProjectIssuesBlock(Reads, LinearBase):
    """Lists the issues of a project at Linear that have a status; 500 at the most."""

    id = "c7d3f1e8-45a9-4b2c-9f81-3e6a8d7c5b1a"
    categories = (Category.ISSUE_TRACKING, Category.PRODUCTIVITY)
    costs = ({"cost_amount": 1, "cost_filter": {}, "cost_type": "run"},)
    examples = (
        Example(
            inputs={
                "project": "Cats",
                "status": "Todo",
                "is_assigned": True,
                "include_comments": True,
                "credentials": MINE,
            },
            outputs=[("issues", [{**_PURR, "comments": [{"id": "c1", "body": "Yes"}]}])],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin("read")
        project: str = pin(description="What the project is called.")
        status: str = pin(description="What the status is called.")
        is_assigned: bool = pin(
            default=False,
            description="Those at which somebody works; else those at which nobody does.",
        )
        include_comments: bool = pin(default=False, description="With what is said at them.")

    @pins
    class Output:
        """Output pins."""

        issues: list[dict[str, Any]] = pin(schema=_ISSUES, description="The issues.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """List them."""
        comments = COMMENTS if inputs.include_comments else ""
        query = (
            "query($filter: IssueFilter!, $first: Int!, $after: String) {"
            " issues(filter: $filter, first: $first, after: $after)"
            f" {{ nodes {{ {ISSUE} {comments} }} {_MORE} }} }}"
        )
        wanted: Json = {
            "project": {"name": {"eq": inputs.project}},
            "state": {"name": {"eq": inputs.status}},
            "assignee": {"null": not inputs.is_assigned},
        }
        found = await listed(calls, query, {"filter": wanted}, "issues")
        return {"issues": [issue_of(calls, each) for each in found]}


class LinearCreateIssueBlock(Makes, LinearBase):
    """Opens an issue at Linear."""

    id = "f9c68f55-dcca-40a8-8771-abf9601680aa"
    categories = (Category.ISSUE_TRACKING, Category.PRODUCTIVITY)
    costs = ({"cost_amount": 1, "cost_filter": {}, "cost_type": "run"},)
    examples = (
        Example(
            inputs={
                "title": "Hiss",
                "description": "Loudly",
                "team_name": "cats",
                "project_name": "Cats",
                "credentials": MINE,
            },
            outputs=[("issue_id", "CAT-2"), ("issue_title", "Hiss")],
        ),
        Example(
            inputs={"title": "x", "description": "", "team_name": "Dogs", "credentials": MINE},
            error="Linear has no team 'Dogs'",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin("issues:create")
        title: str = pin(description="What it is called.")
        description: str | None = pin(description="What it says, in Markdown.")
        team_name: str = pin(description="The team.")
        priority: int | None = pin(
            default=None,
            ge=0,
            le=4,
            description="How urgent it is: 1 most of all, 4 least, 0 not said.",
        )
        project_name: str | None = pin(default=None, description="The project.")

    @pins
    class Output:
        """Output pins."""

        issue_id: str = pin(description="What it goes by, such as CAT-1.")
        issue_title: str = pin(description="What it is called.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Open it."""
        value: dict[str, Json] = {
            "teamId": await id_of(calls, "teams", inputs.team_name),
            "title": inputs.title,
            "description": inputs.description,
        }
        if inputs.priority is not None:
            value["priority"] = inputs.priority
        if inputs.project_name:
            value["projectId"] = await id_of(calls, "projects", inputs.project_name)
        found = await ask(calls, _NEW, {"input": value})
        issue = calls.need(found, dict, "issueCreate", "issue")
        return {
            "issue_id": calls.need(issue, str, "identifier"),
            "issue_title": calls.need(issue, str, "title"),
        }


class LinearCreateCommentBlock(Makes, LinearBase):
    """Writes a comment at an issue at Linear."""

    id = "8f7d3a2e-9b5c-4c6a-8f1d-7c8b3e4a5d6c"
    categories = (Category.ISSUE_TRACKING, Category.PRODUCTIVITY)
    costs = ({"cost_amount": 1, "cost_filter": {}, "cost_type": "run"},)
    examples = (
        Example(
            inputs={"issue_id": "CAT-1", "comment": "Yes", "credentials": MINE},
            outputs=[("comment_id", "c2"), ("comment_body", "Yes")],
        ),
        Example(
            inputs={"issue_id": "CAT-404", "comment": "Yes", "credentials": MINE},
            error="Linear answers: Entity not found: Issue",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin("comments:create")
        issue_id: str = pin(description="The issue.")
        comment: str = pin(description="What it says, in Markdown.")

    @pins
    class Output:
        """Output pins."""

        comment_id: str = pin(description="The comment.")
        comment_body: str = pin(description="What it says.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Write it."""
        value: Json = {"issueId": inputs.issue_id, "body": inputs.comment}
        found = await ask(calls, _COMMENT, {"input": value})
        comment = calls.need(found, dict, "commentCreate", "comment")
        return {
            "comment_id": calls.need(comment, str, "id"),
            "comment_body": calls.need(comment, str, "body"),
        }


class LinearSearchProjectsBlock(Reads, LinearBase):
    """Searches projects at Linear; 500 at the most."""

    id = "446a1d35-9d8f-4ac5-83ea-7684ec50e6af"
    categories = (Category.ISSUE_TRACKING, Category.PRODUCTIVITY)
    costs = ({"cost_amount": 1, "cost_filter": {}, "cost_type": "run"},)
    examples = (
        Example(
            inputs={"term": "cat", "credentials": MINE},
            outputs=[("projects", [{"id": "p1", "name": "Cats", "progress": 0.5}])],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin("read")
        term: str = pin(description="What to search for.")

    @pins
    class Output:
        """Output pins."""

        projects: list[dict[str, Any]] = pin(schema=_PROJECT_LIST, description="The projects.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Search."""
        found = await listed(calls, _PROJECTS, {"term": inputs.term}, "searchProjects")
        return {"projects": found}
