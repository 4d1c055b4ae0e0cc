"""Blocks that take texts apart: what no worked example shows, and what must not cost much."""

import time
from typing import Any

import pytest

from backend.blocks.text.code_extraction import CodeExtractionBlock
from backend.blocks.text.match_text_pattern import (
    MAX_MATCH_CHARS,
    MAX_MATCHES,
    MAX_TEXT_CHARS,
    ExtractTextInformationBlock,
    MatchTextPatternBlock,
)
from backend.blocks.text.replace_and_split import TextReplaceBlock
from backend.blocks.text.text_decoder import TextDecoderBlock
from backend.blocks.text.xml_parser import MAX_DEPTH, MAX_PARTS, XMLParserBlock
from backend.sdk import Block, BlockExecutionError
from backend.testing.blocks import outputs_of

FOR_EVER = {"text": "a" * 5000 + "b", "pattern": "(a|a)*$", "match": "(a|a)*$", "data": 1}


async def one(block: Block, **inputs: Any) -> Any:
    [(_, value)] = await outputs_of(block, inputs)
    return value


@pytest.mark.parametrize("block", [MatchTextPatternBlock(), ExtractTextInformationBlock()])
async def test_an_expression_without_end_fails_the_block_within_its_limit(block: Block) -> None:
    begin = time.process_time()

    with pytest.raises(BlockExecutionError, match=r"more than 0\.5 s"):
        await outputs_of(block, FOR_EVER)

    assert time.process_time() - begin < 1


@pytest.mark.parametrize("block", [MatchTextPatternBlock(), ExtractTextInformationBlock()])
async def test_the_famous_catastrophe_is_none(block: Block) -> None:
    inputs = {**FOR_EVER, "text": "a" * 40 + "!", "pattern": "(a+)+$", "match": "(a+)+$"}

    outputs = await outputs_of(block, inputs)

    assert outputs[0][0] == "negative"


@pytest.mark.parametrize("data", [0, "", False, [], {}])
async def test_what_is_false_is_handed_on_all_the_same(data: Any) -> None:
    outputs = await outputs_of(MatchTextPatternBlock(), {"text": "a", "match": "a", "data": data})

    assert outputs == [("positive", data)]


@pytest.mark.parametrize("pattern", ["(", "(?x)a", "b", "a{2}"])
async def test_a_malformed_expression_finds_nothing(pattern: str) -> None:
    outputs = await outputs_of(ExtractTextInformationBlock(), {"text": "a", "pattern": pattern})

    assert outputs == [("negative", "a"), ("matched_results", []), ("matched_count", 0)]


async def test_matches_are_bounded_in_number_and_length_and_so_is_the_text() -> None:
    block = ExtractTextInformationBlock()
    long = "b" * (MAX_MATCH_CHARS + 1)

    many = await outputs_of(block, {"text": "a" * 1_200, "pattern": "a", "find_all": True})
    [(_, cut), *_] = await outputs_of(block, {"text": long, "pattern": "b+"})
    [(way, whole), *_] = await outputs_of(
        block, {"text": "a" * MAX_TEXT_CHARS + "b", "pattern": "b"}
    )

    assert many[-1] == ("matched_count", MAX_MATCHES)
    assert len(cut) == MAX_MATCH_CHARS
    assert (way, len(whole)) == ("negative", MAX_TEXT_CHARS + 1)


async def test_a_group_that_took_no_part_is_no_match() -> None:
    outputs = await outputs_of(
        ExtractTextInformationBlock(),
        {"text": "ab", "pattern": "(a)|b", "group": 1, "find_all": True},
    )

    assert outputs == [("positive", "a"), ("matched_results", ["a"]), ("matched_count", 1)]


