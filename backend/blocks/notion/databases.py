"""Notion: entries of databases, and whatever a search finds."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from backend.blocks.notion.service import (
    MINE,
    NOTION,
    PAGE,
    Account,
    NotionBase,
    entry_of,
    id_in,
    title_of,
)
from backend.sdk import BlockContext, Category, Example, Json, pin, pins
from backend.sdk.calling import Reads
from backend.sdk.services import ServiceCalls, path_of
from backend.sdk.shapes import absent, many, record

_TEXTS: Final = frozenset({"title", "rich_text", "url", "email", "phone_number"})
_CHOICES: Final = frozenset({"select", "status"})
_LISTS: Final = frozenset({"multi_select", "people", "relation"})
_FOUND: Final = {
    "id": PAGE,
    "type": "page",
    "title": "Cats",
    "url": "https://www.notion.so/Cats",
    "created_time": None,
    "last_edited_time": None,
    "parent_type": "workspace",
    "parent_id": None,
    "icon": "🐈",
    "is_inline": None,
}
_ENTRY: Final = {"Name": "Tom", "Age": 7, "Tags": ["wild"]}


_NOTION_SEARCH_RESULT_SHAPE: Final = record(
    {
        "id": str,
        "type": str,
        "title": str,
        "url": str,
        "created_time": absent(str | None),
        "last_edited_time": absent(str | None),
        "parent_type": absent(str | None),
        "parent_id": absent(str | None),
        "icon": absent(str | None),
        "is_inline": absent(bool | None),
    },
    optional=["created_time", "last_edited_time", "parent_type", "parent_id", "icon", "is_inline"],
)


class NotionReadDatabaseBlock(Reads, NotionBase):
    """Reads entries of a database at Notion, filtered and sorted."""

    id = "fcd53135-88c9-4ba3-be50-cc6936286e6c"
    examples = (
        Example(
            inputs={
                "database_id": PAGE,
                "filter_property": "Tags",
                "filter_value": "wild",
                "sort_property": "Age",
                "credentials": MINE,
            },
            outputs=[
                ("entries", [_ENTRY]),
                ("entry_ids", ["e1"]),
                ("entry", _ENTRY),
                ("entry_id", "e1"),
                ("count", 1),
                ("database_title", "All cats"),
            ],
        ),
        Example(
            inputs={
                "database_id": PAGE,
                "filter_property": "Size",
                "filter_value": "1",
                "credentials": MINE,
            },
            error="the database has no property 'Size'",
        ),
    )

    @pins
    class Input(Account):
        """Input pins."""

        database_id: str = pin(description="The database: its id or its address.")
        filter_property: str | None = pin(
            default=None, description="The property that decides; not given: all entries."
        )
        filter_value: str | None = pin(default=None, description="What it has, or contains.")
        sort_property: str | None = pin(
            default=None, description="The property that they are sorted by."
        )
        sort_direction: str | None = pin(
            default="ascending", description="ascending or descending."
        )
        limit: int = pin(default=100, ge=1, le=100, description="How many at the most.")

    @pins
    class Output:
        """Output pins."""

        entries: list[dict[str, Any]] = pin(description="What all of them hold, by property.")
        entry: dict[str, Any] = pin(description="One of them.")
        entry_ids: list[str] = pin(description="The pages that they are.")
        entry_id: str = pin(description="The page that one is.")
        count: int = pin(description="How many there are.")
        database_title: str = pin(description="What the database is called.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield all, then each."""
        calls = NOTION.calls(context, inputs.credentials)
        path = path_of("databases", id_in(inputs.database_id))
        database = await calls.object("GET", path)
        known = calls.need(database, dict, "properties")
        value: dict[str, Json] = {"page_size": inputs.limit}
        if inputs.filter_property and inputs.filter_value is not None:
            value["filter"] = _filter(known, inputs.filter_property, inputs.filter_value)
        if inputs.sort_property:
            direction = inputs.sort_direction or "ascending"
            value["sorts"] = [{"property": inputs.sort_property, "direction": direction}]
        found = calls.entries(await calls.object("POST", f"{path}/query", value=value), "results")
        ids = [calls.need(each, str, "id") for each in found]
        entries = [entry_of(each) for each in found]
        yield "entries", entries
        yield "entry_ids", ids
        for key, entry in zip(ids, entries, strict=True):
            yield "entry", entry
            yield "entry_id", key
        yield "count", len(entries)
        yield "database_title", title_of(database)


