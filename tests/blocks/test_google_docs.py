"""Google Docs: text in all its places, the tree of parts, and what is asked of the service."""

from typing import Any

import pytest

from backend.blocks.google.docs import DOC, text_in
from backend.blocks.google.docs_read import GoogleDocsExportBlock, _segments, _tree
from backend.blocks.google.docs_share import GoogleDocsShareBlock
from backend.blocks.google.docs_write import (
    GoogleDocsAppendPlainTextBlock,
    GoogleDocsCreateBlock,
    GoogleDocsFindReplacePlainTextBlock,
    GoogleDocsFormatTextBlock,
    GoogleDocsInsertPageBreakBlock,
)
from backend.core.errors import BlockError
from backend.sdk import BlockContext
from backend.testing.blocks import outputs_of
from backend.testing.standin import StandIn
from backend.testing.standin.messages import Reply


@pytest.fixture
def done(services: StandIn) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = services.play("google").docs.done
    found.clear()
    return found


async def test_text_goes_to_the_end_or_to_its_place(
    played: BlockContext, done: list[dict[str, Any]]
) -> None:
    asked = {"document": DOC, "text": "x"}

    await outputs_of(GoogleDocsAppendPlainTextBlock(), {**asked, "add_newline": False}, played)
    await outputs_of(GoogleDocsInsertPageBreakBlock(), {"document": DOC, "index": 7}, played)

    assert done == [
        {"insertText": {"text": "x", "endOfSegmentLocation": {}}},
        {"insertPageBreak": {"location": {"index": 7}}},
    ]


async def test_only_what_is_asked_for_is_formed(
    played: BlockContext, done: list[dict[str, Any]]
) -> None:
    asked = {
        "document": DOC,
        "start_index": 1,
        "end_index": 5,
        "italic": True,
        "font_size": 12,
        "foreground_color": "00ff00",
    }

    await outputs_of(GoogleDocsFormatTextBlock(), asked, played)

    [request] = done
    assert request["updateTextStyle"] == {
        "range": {"startIndex": 1, "endIndex": 5},
        "textStyle": {
            "italic": True,
            "fontSize": {"magnitude": 12, "unit": "PT"},
            "foregroundColor": {"color": {"rgbColor": {"red": 0, "green": 1, "blue": 0}}},
        },
        "fields": "italic,fontSize,foregroundColor",
    }
    with pytest.raises(BlockError, match="1 to 400 points"):
        await outputs_of(GoogleDocsFormatTextBlock(), {**asked, "font_size": 401}, played)


async def test_what_was_not_found_was_replaced_no_times(
    services: StandIn, played: BlockContext
) -> None:
    services.next("google", Reply(value={"replies": [{}]}))

    outputs = await outputs_of(
        GoogleDocsFindReplacePlainTextBlock(),
        {"document": DOC, "find_text": "a", "replace_text": ""},
        played,
    )

    assert dict(outputs)["result"] == {"success": True, "replacements": 0}


async def test_an_empty_document_is_one_call(services: StandIn, played: BlockContext) -> None:
    mine = {"id": "mine", "provider": "google", "type": "oauth2"}

    await outputs_of(GoogleDocsCreateBlock(), {"title": "Empty", "credentials": mine}, played)

    assert [each.path for each in services.asked] == ["/docs/v1/documents"]


async def test_a_mail_goes_along_only_when_it_is_wanted(
    services: StandIn, played: BlockContext
) -> None:
    asked = {"document": DOC, "email": "bob@example.com", "message": "Look"}

    await outputs_of(GoogleDocsShareBlock(), asked, played)
    await outputs_of(GoogleDocsShareBlock(), {**asked, "send_notification": False}, played)

    first, second = services.asked
    assert (first.one("sendNotificationEmail"), first.one("emailMessage")) == ("true", "Look")
    assert second.one("sendNotificationEmail") == "false"
    assert "emailMessage" not in second.query


async def test_what_is_no_text_comes_as_base64(played: BlockContext) -> None:
    asked = {"document": DOC, "format": "application/rtf"}

    outputs = dict(await outputs_of(GoogleDocsExportBlock(), asked, played))

    assert (outputs["content"], outputs["mime_type"]) == ("b3RoZXI=", "application/rtf")


def test_text_is_found_in_tables_in_tables_but_not_for_ever() -> None:
    def table(content: Any) -> Any:
        return [{"table": {"tableRows": [{"tableCells": [{"content": content}]}]}}]

    content: Any = [{"paragraph": {"elements": [{"textRun": {"content": "deep"}}, {"x": 1}]}}]
    assert "".join(text_in(table(table(content)))) == "deep"
    for _ in range(100):
        content = table(content)
    assert "".join(text_in(content)) == ""
    assert list(text_in(None)) == []
    toc: Any = [{"tableOfContents": {"content": [{"paragraph": {"elements": []}}]}}]
    assert "".join(text_in(toc)) == ""


def test_what_follows_a_heading_stands_below_it() -> None:
    def part(kind: str, level: int = 0) -> dict[str, Any]:
        return {"type": kind, **({"level": level} if level else {})}

    tree = _tree(
        [
            part("paragraph"),
            part("heading", 2),
            part("paragraph"),
            part("heading", 1),
            part("heading", 3),
            part("table"),
            part("heading", 1),
        ]
    )

    assert [one.get("level") for one in tree] == [None, 2, 1, 1]
    assert tree[1]["parts"] == [part("paragraph")]
    assert tree[2]["parts"][0]["parts"] == [part("table")]
    assert tree[3]["parts"] == []


def test_what_is_empty_is_no_part() -> None:
    blank = {"paragraph": {"elements": [{"textRun": {"content": "\n"}}]}}
    title = {
        "paragraph": {
            "elements": [{"textRun": {"content": "T"}}],
            "paragraphStyle": {"namedStyleType": "TITLE"},
        }
    }

    assert [one["type"] for one in _segments([blank, {"sectionBreak": {}}, title])] == ["title"]
