"""The builder's menu: what stands where, and what a search finds first."""

from typing import Any

from backend.core.block import BlockSpec, BlockType, Category
from backend.core.ids import BlockId
from backend.core.menu import BlockKind, Menu


def block(name: str, description: str = "", **changes: Any) -> BlockSpec:
    return BlockSpec(id=BlockId(name), name=name, description=description, **changes)


def with_account(name: str, *providers: str) -> BlockSpec:
    pin = {"type": "object", "credentials_provider": list(providers)}
    return block(name, inputs={"type": "object", "properties": {"credentials": pin}})


MENU = Menu(
    [
        block("FillTextTemplateBlock", "Fills a template", categories=(Category.TEXT,)),
        block("TextBlock", categories=(Category.TEXT, Category.BASIC)),
        block("TextReplaceBlock"),
        block("AgentInputBlock", "takes text", block_type=BlockType.INPUT),
        block("AgentOutputBlock", block_type=BlockType.OUTPUT),
        with_account("GitHubMakeIssueBlock", "github"),
        with_account("AskModelBlock", "openai", "github"),
    ]
)


def names(found: Any) -> list[str]:
    return [getattr(one, "spec", one).name for one in found]


def test_blocks_are_parted_by_kind_category_and_provider() -> None:
    assert names(MENU.of_kind(BlockKind.INPUT)) == ["AgentInputBlock"]
    assert names(MENU.of_kind(BlockKind.OUTPUT)) == ["AgentOutputBlock"]
    assert len(MENU.of_kind(BlockKind.ACTION)) == 5
    assert len(MENU.of_kind(BlockKind.ALL)) == 7
    assert names(MENU.of_category("TEXT")) == ["FillTextTemplateBlock", "TextBlock"]
    assert names(MENU.of_provider("openai")) == ["AskModelBlock"]
    assert MENU.categories == {"basic": 1, "text": 2}
    assert MENU.providers == {"github": 2, "openai": 1}


def test_the_nearest_stands_first() -> None:
    assert names(MENU.search("text")) == [
        "TextBlock",
        "TextReplaceBlock",
        "FillTextTemplateBlock",
        "AgentInputBlock",
    ]


def test_all_words_must_be_there_somewhere() -> None:
    assert names(MENU.search("template FILLS")) == ["FillTextTemplateBlock"]
    assert names(MENU.search("github")) == ["AskModelBlock", "GitHubMakeIssueBlock"][::-1]
    assert names(MENU.search("text nothing")) == []


def test_an_empty_search_finds_all() -> None:
    assert len(MENU.search(" ")) == len(MENU.search("%*[")) == 7


def test_some_blocks_come_once_each_and_in_the_order_asked_for() -> None:
    wanted = ["TextBlock", "unknown", "AskModelBlock", "TextBlock"]

    assert names(MENU.some(wanted)) == ["TextBlock", "AskModelBlock"]