async def test_a_replacement_cannot_fill_the_memory() -> None:
    with pytest.raises(BlockExecutionError, match="longer than"):
        await one(TextReplaceBlock(), text="a" * 100_000, old="a", new="b" * 1_000)


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        (r"\101\x41\u0041\U00000041", "AAAA"),
        (r"\N{EURO SIGN}", "€"),
        (r"\N{NO SUCH SIGN}", r"\N{NO SUCH SIGN}"),
        (r"\U00110000 \q \777", "\\U00110000 \\q ?7"),
        ("\\\nnext", "next"),
        ("ends in \\", "ends in \\"),
        ("\ufeffmark \\n", "\ufeffmark \n"),
        ("Привет, 世界! ñ", "Привет, 世界! ñ"),
    ],
)
async def test_escapes_become_characters_and_all_else_stays(text: str, decoded: str) -> None:
    assert await one(TextDecoderBlock(), text=text) == decoded


@pytest.mark.parametrize(
    ("text", "outputs"),
    [
        ("````md\n```py\nx\n```\n````", [("markdown", "```py\nx\n```"), ("remaining_text", "")]),
        ("```c++\nint a;\n```", [("cpp", "int a;"), ("remaining_text", "")]),
        ("```go\nx\n```", [("remaining_text", "```go\nx\n```")]),
        ("```py\n```", [("remaining_text", "")]),
        ("```py\r\na\r\n```", [("python", "a"), ("remaining_text", "")]),
        ("no code\n\n\n at all ", [("remaining_text", "no code\n at all")]),
        ("", [("remaining_text", "")]),
    ],
)
async def test_code_is_taken_out_of_its_fences(text: str, outputs: list[tuple[str, str]]) -> None:
    assert await outputs_of(CodeExtractionBlock(), {"text": text}) == outputs


@pytest.mark.parametrize(
    "text",
    [
        "`" * 300_000,
        "```" * 100_000,
        "```a " * 60_000,
        "````" + "```x" * 70_000,
        "`" * 9 + "` " * 9,
    ],
)
async def test_no_text_full_of_fences_takes_long(text: str) -> None:
    begin = time.process_time()

    await outputs_of(CodeExtractionBlock(), {"text": text})

    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    ("xml", "parsed"),
    [
        ("<a></a>", {"a": ""}),
        ("  <?xml version='1.0' encoding='latin-1'?><!-- c --><a>é</a>\n", {"a": "é"}),
        ("<a>1 &lt; 2 &amp; &#51; &nbsp; &x</a>", {"a": "1 < 2 & 3 &nbsp; &x"}),
        ("<a><![CDATA[<b> & &amp;]]> &</a>", {"a": "<b> & &amp; &"}),
        ("<a>x<b/>y</a>", {"a": {"b": "", "#text": "xy"}}),
        ('<a B="1"><c/><c/></a>', {"a": [{"@b": "1"}, {"c": ""}, {"c": ""}]}),
        ("<x:a xmlns:x='u'><x:b>1</x:b></x:a>", {"x:a": {"@xmlns:x": "u", "x:b": "1"}}),
    ],
)
async def test_xml_becomes_a_dictionary(xml: str, parsed: dict[str, Any]) -> None:
    assert await one(XMLParserBlock(), input_xml=xml) == parsed


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        ("", "no element"),
        ("words", "syntax"),
        ("<a/>words", "junk after document element"),
        ("<a/><b/>", "junk after document element"),
        ("<a><b></a></b>", "mismatched tag"),
        (f'<!DOCTYPE l [<!ENTITY l0 "ha">{LAUGHS}]><l>&l9;</l>', "document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        ("<a>" * (MAX_DEPTH + 1) + "</a>" * (MAX_DEPTH + 1), "nested more than"),
        ("<a>" + "<b/>" * MAX_PARTS + "</a>", "more than 100000 elements"),
        ("<a>" + " " * (10 * 1024 * 1024) + "</a>", "longer than"),
        ("<![CDATA[" * 200_000, "syntax"),
    ],
)
async def test_xml_that_is_broken_or_a_bomb_is_refused(xml: str, words: str) -> None:
    begin = time.process_time()

    with pytest.raises(BlockExecutionError, match=words):
        await one(XMLParserBlock(), input_xml=xml)

    assert time.process_time() - begin < 2


async def test_xml_of_the_greatest_depth_is_json_all_the_way() -> None:
    deep = "<a><b/><b/>" * (MAX_DEPTH - 1) + "</a>" * (MAX_DEPTH - 1)

    assert await one(XMLParserBlock(), input_xml=deep)
