"""Reddit: how its blocks call it, and how what it says is handed on."""

import re
from collections.abc import Mapping
from typing import Any, Final

from backend.sdk import (
    BadRequest,
    Category,
    CredentialsKind,
    FormBody,
    ServiceLimited,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.calling import CallingBase, ListingBase, Reads
from backend.sdk.services import Query, Service, ServiceCalls, pages, path_of
from backend.sdk.shapes import record

REDDIT: Final = Service(provider="reddit", name="Reddit", url="https://oauth.reddit.com")
#: For examples.
MINE: Final = {"id": "mine", "provider": "reddit", "type": "oauth2"}
#: Of one list, however many are asked for.
MOST: Final = 1000
_PAGE: Final = 100
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{2,50}")
_ID: Final = re.compile(r"[a-z0-9]{1,13}", re.IGNORECASE)
_WEB: Final = "https://www.reddit.com"

#: A post in short.
POST: Final = record({"post_id": str, "subreddit": str, "title": str, "body": str})
COMMENT: Final = record(
    {
        "comment_id": str,
        "post_id": str,
        "parent_comment_id": str | None,
        "author": str,
        "body": str,
        "score": int,
        "created_utc": float,
        "edited": bool,
        "is_submitter": bool,
        "permalink": str,
        "depth": int,
    }
)


@pins
class Account:
    """What all blocks take."""

    credentials: dict[str, Any] = credentials_pin(
        ["reddit"], [CredentialsKind.OAUTH2], description="An account at Reddit."
    )


@pins
class InCommunity(Account):
    """What works in a community."""

    subreddit: str = pin(description="The community, with or without r/ before it.")


class RedditBase(CallingBase):
    """A block of Reddit."""

    categories = (Category.SOCIAL,)
    service = REDDIT


class RedditListBase(Reads, ListingBase):
    """A block that lists things at Reddit."""

    categories = (Category.SOCIAL,)
    service = REDDIT


def community(name: str) -> str:
    """Return the path of a community. Raises ValueError."""
    return path_of("r", _named(name, "r", "community"))


def person(name: str) -> str:
    """Return the path of somebody. Raises ValueError."""
    return path_of("user", _named(name, "u", "user"))


def user_name(name: str) -> str:
    """Return the bare name of somebody. Raises ValueError."""
    return _named(name, "u", "user")


def _named(name: str, mark: str, what: str) -> str:
    bare = name.strip().strip("/").removeprefix(f"{mark}/").removeprefix("user/")
    if not _NAME.fullmatch(bare):
        raise ValueError(f"{name[:80]!r} is no name of a {what}")
    return bare


def full_name(kind: str, name: str) -> str:
    """
    Return the id of a thing as the service writes it, with its kind: t1 a comment, t3 a post.

    Raises:
        ValueError: If it is none, or of another kind.
    """
    bare = name.strip().removeprefix(f"{kind}_")
    if not _ID.fullmatch(bare):
        raise ValueError(f"{name[:80]!r} is no id of Reddit")
    return f"{kind}_{bare.lower()}"


async def ask(calls: ServiceCalls, path: str, query: Query | None = None) -> Any:
    """Return an answer, with its texts as they were written."""
    return await calls.json("GET", path, query={**(query or {}), "raw_json": 1})


async def things(
    calls: ServiceCalls, path: str, *, most: int, query: Query | None = None
) -> list[dict[str, Any]]:
    """Return the facts of the things in a list, page after page, *most* at the most."""
    if most < 1:
        raise ValueError("the limit is 1 at least")
    most = min(most, MOST)

    async def page(after: str | None) -> tuple[list[Any], str | None]:
        asked: Query = {**(query or {}), "limit": min(most, _PAGE), "after": after}
        found = await ask(calls, path, asked)
        return inside(calls, found), calls.need(found, dict, "data").get("after")

    return await pages(page, most=most)


def inside(calls: ServiceCalls, found: Any, *kinds: str) -> list[dict[str, Any]]:
    """Return the facts of the things in *found*, a list of the service; *kinds*: only of those."""
    children = calls.entries(calls.need(found, dict, "data"), "children")
    return [
        calls.need(child, dict, "data")
        for child in children
        if not kinds or child.get("kind") in kinds
    ]


async def one_thing(calls: ServiceCalls, name: str) -> dict[str, Any]:
    """Return the facts of the thing with that full name. Raises ValueError if it is not there."""
    found = inside(calls, await ask(calls, "api/info", {"id": name}))
    if not found:
        raise ValueError(f"there is nothing {name} at Reddit")
    return found[0]


async def send(calls: ServiceCalls, path: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """
    Send *fields*; return the data of the answer.

    Raises:
        ServiceLimited: If it says in an answer of success that it is too much.
        BadRequest: If it says there that anything else is wrong.
    """
    body = FormBody(fields={**fields, "api_type": "json", "raw_json": "1"})
    found = calls.json_of(await calls.send("POST", path, body=body))
    said = calls.need(found, dict, "json") if path != "api/del" else {}
    errors = said.get("errors") or []
    if errors:
        words = "; ".join(": ".join(map(str, error[:2])) for error in errors)[:300]
        if "RATELIMIT" in words:
            after_s = said.get("ratelimit")
            after = float(after_s) if isinstance(after_s, int | float) else None
            raise ServiceLimited(f"Reddit answers: {words}", retry_after_s=after)
        raise BadRequest(f"Reddit answers: {words}")
    data = said.get("data")
    return data if isinstance(data, dict) else {}


def link_to(found: Mapping[str, Any]) -> str:
    """Return where people look at a thing."""
    return f"{_WEB}{found.get('permalink') or ''}"


def author_of(found: Mapping[str, Any]) -> str:
    """Return who wrote a thing; of who is gone the service says nothing."""
    return str(found.get("author") or "[deleted]")


def post_of(calls: ServiceCalls, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a post in short."""
    return {
        "post_id": calls.need(found, str, "id"),
        "subreddit": str(found.get("subreddit") or ""),
        "title": str(found.get("title") or ""),
        "body": str(found.get("selftext") or ""),
    }


def comment_of(calls: ServiceCalls, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a comment as pins hold it."""
    parent = str(found.get("parent_id") or "")
    return {
        "comment_id": calls.need(found, str, "id"),
        "post_id": str(found.get("link_id") or "").removeprefix("t3_"),
        "parent_comment_id": parent[3:] if parent.startswith("t1_") else None,
        "author": author_of(found),
        "body": str(found.get("body") or ""),
        "score": int(found.get("score") or 0),
        "created_utc": float(found.get("created_utc") or 0),
        # It is a time, where there is one.
        "edited": bool(found.get("edited")),
        "is_submitter": bool(found.get("is_submitter")),
        "permalink": link_to(found),
        "depth": int(found.get("depth") or 0),
    }
