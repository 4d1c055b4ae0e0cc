"""Plays Linear: one team, one project and two issues, each on a page of its own."""

from typing import Any, Final

from backend.testing.standin.messages import KEY, Asked, Reply

_PROJECT: Final = {"id": "p1", "name": "Cats", "progress": 0.5}
_PURR: Final = {
    "id": "i1",
    "identifier": "CAT-1",
    "title": "Purr",
    "description": None,
    "priority": 2,
    "project": _PROJECT,
    "createdAt": "2026-01-31T10:00:00Z",
    "assignee": {"id": "u1", "name": "Ann"},
}


class Linear:
    """
    Answers as its API does.

    Attributes:
        pages: How many pages a search for issues has.
    """

    def __init__(self) -> None:
        self.pages = 1

    def answer(self, asked: Asked) -> Reply:
        """Answer one question; a bare key lets in, and a token with its scheme."""
        if asked.headers.get("authorization") not in (KEY, f"Bearer {KEY}"):
            return _wrong(401, "Authentication required, not authenticated", "AUTHENTICATION_ERROR")
        query, given = asked.json()["query"], asked.json()["variables"]
        if "commentCreate" in query:
            if given["input"]["issueId"] == "CAT-404":
                return _wrong(200, "Entity not found: Issue", "INVALID_INPUT")
            made = {"comment": {"id": "c2", "body": given["input"]["body"]}}
            return Reply(value={"data": {"commentCreate": made}})
        if "issueCreate" in query:
            issue = {"identifier": "CAT-2", "title": given["input"]["title"]}
            return Reply(value={"data": {"issueCreate": {"issue": issue}}})
        return Reply(value={"data": self._listed(query, given)})

    def _listed(self, query: str, given: dict[str, Any]) -> dict[str, Any]:
        if "teams(" in query or "projects(" in query:
            kind = "teams" if "teams(" in query else "projects"
            known = given["name"].lower() == "cats"
            return {kind: _nodes({"id": f"{kind}-1"}) if known else _nodes()}
        if "searchProjects" in query:
            return {"searchProjects": _nodes(_PROJECT)}
        said = {"comments": {"nodes": [{"id": "c1", "body": "Yes"}]}}
        issue = {**_PURR, **(said if "comments" in query else {})}
        name = "searchIssues" if "searchIssues" in query else "issues"
        page = int(given["after"] or 1)
        more = {"hasNextPage": page < self.pages, "endCursor": str(page + 1)}
        return {name: {**_nodes(issue), "pageInfo": more}}


def _nodes(*nodes: dict[str, Any]) -> dict[str, Any]:
    return {"nodes": list(nodes), "pageInfo": {"hasNextPage": False, "endCursor": None}}


def _wrong(status: int, words: str, code: str) -> Reply:
    error = {"message": words, "extensions": {"code": code}}
    return Reply(status=status, value={"errors": [error]})
