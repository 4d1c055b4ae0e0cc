"""Plays GitHub: one repository with an issue, a pull request, files and checks."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from backend.testing.standin.messages import Asked, Reply

_AT: Final = "https://github.com/ann/cats"
_MOMENT: Final = "2026-01-31T10:00:00Z"
_TIMES: Final = {"created_at": _MOMENT, "updated_at": _MOMENT}
_SHA: Final = "a1"
_FILES: Final[Mapping[str, bytes]] = {
    "src/cat.py": b"meow\n",
    "cat.png": b"\x89PNG",
    "large.bin": b"x" * 1_100_000,
}
_STATES: Final = {
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    "COMMENT": "COMMENTED",
}


def _person(name: str) -> dict[str, str]:
    return {"login": name, "html_url": f"https://github.com/{name}"}


def _comment(number: int) -> dict[str, Any]:
    url = f"{_AT}/issues/1#issuecomment-{number}"
    return {"id": number, "body": "Yes", "user": _person("bob"), "html_url": url}


_ISSUE: Final = {
    "number": 1,
    "title": "It meows",
    "body": "Loudly",
    "user": _person("ann"),
    "html_url": f"{_AT}/issues/1",
}
_PULL: Final = {
    "number": 2,
    "title": "Meow less",
    "body": "Please",
    "user": _person("bob"),
    "html_url": f"{_AT}/pull/2",
    "head": {"sha": _SHA},
}
_REVIEW: Final = {"id": 21, "user": _person("cy"), "state": "APPROVED", "body": "Good"}
_SAID: Final = {
    "id": 31,
    "user": _person("cy"),
    "body": "Why?",
    "path": "cat.py",
    "line": None,
    "original_line": 1,
    "side": "RIGHT",
    "html_url": f"{_AT}/pull/2#discussion_r31",
    **_TIMES,
}
_PATCH: Final = {
    "filename": "cat.py",
    "status": "modified",
    "additions": 1,
    "deletions": 1,
    "patch": "@@ -1 +1 @@\n-meow\n+purr",
}
_RUNS: Final[list[dict[str, Any]]] = [
    {"id": 5, "name": "purrs", "status": "completed", "conclusion": "success",
     "html_url": f"{_AT}/runs/5", "output": {"title": None, "annotations_count": 0}},
    {"id": 6, "name": "meows", "status": "completed", "conclusion": "failure",
     "html_url": f"{_AT}/runs/6", "output": {"title": "Silence", "annotations_count": 1}},
]  # fmt: skip
#: Lists, by their place in the repository.
_LISTS: Final[Mapping[str, list[dict[str, Any]]]] = {
    "issues": [_ISSUE, {**_PULL, "pull_request": {}}],
    "pulls": [_PULL],
    "issues/1/comments": [_comment(11)],
    "pulls/2/files": [_PATCH],
    "pulls/2/reviews": [{**_REVIEW, "html_url": f"{_AT}/pull/2#pullrequestreview-21"}],
    "pulls/2/comments": [_SAID],
    "pulls/2/reviews/22/comments": [],
    "branches": [{"name": "main"}],
    "tags": [{"name": "v1"}],
    "releases": [{"name": "First", "tag_name": "v1", "html_url": f"{_AT}/releases/tag/v1"}],
    "stargazers": [_person("cy")],
    "check-runs/6/annotations": [{"path": "cat.py", "message": "Err: no meow"}],
}


class GitHub:
    """
    Answers as version 3 of its API does, and version 4 to what is asked in GraphQL.

    Attributes:
        pages: How many pages each list has, by its place; one where nothing is said.
    """

    def __init__(self) -> None:
        self.pages: dict[str, int] = {}

    def answer(self, asked: Asked) -> Reply:
        """Answer one request."""
        if not asked.has_bearer:
            return _refused(401, "Bad credentials")
        if asked.headers.get("x-github-api-version") != "2022-11-28":
            return _refused(400, "X-GitHub-Api-Version is missing")
        if asked.path == "/graphql":
            return _graph(asked.json())
        if asked.path == "/user/repos":
            return _new_repository(asked.json())
        owner, _, place = asked.path.removeprefix("/repos/").partition("/cats/")
        if owner != "ann":
            return _refused(404, "Not Found")
        if asked.method == "GET":
            return self._read(asked, place)
        return _written(asked, place)

    def _read(self, asked: Asked, place: str) -> Reply:
        if place in _LISTS:
            page, last = int(asked.one("page")), self.pages.get(place, 1)
            link = {"Link": f'<https://api.github.com/x?page={page + 1}>; rel="next"'}
            return Reply(value=_LISTS[place], headers=link if page < last else {})
        match place.split("/", 1):
            case ["issues", "1"]:
                return Reply(value=_ISSUE)
            case ["pulls", "2"]:
                return Reply(value=_PULL)
            case ["pulls", "2/requested_reviewers"]:
                return Reply(value={"users": [_person("cy")], "teams": []})
            case ["git", "ref/heads/main"]:
                return Reply(value={"ref": "refs/heads/main", "object": {"sha": _SHA}})
            case ["commits", _]:
                return Reply(value={"total_count": 2, "check_runs": _RUNS})
            case ["contents", *path]:
                return _content(asked, "/".join(path).strip("/"))
        return _refused(404, "Not Found")


def _content(asked: Asked, path: str) -> Reply:
    if path in _FILES and "raw" in asked.headers["accept"]:
        return Reply(body=_FILES[path], media_type="application/octet-stream")
    if path in _FILES:
        return Reply(value=_file(path))
    inside = [
        {"name": "cat.png", "path": "cat.png", "type": "file", "size": 4},
        {"name": "src", "path": "src", "type": "dir", "size": 0},
    ]
    return Reply(value=inside) if path in ("", "src") else _refused(404, "Not Found")


def _file(path: str) -> dict[str, Any]:
    content = _FILES[path]
    small = len(content) < 1_000_000  # noqa: PLR2004 - what its documentation says
    text = base64.encodebytes(content).decode() if small else ""
    facts = {"type": "file", "sha": "f1", "size": len(content)}
    return {**facts, "encoding": "base64" if small else "none", "content": text}


def _written(asked: Asked, place: str) -> Reply:  # noqa: C901 - a table of addresses
    given = asked.json() if asked.body else {}
    match asked.method, place.split("/"):
        case "POST", [("issues" | "pulls") as kind]:
            return _opened(kind, given)
        case "POST", ["issues", "1", "comments"]:
            return Reply(status=201, value=_comment(11))
        case "PATCH", ["issues", "comments", number]:
            return Reply(value=_comment(int(number)))
        case "POST" | "DELETE", ["issues", "1", "labels", *label]:
            return _refused(404, "Label does not exist") if label == ["gone"] else Reply(value=[])
        case "POST" | "DELETE", ["issues", "1", "assignees"]:
            names = [name for name in given["assignees"] if name != "nobody"]
            return Reply(value={**_ISSUE, "assignees": [_person(name) for name in names]})
        case "POST" | "DELETE", ["pulls", "2", "requested_reviewers"]:
            if given["reviewers"] == ["nobody"]:
                return _refused(422, "Reviews may only be requested from collaborators.")
            return Reply(value=_PULL)
        case "POST", ["pulls", "2", "reviews"]:
            return _reviewed(22, given.get("event"))
        case "POST", ["pulls", "2", "reviews", "21", "events"]:
            return _reviewed(21, given["event"])
        case "PUT", ["contents", *path]:
            return _put("/".join(path), given)
    return _of_commits(asked, place, given)


def _of_commits(asked: Asked, place: str, given: dict[str, Any]) -> Reply:
    match asked.method, place.split("/"):
        case "POST", ["git", "refs"] if given["ref"].startswith("refs/heads/"):
            return Reply(status=201, value={"ref": given["ref"], "object": {"sha": given["sha"]}})
        case "DELETE", ["git", "refs", "heads", *branch]:
            gone = branch == ["gone"]
            words = "Reference does not exist"
            return _refused(422, words) if gone else Reply(status=204, body=b"")
        case "POST", ["check-runs"]:
            return Reply(status=201, value={**given, "id": 5, "html_url": f"{_AT}/runs/5"})
        case "PATCH", ["check-runs", number]:
            url = f"{_AT}/runs/{number}"
            return Reply(value={**given, "id": int(number), "html_url": url})
        case "POST", ["statuses", sha]:
            url = f"https://api.github.com/repos/ann/cats/statuses/{sha}"
            rest = {"description": None, "target_url": None, **_TIMES}
            return Reply(status=201, value={**rest, **given, "id": 6, "url": url})
    return _refused(404, "Not Found")


def _opened(kind: str, given: dict[str, Any]) -> Reply:
    if kind == "issues":
        return Reply(status=201, value={"number": 7, "html_url": f"{_AT}/issues/7"})
    if given["head"] == given["base"]:
        return _refused(422, "Validation Failed")
    return Reply(status=201, value={"number": 8, "html_url": f"{_AT}/pull/8"})


def _reviewed(number: int, event: str | None) -> Reply:
    url = f"{_AT}/pull/2#pullrequestreview-{number}"
    state = _STATES[event] if event else "PENDING"
    return Reply(value={"id": number, "state": state, "html_url": url})


def _put(path: str, given: dict[str, Any]) -> Reply:
    known = _file(path)["sha"] if path in _FILES else None
    if given.get("sha") != known:
        return _refused(422, 'Invalid request. "sha" was not supplied.')
    base64.b64decode(given["content"], validate=True)
    url = f"{_AT}/blob/{given['branch']}/{path}"
    return Reply(value={"content": {"html_url": url}, "commit": {"sha": "c1"}})


def _new_repository(given: dict[str, Any]) -> Reply:
    if given["name"] == "cats":
        words = "name already exists on this account"
        return Reply(status=422, value={"message": words, "errors": [{"message": words}]})
    url = f"https://github.com/ann/{given['name']}"
    return Reply(status=201, value={"html_url": url, "clone_url": f"{url}.git"})


def _graph(asked: dict[str, Any]) -> Reply:
    given = asked["variables"]
    if "thread" in given:
        verb = "unresolveReviewThread" if "unresolve" in asked["query"] else "resolveReviewThread"
        return Reply(value={"data": {verb: {"thread": {"id": given["thread"]}}}})
    if given["name"] != "cats":
        words = f"Could not resolve to a Repository with the name '{given['name']}'."
        error = {"type": "NOT_FOUND", "message": words}
        return Reply(value={"data": {"repository": None}, "errors": [error]})
    if "discussions" in asked["query"]:
        nodes = [{"title": "Why", "url": f"{_AT}/discussions/3"}]
        return Reply(value={"data": {"repository": {"discussions": {"nodes": nodes}}}})
    second = given["after"] == "second"
    thread = {"id": "T2" if second else "T1"}
    said = {"comments": {"nodes": [{"databaseId": 31 if second else 30}]}}
    page = {"hasNextPage": not second, "endCursor": None if second else "second"}
    threads = {"pageInfo": page, "nodes": [{**thread, **said}]}
    return Reply(value={"data": {"repository": {"pullRequest": {"reviewThreads": threads}}}})


def _refused(status: int, words: str) -> Reply:
    return Reply(status=status, value={"message": words, "documentation_url": "https://docs"})
