"""Notion: how its blocks call it, and what its texts say."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from backend.sdk import Category, CredentialsKind, credentials_pin, pins
from backend.sdk.calling import CallingBase
from backend.sdk.services import Service

NOTION: Final = Service(
    provider="notion",
    name="Notion",
    url="https://api.notion.com/v1",
    always={"Notion-Version": "2022-06-28"},
)
#: For examples.
MINE: Final = {"id": "mine", "provider": "notion", "type": "oauth2"}
PAGE: Final = "0123456789abcdef0123456789abcdef"
_ID: Final = re.compile(r"[0-9a-f]{32}$", re.IGNORECASE)
_NAMED: Final = frozenset({"select", "status", "created_by", "last_edited_by"})
_NAMED_LISTS: Final = frozenset({"multi_select", "people", "relation", "files"})


@pins
class Account:
    """What all blocks take."""

    credentials: dict[str, Any] = credentials_pin(
        ["notion"], [CredentialsKind.OAUTH2], description="An account at Notion."
    )


class NotionBase(CallingBase):
    """A block of Notion."""

    categories: ClassVar[Sequence[Category]] = (Category.PRODUCTIVITY,)
    service = NOTION


def id_in(text: str) -> str:
    """
    Return the id of a page or database in *text*: the id, or the address at which people look.

    Raises:
        ValueError: If there is none.
    """
    path = text.strip().partition("?")[0].replace("-", "")
    found = _ID.search(path.rstrip("/"))
    if found is None:
        raise ValueError(f"{text[:200]!r} has no id of Notion in it")
    return found[0].lower()


def words_of(parts: Any) -> str:
    """Return what a text of Notion says, without its looks."""
    return "".join(str(part.get("plain_text") or "") for part in parts or [])


def title_of(thing: Mapping[str, Any]) -> str:
    """Return what a page or a database is called; empty: nothing."""
    if thing.get("object") == "database":
        return words_of(thing.get("title"))
    for found in (thing.get("properties") or {}).values():
        if isinstance(found, dict) and found.get("type") == "title":
            return words_of(found.get("title"))
    return ""


def value_of(found: Mapping[str, Any]) -> Any:
    """Return what a property of a page holds, as plain JSON: of things with names the names."""
    kind = str(found.get("type"))
    value = found.get(kind)
    if kind in ("title", "rich_text"):
        return words_of(value)
    if kind in ("formula", "rollup"):
        return _computed(value or {})
    if kind == "unique_id" and value:
        parts = (value.get("prefix"), value.get("number"))
        return "-".join(str(part) for part in parts if part is not None)
    if kind in _NAMED:
        return value and (value.get("name") or value.get("id"))
    if kind in _NAMED_LISTS:
        return [each.get("name") or each.get("id") for each in value or []]
    return value


def _computed(value: Mapping[str, Any]) -> Any:
    found = value.get(str(value.get("type")))
    if isinstance(found, list):
        return [value_of(each) for each in found if isinstance(each, dict)]
    return found


def entry_of(page: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the properties of a page hold, by name."""
    return {name: value_of(found) for name, found in (page.get("properties") or {}).items()}


def text_parts(text: str) -> list[dict[str, Any]]:
    """Return *text* as the service takes it: in pieces of 2,000 characters."""
    pieces: Sequence[str] = [text[start : start + 2000] for start in range(0, len(text), 2000)]
    return [{"type": "text", "text": {"content": piece}} for piece in pieces]
