"""Plays Reddit: one community with two posts, a comment and an answer to it."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from backend.testing.standin.messages import Asked, Reply

_AT: Final = "/r/cats/comments/p1/purr/"
_NOON: Final = 1769853600.0
_POSTS: Final[list[dict[str, Any]]] = [
    {"id": "p1", "name": "t3_p1", "subreddit": "cats", "title": "Purr", "selftext": "Why?",
     "author": "ann", "score": 7, "upvote_ratio": 0.9, "num_comments": 1, "created_utc": _NOON,
     "url": f"https://www.reddit.com{_AT}", "permalink": _AT, "is_self": True, "over_18": False},
    {"id": "p2", "name": "t3_p2", "subreddit": "cats", "title": "Hiss", "selftext": "",
     "author": "ann", "created_utc": _NOON - 86_400, "permalink": "/r/cats/comments/p2/hiss/"},
]  # fmt: skip
_ANSWER: Final = {
    "id": "c2", "name": "t1_c2", "link_id": "t3_p1", "parent_id": "t1_c1", "author": None,
    "body": "Because", "score": 3, "created_utc": _NOON + 60, "edited": _NOON + 99,
    "permalink": f"{_AT}c2/", "depth": 1, "replies": "",
}  # fmt: skip
_SAID: Final = {
    **_ANSWER, "id": "c1", "name": "t1_c1", "parent_id": "t3_p1", "author": "bob",
    "edited": False, "permalink": f"{_AT}c1/", "depth": 0,
}  # fmt: skip
_MESSAGE: Final = {
    "name": "t4_m1", "subject": "Hello", "body": "How are you?", "author": "bob",
    "created_utc": _NOON, "new": True, "was_comment": False, "context": "",
}  # fmt: skip
_ANN: Final = {
    "name": "ann", "id": "u1", "comment_karma": 1, "link_karma": 2, "total_karma": 3,
    "created_utc": 1600000000.0, "is_gold": False, "is_mod": True, "has_verified_email": True,
    "subreddit": {"display_name": "u_ann", "title": "Ann", "subscribers": 0},
}  # fmt: skip
_CATS: Final = {
    "name": "t5_x", "display_name": "cats", "title": "Cats", "description": "All about cats",
    "public_description": "Cats", "subscribers": 9, "created_utc": 1700000000.0,
    "over18": False, "url": "/r/cats/",
}  # fmt: skip
_RULE: Final = {
    "short_name": "Be kind", "description": "To all", "kind": "all",
    "violation_reason": "Unkind", "priority": 0,
}  # fmt: skip
_FLAIR: Final = {"id": "f1", "text": "Story", "text_editable": True, "css_class": "s"}


def _listing(kind: str, *found: Mapping[str, Any], after: str | None = None) -> dict[str, Any]:
    children = [{"kind": kind, "data": each} for each in found]
    return {"kind": "Listing", "data": {"children": children, "after": after}}


class Reddit:
    """*forms*: what was sent, the oldest first, each with the place to which it went."""

    def __init__(self) -> None:
        self.forms: list[tuple[str, dict[str, str]]] = []

    def answer(self, asked: Asked) -> Reply:
        """Answer as its API does for apps of others."""
        if not asked.has_bearer:
            return Reply(status=401, value={"message": "Unauthorized", "error": 401})
        if asked.method == "POST":
            form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
            self.forms.append((asked.path, form))
            return _taken(asked.path, form)
        value = _given(asked)
        if value is None:
            return Reply(status=404, value={"message": "Not Found", "error": 404})
        return Reply(value=value)


def _given(asked: Asked) -> Any:  # noqa: C901 - a table of addresses
    match asked.path.strip("/").split("/"):
        case ["r", "cats", "new" | "search"] | ["search"] | ["user", "ann", "submitted"]:
            if asked.one("after"):
                return _listing("t3", _POSTS[1])
            return _listing("t3", _POSTS[0], after="t3_p1")
        case ["r", "cats", "about"]:
            return {"kind": "t5", "data": _CATS}
        case ["r", "cats", "about", "rules"]:
            return {"rules": [_RULE]}
        case ["r", "cats", "api", "link_flair_v2"]:
            return [_FLAIR]
        case ["api", "info"]:
            known = [*_POSTS, _SAID, _ANSWER]
            return _listing("t3", *(each for each in known if each["name"] == asked.one("id")))
        case ["comments", "p1"]:
            return _comments(asked)
        case ["message", _]:
            return _listing("t4", _MESSAGE)
    return _people(asked.path)


def _people(path: str) -> Any:
    match path.strip("/").split("/"):
        case ["api", "v1", "me"]:
            return _ANN
        case ["user", "ann", "about"]:
            return {"kind": "t2", "data": _ANN}
        case ["user", "ann", "moderated_subreddits"]:
            return {"kind": "ModeratedList", "data": [{"sr": "cats"}]}
    return None


def _comments(asked: Asked) -> list[dict[str, Any]]:
    below = {"replies": _listing("t1", _ANSWER)} if asked.one("comment") else {}
    found = _listing("t1", {**_SAID, **below})
    found["data"]["children"].append({"kind": "more", "data": {"count": 3}})
    return [_listing("t3", _POSTS[0]), found]


def _taken(path: str, form: dict[str, str]) -> Reply:
    if path in ("/api/del", "/api/read_message"):
        return Reply(value={})
    if form.get("sr") == "quiet":
        return _said(["RATELIMIT", "take a break", "ratelimit"], ratelimit=90.5)
    if form.get("to") == "nobody":
        return _said(["USER_DOESNT_EXIST", "that user doesn't exist", "to"])
    if not form.get("title" if path == "/api/submit" else "text"):
        return _said(["NO_TEXT", "we need something here", "text"])
    match path:
        case "/api/submit":
            url = f"https://www.reddit.com/r/{form['sr']}/comments/new/{form['title'].lower()}/"
            data: dict[str, Any] = {"id": "new", "name": "t3_new", "url": url}
        case "/api/comment":
            data = {"things": [{"kind": "t1", "data": {"id": "new", "name": "t1_new"}}]}
        case "/api/editusertext":
            data = {"things": [{"kind": "t3", "data": _POSTS[0]}]}
        case _:
            data = {}
    return Reply(value={"json": {"errors": [], "data": data}})


def _said(error: list[str], **more: float) -> Reply:
    return Reply(value={"json": {"errors": [error], **more}})
