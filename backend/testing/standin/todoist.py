"""Plays Todoist: a project with a section, a task, a label, a comment and somebody who works there."""

from typing import Any, Final

from backend.testing.standin.messages import Asked, Reply

_THINGS: Final[dict[str, dict[str, Any]]] = {
    "tasks": {
        "id": "t1",
        "content": "Buy milk",
        "project_id": "p1",
        "labels": ["home"],
        "priority": 1,
    },
    "projects": {"id": "p1", "name": "Home", "color": "charcoal", "is_favorite": False},
    "sections": {"id": "s1", "project_id": "p1", "name": "Kitchen", "section_order": 3},
    "labels": {"id": "l1", "name": "home", "color": "blue", "order": 1, "is_favorite": True},
    "comments": {
        "id": "c1",
        "content": "The oat one",
        "posted_at": "2026-01-31T10:00:00Z",
        "task_id": "t1",
    },
}
_ANN: Final = {"id": "u1", "name": "Ann", "email": "ann@example.com"}


class Todoist:
    """
    Answers as its API does. What it is told is checked, and not remembered.

    Attributes:
        pages: How many pages a list of tasks has.
    """

    def __init__(self) -> None:
        self.pages = 1

    def answer(self, asked: Asked) -> Reply:
        """Answer one question."""
        if not asked.has_bearer:
            return _wrong(401, "Unauthorized")
        parts = asked.path.removeprefix("/api/v1/").split("/")
        kind, rest = parts[0], parts[1:]
        if kind not in _THINGS:
            return _wrong(404, "There is nothing here")
        if rest[:1] in (["shared"], ["filter"]):
            return self._special(asked, "/".join(parts))
        if rest:
            return self._one(asked, kind, rest)
        return self._made(asked, kind) if asked.method == "POST" else self._listed(asked, kind)

    def _special(self, asked: Asked, path: str) -> Reply:
        if path == "labels/shared":
            return _list(["errands", "garden"])
        if path == "tasks/filter":
            return _list([]) if asked.one("query") else _wrong(400, "Query is missing")
        return _nothing() if asked.json().get("name") else _wrong(400, "Name is missing")

    def _one(self, asked: Asked, kind: str, rest: list[str]) -> Reply:
        thing = _THINGS[kind]
        if rest[0] != thing["id"]:
            return _wrong(404, f"{kind.title().removesuffix('s')} not found")
        if rest[1:] == ["collaborators"]:
            return _list([_ANN])
        if rest[1:] in (["close"], ["reopen"]) or asked.method == "DELETE":
            return _nothing()
        if asked.method == "POST":
            return Reply(value={**thing, **asked.json()})
        return Reply(value=thing)

    def _listed(self, asked: Asked, kind: str) -> Reply:
        thing = _THINGS[kind]
        for name in ("project_id", "task_id", "section_id"):
            wanted = asked.one(name)
            if wanted and wanted != thing.get(name):
                return _list([])
        page = int(asked.one("cursor") or 1)
        pages = self.pages if kind == "tasks" else 1
        return _list([thing], str(page + 1) if page < pages else None)

    def _made(self, asked: Asked, kind: str) -> Reply:
        told = asked.json()
        if "none" in (told.get("project_id"), told.get("parent_id")):
            return _wrong(404, "Project not found")
        if kind == "labels" and told.get("name") == "home":
            return _wrong(400, "Label already exists")
        id_ = f"{_THINGS[kind]['id'][0]}2"
        more = {"posted_at": "2026-01-31T11:00:00Z"} if kind == "comments" else {}
        return Reply(value={"id": id_, **more, **told})


def _list(results: list[Any], cursor: str | None = None) -> Reply:
    return Reply(value={"results": results, "next_cursor": cursor})


def _nothing() -> Reply:
    return Reply(status=204, body=b"")


def _wrong(status: int, words: str) -> Reply:
    return Reply(status=status, value={"error": words, "error_code": 1})
