"""Plays Medium, WordPress.com and Airtable. They remember what they were told to keep."""

from typing import Any, Final

from backend.testing.blocks import MOMENT
from backend.testing.standin.messages import Asked, Reply

_TABLES: Final = [{"id": "tbl1", "name": "Default table"}]


class Medium:
    """One author publishes stories."""

    def __init__(self) -> None:
        self.stories: list[dict[str, Any]] = []

    def answer(self, asked: Asked) -> Reply:
        """Answer as its API does."""
        if not asked.has_bearer:
            return self._refused(401, "Token was invalid.")
        if asked.path == "/me":
            return Reply(value={"data": {"id": "author-1", "username": "ann"}})
        if asked.path != "/users/author-1/posts":
            return self._refused(403, "User may not publish for this author.")
        story = asked.json()
        if story["contentFormat"] not in ("html", "markdown"):
            return self._refused(400, "Content format was invalid.")
        self.stories.append(story)
        url = "https://medium.com/@ann/story-1"
        at = int(MOMENT.timestamp() * 1000)
        return Reply(status=201, value={"data": {"id": "story-1", "url": url, "publishedAt": at}})

    def _refused(self, status: int, words: str) -> Reply:
        return Reply(status=status, value={"errors": [{"message": words, "code": 6000}]})


class WordPress:
    """One site takes posts."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []

    def answer(self, asked: Asked) -> Reply:
        """Answer as its API does."""
        if not asked.has_bearer:
            words = "The OAuth2 token is invalid."
            return Reply(status=400, value={"error": "invalid_token", "message": words})
        if asked.path != "/rest/v1.1/sites/ann.example.com/posts/new":
            return Reply(status=404, value={"error": "unknown_blog", "message": "Unknown blog"})
        post = asked.json()
        self.posts.append(post)
        return Reply(
            value={
                "ID": 7,
                "URL": f"https://ann.example.com/{post['title'].lower()}",
                "short_URL": "https://wp.example.com/7",
                "title": post["title"],
                "status": post["status"],
            }
        )


class Airtable:
    """Two bases, on a page each, with one table each; records are added to People."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def answer(self, asked: Asked) -> Reply:
        """Answer as its API does."""
        if not asked.has_bearer:
            return _airtable_refused(401, "AUTHENTICATION_REQUIRED", "Authentication required")
        match asked.method, asked.path:
            case "GET", "/meta/bases" if asked.one("offset") == "more":
                return Reply(value={"bases": [{"id": "app2", "name": "Second"}]})
            case "GET", "/meta/bases":
                return Reply(value={"bases": [{"id": "app1", "name": "First"}], "offset": "more"})
            case "GET", _:
                return Reply(value={"tables": _TABLES})
            case _, "/meta/bases" if asked.json()["workspaceId"] == "wsp1":
                return Reply(value={"id": "appNew", "tables": _TABLES})
            case _, "/meta/bases":
                return _airtable_refused(422, "INVALID_REQUEST", "Workspace not found")
            case _, "/app1/People":
                return self._added(asked.json()["records"])
            case _:
                return _airtable_refused(404, "TABLE_NOT_FOUND", "Table not found")

    def _added(self, records: list[dict[str, Any]]) -> Reply:
        if len(records) > 10:  # noqa: PLR2004 - what its documentation says
            return _airtable_refused(422, "INVALID_REQUEST", "Too many records")
        made = [
            {"id": f"rec{number}", "fields": each["fields"],
             "createdTime": "2026-01-31T13:37:00.000Z"}
            for number, each in enumerate(records)
        ]  # fmt: skip
        self.records += made
        return Reply(value={"records": made})


def _airtable_refused(status: int, kind: str, words: str) -> Reply:
    return Reply(status=status, value={"error": {"type": kind, "message": words}})
