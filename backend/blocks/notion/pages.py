"""Notion: pages that are read and made."""

from collections.abc import Mapping
from typing import Any, Final

from backend.blocks.notion.markdown import blocks_of, markdown_of
from backend.blocks.notion.service import (
    MINE,
    PAGE,
    Account,
    NotionBase,
    id_in,
    text_parts,
    title_of,
)
from backend.sdk import Example, Json, TooLarge, pin, pins
from backend.sdk.calling import Makes, Reads
from backend.sdk.services import Query, ServiceCalls, pages, path_of

#: Blocks that one call takes, and gives.
_MOST: Final = 100
#: Of one page that is read: blocks, and calls for what is inside of them.
_MOST_BLOCKS: Final = 5000
_MOST_CALLS: Final = 200
_DEEPEST: Final = 8
_AT: Final = {"page_id": PAGE, "credentials": MINE}
_MADE: Final = "https://www.notion.so/made"


class NotionReadPageBlock(Reads, NotionBase):
    """Reads a page at Notion: its properties and what is known of it."""

    id = "5246cc1d-34b7-452b-8fc5-3fb25fd8f542"
    examples = (
        Example(
            inputs=_AT,
            outputs=[
                (
                    "page",
                    {
                        "object": "page",
                        "id": PAGE,
                        "url": "https://www.notion.so/Cats",
                        "properties": {
                            "title": {"type": "title", "title": [{"plain_text": "Cats"}]}
                        },
                    },
                )
            ],
        ),
        Example(inputs={**_AT, "page_id": "f" * 32}, error="Could not find page"),
        Example(inputs={**_AT, "page_id": "Cats"}, error="has no id of Notion in it"),
    )

    @pins
    class Input(Account):
        """Input pins."""

        page_id: str = pin(description="The page: its id or its address.")

    @pins
    class Output:
        """Output pins."""

        page: dict[str, Any] = pin(description="The page, in the words of the service.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Read it."""
        return {"page": await _page(calls, id_in(inputs.page_id))}


async def _page(calls: ServiceCalls, page_id: str) -> dict[str, Any]:
    found = await calls.object("GET", path_of("pages", page_id))
    calls.need(found, dict, "properties")
    return found


class NotionReadPageMarkdownBlock(Reads, NotionBase):
    """Reads a page at Notion as Markdown."""

    id = "d1312c4d-fae2-4e70-893d-f4d07cce1d4e"
    examples = (
        Example(
            inputs=_AT,
            outputs=[
                (
                    "markdown",
                    "# Cats\n\nThey **purr**.\n\n- One\n    - Inside\n- [x] Two\n\n```python\nmeow()\n```",
                ),
                ("title", "Cats"),
            ],
        ),
    )

    @pins
    class Input(Account):
        """Input pins."""

        page_id: str = pin(description="The page: its id or its address.")
        include_title: bool = pin(default=True, description="Its title stands first.")

    @pins
    class Output:
        """Output pins."""

        markdown: str = pin(description="What it says.")
        title: str = pin(description="What it is called.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Read it, with what is inside of its blocks."""
        page_id = id_in(inputs.page_id)
        title = title_of(await _page(calls, page_id))
        text = markdown_of(await _Reader(calls).blocks(page_id))
        first = f"# {title}\n\n" if inputs.include_title and title else ""
        return {"markdown": first + text, "title": title}


class _Reader:
    """Reads the blocks of one page; how many and how deep is bounded."""

    def __init__(self, calls: ServiceCalls) -> None:
        self._calls = calls
        self._left_blocks = _MOST_BLOCKS
        self._left_calls = _MOST_CALLS

    async def blocks(self, inside: str, depth: int = 0) -> list[dict[str, Any]]:
        """Return the blocks in a page or a block. Raises TooLarge."""

        async def page(cursor: str | None) -> tuple[list[Any], str | None]:
            query: Query = {"page_size": _MOST, "start_cursor": cursor}
            path = path_of("blocks", inside, "children")
            self._left_calls -= 1
            found = await self._calls.object("GET", path, query=query)
            return self._calls.entries(found, "results"), found.get("next_cursor")

        found: list[dict[str, Any]] = await pages(page, most=self._left_blocks)
        self._left_blocks -= len(found)
        for block in found:
            if block.get("has_children") and block.get("type") not in _OTHERS and depth < _DEEPEST:
                if self._left_blocks <= 0 or self._left_calls <= 0:
                    raise TooLarge(
                        f"the page has over {_MOST_BLOCKS:,} blocks, or too many inside others"
                    )
                block["children"] = await self.blocks(self._calls.need(block, str, "id"), depth + 1)
        return found


#: Pages and databases in a page are pages of their own.
_OTHERS: Final = frozenset({"child_page", "child_database"})


class NotionCreatePageBlock(Makes, NotionBase):
    """Makes a page at Notion, in another page or in a database, with a text in Markdown."""

    id = "c15febe0-66ce-4c6f-aebd-5ab351653804"
    examples = (
        Example(
            inputs={
                "parent_page_id": PAGE,
                "title": "Dogs",
                "content": "wuff",
                "credentials": MINE,
            },
            outputs=[("page_id", "made"), ("page_url", _MADE)],
        ),
        Example(inputs={"title": "Dogs", "credentials": MINE}, error="one of the two is needed"),
        Example(
            inputs={
                "parent_database_id": PAGE,
                "title": "Dogs",
                "properties": {"Size": 3},
                "credentials": MINE,
            },
            error="the database has no property 'Size'",
        ),
    )

    @pins
    class Input(Account):
        """Input pins."""

        parent_page_id: str | None = pin(default=None, description="The page in which it is made,")
        parent_database_id: str | None = pin(default=None, description="or the database.")
        title: str = pin(description="What it is called.")
        content: str | None = pin(default=None, description="What it says, in Markdown.")
        properties: dict[str, Any] | None = pin(
            default=None, description="In a database: its properties, by name."
        )
        icon_emoji: str | None = pin(default=None, description="A sign before its title.")

    @pins
    class Output:
        """Output pins."""

        page_id: str = pin(description="The page.")
        page_url: str = pin(description="Its address.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Make it; what does not go into one call is appended."""
        if bool(inputs.parent_page_id) == bool(inputs.parent_database_id):
            raise ValueError("parent_page_id or parent_database_id: one of the two is needed")
        title: Json = {"title": [*text_parts(inputs.title)]}
        if inputs.parent_database_id:
            parent: Json = {"database_id": id_in(inputs.parent_database_id)}
            known = await calls.object(
                "GET", path_of("databases", id_in(inputs.parent_database_id))
            )
            properties = _properties(calls.need(known, dict, "properties"), inputs.properties or {})
            properties[_title_name(known["properties"])] = title
        else:
            parent, properties = {"page_id": id_in(inputs.parent_page_id or "")}, {"title": title}
        blocks = blocks_of(inputs.content or "")
        value: dict[str, Json] = {
            "parent": parent,
            "properties": properties,
            "children": [*blocks[:_MOST]],
        }
        if inputs.icon_emoji:
            value["icon"] = {"type": "emoji", "emoji": inputs.icon_emoji}
        made = await calls.object("POST", "pages", value=value)
        page_id = calls.need(made, str, "id")
        for start in range(_MOST, len(blocks), _MOST):
            more: Json = {"children": [*blocks[start : start + _MOST]]}
            await calls.object("PATCH", path_of("blocks", page_id, "children"), value=more)
        return {"page_id": page_id, "page_url": calls.need(made, str, "url")}


def _title_name(known: Mapping[str, Any]) -> str:
    """Return the name of the property of a database that is the title."""
    return next((name for name, found in known.items() if found.get("type") == "title"), "title")


def _properties(known: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Json]:
    """Return *given* as the service takes it for a database. Raises ValueError."""
    found: dict[str, Json] = {}
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"the database has no property {name!r}: it has {', '.join(known)}")
        # Who writes it in the words of the service knows best.
        found[name] = value if isinstance(value, dict) else _property(known[name]["type"], value)
    return found


def _property(kind: str, value: Any) -> Json:
    match kind:
        case "title" | "rich_text":
            return {kind: [*text_parts(str(value))]}
        case "select" | "status":
            return {kind: {"name": str(value)} if value else None}
        case "multi_select":
            names = value if isinstance(value, list) else str(value).split(",")
            return {kind: [{"name": str(name).strip()} for name in names]}
        case "date":
            return {kind: {"start": str(value)} if value else None}
        case "relation":
            return {kind: [{"id": id_in(str(each))} for each in value]}
    return {kind: value}
