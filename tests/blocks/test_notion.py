"""Notion: pages as Markdown and back, long ones in parts, entries as plain values."""

from typing import Any

import pytest

from backend.blocks.notion.databases import NotionReadDatabaseBlock
from backend.blocks.notion.markdown import blocks_of, markdown_of
from backend.blocks.notion.pages import NotionCreatePageBlock, NotionReadPageMarkdownBlock
from backend.blocks.notion.service import entry_of, id_in, text_parts
from backend.core.errors import BlockError
from backend.sdk import BlockContext
from backend.testing.blocks import outputs_of
from backend.testing.standin import StandIn

MINE = {"id": "mine", "provider": "notion", "type": "oauth2"}
PAGE = "0123456789abcdef0123456789abcdef"


TEXT = """\
# One

### Three

plain
and on

- a
- [x] b
1. c

> said

---

```python
# no heading
```"""


@pytest.mark.parametrize(
    "text",
    [
        PAGE,
        "01234567-89ab-cdef-0123-456789ABCDEF",
        f"https://www.notion.so/ann/Cats-and-more-{PAGE}?pvs=4",
        f"https://www.notion.so/{PAGE}?v={'f' * 32}",
    ],
)
def test_an_id_is_found_in_an_address(text: str) -> None:
    assert id_in(text) == PAGE


def test_lines_become_blocks_and_blocks_become_lines() -> None:
    blocks = blocks_of(TEXT)

    assert [block["type"] for block in blocks] == [
        "heading_1", "heading_3", "paragraph", "bulleted_list_item", "to_do",
        "numbered_list_item", "quote", "divider", "code",
    ]  # fmt: skip
    assert markdown_of([_given(block) for block in blocks]) == TEXT


def _given(block: dict[str, Any]) -> dict[str, Any]:
    """Return a block that we send as the service gives it back."""
    kind = block["type"]
    parts = [{"plain_text": part["text"]["content"]} for part in block[kind].get("rich_text", [])]
    return {**block, kind: {**block[kind], "rich_text": parts}}


def test_a_long_text_goes_in_pieces() -> None:
    parts = text_parts("x" * 4500)

    assert [len(part["text"]["content"]) for part in parts] == [2000, 2000, 500]


async def test_blocks_are_read_page_after_page_and_those_inside(
    services: StandIn, played: BlockContext
) -> None:
    asked = {"page_id": PAGE, "include_title": False, "credentials": MINE}

    outputs = dict(await outputs_of(NotionReadPageMarkdownBlock(), asked, played))

    assert outputs["markdown"].startswith("They **purr**.")
    assert [asked.one("start_cursor") for asked in services.asked[1:3]] == ["", "second"]
    assert services.asked[-1].path == "/blocks/bulleted_list_item-1/children"


async def test_a_long_page_is_made_in_parts(services: StandIn, played: BlockContext) -> None:
    lines = "\n".join(f"- {number}" for number in range(250))
    asked = {"parent_page_id": PAGE, "title": "Many", "content": lines, "credentials": MINE}

    await outputs_of(NotionCreatePageBlock(), {**asked, "icon_emoji": "🐕"}, played)

    made = services.play("notion").made[-3:]
    assert [len(each["children"]) for each in made] == [100, 100, 50]
    assert made[0]["icon"] == {"type": "emoji", "emoji": "🐕"}
    assert made[0]["parent"] == {"page_id": PAGE}


async def test_properties_are_written_by_the_kinds_that_the_database_has(
    services: StandIn, played: BlockContext
) -> None:
    values = {"Age": 7, "Tags": "wild, old"}
    asked = {"parent_database_id": PAGE, "title": "Tom", "properties": values, "credentials": MINE}

    await outputs_of(NotionCreatePageBlock(), asked, played)

    assert services.play("notion").made[-1]["properties"] == {
        "Age": {"number": 7},
        "Tags": {"multi_select": [{"name": "wild"}, {"name": "old"}]},
        "Name": {"title": [{"type": "text", "text": {"content": "Tom"}}]},
    }


async def test_a_filter_is_of_the_kind_of_its_property(
    services: StandIn, played: BlockContext
) -> None:
    asked = {"database_id": PAGE, "credentials": MINE, "limit": 5}

    for name, value in (("Age", "7"), ("Name", "Tom")):
        wanted = {"filter_property": name, "filter_value": value}
        await outputs_of(NotionReadDatabaseBlock(), {**asked, **wanted}, played)

    sent = [each.json() for each in services.asked if each.method == "POST"]
    assert [each["filter"] for each in sent] == [
        {"property": "Age", "number": {"equals": 7.0}},
        {"property": "Name", "title": {"contains": "Tom"}},
    ]
    with pytest.raises(BlockError, match="could not convert"):
        await outputs_of(
            NotionReadDatabaseBlock(),
            {**asked, "filter_property": "Age", "filter_value": "old"},
            played,
        )


def test_values_of_all_kinds_become_plain() -> None:
    properties: dict[str, Any] = {
        "a": {"type": "select", "select": {"name": "x"}},
        "b": {"type": "select", "select": None},
        "c": {"type": "people", "people": [{"id": "u1"}, {"id": "u2", "name": "Ann"}]},
        "d": {"type": "formula", "formula": {"type": "number", "number": 3}},
        "e": {"type": "rollup", "rollup": {"type": "array", "array": [
            {"type": "title", "title": [{"plain_text": "y"}]}]}},
        "f": {"type": "unique_id", "unique_id": {"prefix": "CAT", "number": 1}},
        "g": {"type": "date", "date": {"start": "2026-01-31"}},
    }  # fmt: skip

    assert entry_of({"properties": properties}) == {
        "a": "x",
        "b": None,
        "c": ["u1", "Ann"],
        "d": 3,
        "e": ["y"],
        "f": "CAT-1",
        "g": {"start": "2026-01-31"},
    }
