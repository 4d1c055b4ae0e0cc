"""GitHub: how its blocks call it, and what they all take."""

import re
from collections.abc import Mapping
from typing import Any, Final

from backend.sdk import (
    Category,
    CredentialsKind,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.calling import CallingBase, ListingBase, Reads
from backend.sdk.services import MAX_PAGES, Query, Service, ServiceCalls, path_of

GITHUB: Final = Service(
    provider="github",
    name="GitHub",
    url="https://api.github.com",
    always={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
    limit_words=("API rate limit exceeded", "exceeded a secondary rate limit"),
)
#: For examples.
MINE: Final = {"id": "mine", "provider": "github", "type": "api_key"}
REPOSITORY: Final = "https://github.com/ann/cats"
ISSUE: Final = f"{REPOSITORY}/issues/1"
PULL: Final = f"{REPOSITORY}/pull/2"

#: Entries of a list that are read, however many there are.
MOST: Final = 1000
_PAGE: Final = 100
_NAME: Final = re.compile(r"(?!\.+$)[A-Za-z0-9_.-]{1,100}")


def account_pin(*scopes: str, key_only: bool = False) -> Any:
    """Return the pin that takes an account at GitHub with *scopes*."""
    kinds = [CredentialsKind.KEY] if key_only else [CredentialsKind.KEY, CredentialsKind.OAUTH2]
    return credentials_pin(
        ["github"], kinds, scopes=[*scopes], description="A token of GitHub, or an account."
    )


@pins
class Account:
    """What all blocks take."""

    credentials: dict[str, Any] = account_pin("repo")


@pins
class InRepository(Account):
    """What works in a repository."""

    repo_url: str = pin(description="The address of the repository.", placeholder=REPOSITORY)


@pins
class AtIssue(Account):
    """What works at an issue."""

    issue_url: str = pin(
        description="The address of the issue, or of a pull request.", placeholder=ISSUE
    )


@pins
class AtPull(Account):
    """What works at a pull request."""

    pr_url: str = pin(description="The address of the pull request.", placeholder=PULL)


@pins
class InReview(Account):
    """What works at the reviews of a pull request."""

    repo: str = pin(description="The repository: owner/name.", placeholder="ann/cats")
    pr_number: int = pin(description="The number of the pull request.")


@pins
class Done:
    """What says that it is done."""

    error: str = pin(description="What went wrong.")
    status: str = pin(description="That it is done.")


@pins
class Made:
    """What says under what number something is there."""

    error: str = pin(description="What went wrong.")
    number: int = pin(description="Its number.")
    url: str = pin(description="Its address.")


class GithubBase(CallingBase):
    """A block of GitHub."""

    categories = (Category.DEVELOPER_TOOLS,)
    service = GITHUB


class GithubListBase(Reads, ListingBase):
    """A block that lists things at GitHub."""

    categories = (Category.DEVELOPER_TOOLS,)
    service = GITHUB


def repository(place: str) -> tuple[str, str]:
    """
    Return owner and name of the repository that *place* names: ``owner/name`` or its address.

    Raises:
        ValueError: If it names none.
    """
    owner, name, *_ = [*_segments(place), "", ""]
    name = name.removesuffix(".git")
    if not (_NAME.fullmatch(owner) and _NAME.fullmatch(name)):
        raise ValueError(f"{place[:200]!r} is no repository, such as {REPOSITORY}")
    return owner, name


def in_repository(place: str, *segments: str | int) -> str:
    """Return the path of what *segments* name in the repository *place*. Raises ValueError."""
    return path_of("repos", *repository(place), *segments)


def numbered(place: str, *kinds: str) -> tuple[str, int]:
    """
    Return the repository ``owner/name`` and the number of the issue or pull request *place*.

    Args:
        kinds: What may stand before the number in an address.

    Raises:
        ValueError: If it names none.
    """
    match _segments(place):
        case [owner, name, kind, number, *_] if kind in kinds and number.isdecimal():
            return "/".join(repository(f"{owner}/{name}")), int(number)
    raise ValueError(f"{place[:200]!r} names no number, such as {REPOSITORY}/{kinds[0]}/1")


def issue_path(place: str, *segments: str | int) -> str:
    """Return the path of the issue *place*, or of something at it. Raises ValueError."""
    repo, number = numbered(place, "issues", "pull", "pulls")
    return in_repository(repo, "issues", number, *segments)


def pull_path(place: str, *segments: str | int) -> str:
    """Return the path of the pull request *place*, or of something at it. Raises ValueError."""
    repo, number = numbered(place, "pull", "pulls")
    return in_repository(repo, "pulls", number, *segments)


def _segments(place: str) -> list[str]:
    """Return the parts of the path that *place* has, without scheme and host."""
    text = place.strip().partition("#")[0].partition("?")[0]
    scheme, mark, rest = text.partition("://")
    if not mark:
        rest = scheme.removeprefix("github.com/").removeprefix("www.github.com/")
        return rest.strip("/").split("/")
    return rest.partition("/")[2].strip("/").split("/")


async def listed(
    calls: ServiceCalls,
    path: str,
    *,
    query: Query | None = None,
    inside: str = "",
    most: int = MOST,
) -> list[dict[str, Any]]:
    """
    Return the entries of a list, page after page, *most* at the most.

    Args:
        inside: Where in an answer they are; empty: it is the list.
    """
    found: list[dict[str, Any]] = []
    for page in range(1, MAX_PAGES + 1):
        asked: Query = {**(query or {}), "per_page": min(most, _PAGE), "page": page}
        answer = await calls.send("GET", path, query=asked)
        read = calls.json_of(answer)
        found += calls.entries(read if inside and isinstance(read, dict) else {"": read}, inside)
        if len(found) >= most or 'rel="next"' not in (answer.header("link") or ""):
            break
    return found[:most]


def login(calls: ServiceCalls, found: Mapping[str, Any]) -> str:
    """Return who wrote *found*; GitHub calls those who are gone a ghost."""
    return "ghost" if found.get("user") is None else calls.need(found, str, "user", "login")