def _filter(known: Mapping[str, Any], name: str, wanted: str) -> Json:
    """Return the filter for a property, by its kind. Raises ValueError."""
    if name not in known:
        raise ValueError(f"the database has no property {name!r}: it has {', '.join(known)}")
    kind = str(known[name].get("type"))
    if kind in _TEXTS or kind in _LISTS:
        return {"property": name, kind: {"contains": wanted}}
    if kind in _CHOICES or kind == "date":
        return {"property": name, kind: {"equals": wanted}}
    if kind == "checkbox":
        return {"property": name, kind: {"equals": wanted.strip().lower() in ("true", "yes", "1")}}
    if kind == "number":
        return {"property": name, kind: {"equals": float(wanted)}}
    raise ValueError(f"entries cannot be filtered by {name!r}: it is of the kind {kind}")


class NotionSearchBlock(Reads, NotionBase):
    """Searches pages and databases at Notion by their titles."""

    id = "313515dd-9848-46ea-9cd6-3c627c892c56"
    categories = (Category.PRODUCTIVITY, Category.SEARCH)
    examples = (
        Example(
            inputs={"query": "cat", "filter_type": "page", "credentials": MINE},
            outputs=[
                ("results", [_FOUND]),
                ("result_ids", [PAGE]),
                ("result", _FOUND),
                ("count", 1),
            ],
        ),
        Example(inputs={"filter_type": "cat", "credentials": MINE}, error="page or database"),
    )

    @pins
    class Input(Account):
        """Input pins."""

        query: str = pin(default="", description="What to search for; empty: everything.")
        filter_type: str | None = pin(
            default=None, description="page or database; not given: both."
        )
        limit: int = pin(default=20, ge=1, le=100, description="How many at the most.")

    @pins
    class Output:
        """Output pins."""

        results: list[dict[str, Any]] = pin(
            schema=many(_NOTION_SEARCH_RESULT_SHAPE, "NotionSearchResult"),
            description="All that was found.",
        )
        result: dict[str, Any] = pin(
            title="NotionSearchResult", schema=_NOTION_SEARCH_RESULT_SHAPE, description="One of it."
        )
        result_ids: list[str] = pin(description="The ids.")
        count: int = pin(description="How many.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield all, then each."""
        calls = NOTION.calls(context, inputs.credentials)
        value: dict[str, Json] = {"query": inputs.query, "page_size": inputs.limit}
        if inputs.filter_type:
            if inputs.filter_type not in ("page", "database"):
                raise ValueError("filter_type is page or database")
            value["filter"] = {"property": "object", "value": inputs.filter_type}
        found = calls.entries(await calls.object("POST", "search", value=value), "results")
        results = [_result(calls, each) for each in found[: inputs.limit]]
        yield "results", results
        yield "result_ids", [each["id"] for each in results]
        for each in results:
            yield "result", each
        yield "count", len(results)


def _result(calls: ServiceCalls, found: Mapping[str, Any]) -> dict[str, Any]:
    parent, icon = found.get("parent") or {}, found.get("icon") or {}
    kind = parent.get("type")
    inside = parent.get(str(kind))
    return {
        "id": calls.need(found, str, "id"),
        "type": str(found.get("object") or ""),
        "title": title_of(found) or "Untitled",
        "url": str(found.get("url") or ""),
        "created_time": found.get("created_time"),
        "last_edited_time": found.get("last_edited_time"),
        "parent_type": kind,
        "parent_id": inside if isinstance(inside, str) else None,
        "icon": icon.get("emoji"),
        "is_inline": found.get("is_inline"),
    }
