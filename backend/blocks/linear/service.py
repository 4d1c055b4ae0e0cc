"""Linear: how its blocks ask it, and what an issue and a project are."""

from collections.abc import Mapping
from typing import Any, Final

from backend.sdk import CredentialsKind, Json, credentials_pin
from backend.sdk.calling import CallingBase
from backend.sdk.graphql import ask
from backend.sdk.services import Service, ServiceCalls, pages

LINEAR: Final = Service(
    provider="linear",
    name="Linear",
    url="https://api.linear.app",
    limit_words=("RATELIMITED",),
)
#: For examples.
MINE: Final = {"id": "mine", "provider": "linear", "type": "api_key"}
_PAGE: Final = 50
#: Of one search.
MOST: Final = 500


class LinearBase(CallingBase):
    """A block of Linear."""

    service = LINEAR


def account_pin(scope: str) -> Any:
    """Return the pin that takes an account at Linear with *scope*."""
    return credentials_pin(
        ["linear"],
        [CredentialsKind.KEY, CredentialsKind.OAUTH2],
        scopes=[scope],
        of_package=True,
        description="A key of Linear, or an account.",
    )


async def listed(
    calls: ServiceCalls, query: str, variables: Mapping[str, Json], name: str
) -> list[dict[str, Any]]:
    """
    Return the nodes of the list *name*, page after page, `MOST` at the most.

    Args:
        query: With the variables ``first`` and ``after``.
    """

    async def page(after: str | None) -> tuple[list[Any], str | None]:
        found = await ask(calls, query, {**variables, "first": _PAGE, "after": after})
        nodes = calls.need(found, dict, name)
        more = nodes.get("pageInfo") or {}
        cursor = more.get("endCursor") if more.get("hasNextPage") else None
        return calls.entries(nodes, "nodes"), cursor

    return await pages(page, most=MOST)


async def id_of(calls: ServiceCalls, kind: str, name: str) -> str:
    """
    Return the id of the team or project called *name*, whatever its capitals.

    Args:
        kind: ``teams`` or ``projects``.

    Raises:
        ValueError: If there is none.
    """
    query = (
        "query($name: String!, $first: Int!, $after: String) {"
        f" {kind}(filter: {{name: {{eqIgnoreCase: $name}}}}, first: $first, after: $after)"
        " { nodes { id } pageInfo { hasNextPage endCursor } } }"
    )
    found = await listed(calls, query, {"name": name.strip()}, kind)
    if not found:
        raise ValueError(f"Linear has no {kind.removesuffix('s')} {name!r}")
    return calls.need(found[0], str, "id")


#: Of an issue; comments stand apart.
ISSUE: Final = (
    "id identifier title description priority createdAt assignee { id name }"
    " project { id name description priority progress content }"
)
COMMENTS: Final = "comments(first: 50) { nodes { id body createdAt user { id name } } }"


def issue_of(calls: ServiceCalls, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return an issue as pins hold it."""
    comments = found.get("comments")
    return {
        "id": calls.need(found, str, "id"),
        "identifier": calls.need(found, str, "identifier"),
        "title": calls.need(found, str, "title"),
        "description": found.get("description"),
        "priority": int(found.get("priority") or 0),
        "project": found.get("project"),
        "createdAt": found.get("createdAt"),
        "comments": None if comments is None else calls.entries(comments, "nodes"),
        "assignee": found.get("assignee"),
    }
