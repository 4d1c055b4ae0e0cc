"""Plays Notion: one page, one database with one entry, and what is made."""

from typing import Any, Final

from backend.testing.standin.messages import Asked, Reply

_ID: Final = "0123456789abcdef0123456789abcdef"


def _text(words: str, **looks: bool) -> dict[str, Any]:
    return {"plain_text": words, "annotations": looks, "href": None}


_PAGE: Final = {
    "object": "page",
    "id": _ID,
    "url": "https://www.notion.so/Cats",
    "properties": {"title": {"type": "title", "title": [{"plain_text": "Cats"}]}},
}
_DATABASE: Final = {
    "object": "database",
    "id": _ID,
    "title": [_text("All cats")],
    "properties": {
        "Name": {"type": "title"},
        "Age": {"type": "number"},
        "Tags": {"type": "multi_select"},
    },
}
_ENTRY: Final = {
    "object": "page",
    "id": "e1",
    "properties": {
        "Name": {"type": "title", "title": [_text("Tom")]},
        "Age": {"type": "number", "number": 7},
        "Tags": {"type": "multi_select", "multi_select": [{"name": "wild"}]},
    },
}
_FOUND: Final = {
    **_PAGE,
    "parent": {"type": "workspace", "workspace": True},
    "icon": {"emoji": "🐈"},
}


def _block(kind: str, *text: dict[str, Any], **more: Any) -> dict[str, Any]:
    inside = more.pop("inside", False)
    facts = {"rich_text": list(text), **more}
    return {"id": f"{kind}-1", "type": kind, kind: facts, "has_children": inside}


_FIRST: Final = [
    _block("paragraph", _text("They "), _text("purr", bold=True), _text(".")),
    _block("bulleted_list_item", _text("One"), inside=True),
]
_SECOND: Final = [
    _block("to_do", _text("Two"), checked=True),
    _block("code", _text("meow()"), language="python"),
]


class Notion:
    """*made*: the pages that were made, and what was appended to them."""

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []

    def answer(self, asked: Asked) -> Reply:  # noqa: C901 - a table of addresses
        """Answer as its API of June 2022 does."""
        if not asked.has_bearer:
            return _refused(401, "unauthorized", "API token is invalid.")
        if asked.headers.get("notion-version") != "2022-06-28":
            return _refused(400, "missing_version", "Notion-Version header failed validation.")
        match asked.method, asked.path.strip("/").split("/"):
            case "GET", ["pages", key] if key == _ID:
                return Reply(value=_PAGE)
            case "GET", ["databases", key] if key == _ID:
                return Reply(value=_DATABASE)
            case "POST", ["databases", key, "query"] if key == _ID:
                return Reply(value={"results": [_ENTRY], "next_cursor": None})
            case "POST", ["search"]:
                return Reply(value={"results": [_FOUND], "next_cursor": None})
            case "GET", ["blocks", key, "children"]:
                return _children(key, asked.one("start_cursor"))
            case ("POST", ["pages"]) | ("PATCH", ["blocks", "made", "children"]):
                return self._kept(asked.json())
        return _refused(404, "object_not_found", "Could not find page with ID.")

    def _kept(self, given: dict[str, Any]) -> Reply:
        if len(given.get("children", [])) > 100:  # noqa: PLR2004 - what its documentation says
            return _refused(400, "validation_error", "body.children.length should be ≤ 100")
        self.made.append(given)
        return Reply(value={"id": "made", "url": "https://www.notion.so/made"})


def _children(key: str, cursor: str) -> Reply:
    if key != _ID:
        inside = [_block("bulleted_list_item", _text("Inside"))]
        return Reply(value={"results": inside, "next_cursor": None})
    if cursor:
        return Reply(value={"results": _SECOND, "next_cursor": None})
    return Reply(value={"results": _FIRST, "next_cursor": "second"})


def _refused(status: int, code: str, words: str) -> Reply:
    return Reply(status=status, value={"object": "error", "code": code, "message": words})
