"""Exa: what is asked, in its words, and what was not said is left out."""

from typing import Any

import pytest

from backend.blocks.exa.answer import ExaAnswerBlock, ExaCodeContextBlock
from backend.blocks.exa.search import ExaContentsBlock, ExaSearchBlock
from backend.blocks.exa.service import MINE, contents_of, in_its_words
from backend.core.errors import BlockError
from backend.sdk import BlockContext
from backend.testing.blocks import outputs_of
from backend.testing.standin import StandIn
from backend.testing.standin.messages import KEY, Reply


async def test_a_search_says_what_was_said_and_no_more(
    services: StandIn, played: BlockContext
) -> None:
    asked = {
        "query": "cats",
        "type": "neural",
        "category": "news",
        "number_of_results": 3,
        "include_domains": ["example.com"],
        "start_published_date": "2026-01-01T00:00:00Z",
        "contents": {"text": {"discriminator": "advanced", "max_characters": 100}},
        "credentials": MINE,
    }

    outputs = dict(await outputs_of(ExaSearchBlock(), asked, played))

    [sent] = services.asked
    assert sent.headers["x-api-key"] == KEY
    assert sent.json() == {
        "query": "cats",
        "type": "neural",
        "category": "news",
        "numResults": 3,
        "includeDomains": ["example.com"],
        "startPublishedDate": "2026-01-01T00:00:00Z",
        "contents": {"text": {"maxCharacters": 100}},
    }
    assert outputs["search_type"] == "neural"


async def test_what_is_off_is_not_asked_for(services: StandIn, played: BlockContext) -> None:
    asked = {"urls": ["https://example.com/a"], "ids": [" "], "text": False, "credentials": MINE}

    await outputs_of(ExaContentsBlock(), asked, played)

    assert services.asked[0].json() == {
        "urls": ["https://example.com/a"],
        "livecrawl": "fallback",
        "livecrawlTimeout": 10000,
    }


async def test_ids_go_before_addresses(services: StandIn, played: BlockContext) -> None:
    asked = {
        "urls": ["https://example.com/a"],
        "ids": ["i1"],
        "highlights": {"num_sentences": 2, "highlights_per_url": 1, "query": "purr"},
        "summary": {"schema": {"type": "object", "my_part": 1}},
        "subpages": 2,
        "extras": {"links": 3, "image_links": 0},
        "credentials": MINE,
    }

    await outputs_of(ExaContentsBlock(), asked, played)

    sent = services.asked[0].json()
    assert (sent["ids"], sent["subpages"], sent["text"]) == (["i1"], 2, True)
    assert "urls" not in sent
    assert sent["highlights"] == {"numSentences": 2, "highlightsPerUrl": 1, "query": "purr"}
    # The words of a schema are the asker's.
    assert sent["summary"] == {"schema": {"type": "object", "my_part": 1}}
    assert sent["extras"] == {"links": 3, "imageLinks": 0}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, {}),
        (False, {}),
        (True, {"text": True}),
        ({"discriminator": "disabled"}, {}),
        ({"discriminator": "enabled"}, {"text": True}),
        ({"discriminator": "advanced", "max_characters": None}, {"text": True}),
        (
            {"discriminator": "advanced", "include_html_tags": False},
            {"text": {"includeHtmlTags": False}},
        ),
    ],
)
def test_text_is_on_off_or_has_more_to_it(value: Any, expected: Any) -> None:
    assert contents_of({"text": value}) == expected


def test_names_are_spelled_as_exa_does() -> None:
    assert in_its_words("subpage_target") == "subpageTarget"
    assert in_its_words("text") == "text"


async def test_a_result_without_an_id_is_no_result(services: StandIn, played: BlockContext) -> None:
    services.next("exa", Reply(value={"results": [{"url": "x"}]}))

    with pytest.raises(BlockError, match="it has no id"):
        await outputs_of(ExaSearchBlock(), {"query": "a", "credentials": MINE}, played)


async def test_a_citation_has_all_its_parts(services: StandIn, played: BlockContext) -> None:
    page = {"id": "1", "url": "https://example.com/", "title": "T", "unknown": 1}
    services.next("exa", Reply(value={"answer": "Yes.", "citations": [page]}))

    outputs = dict(await outputs_of(ExaAnswerBlock(), {"query": "a?", "credentials": MINE}, played))

    assert outputs["citation"] == {
        "id": "1",
        "url": "https://example.com/",
        "title": "T",
        **dict.fromkeys(("author", "publishedDate", "text", "image", "favicon")),
    }


@pytest.mark.parametrize("tokens", [5000, "5000", "dynamic"])
async def test_tokens_are_a_number_or_dynamic(
    services: StandIn, played: BlockContext, tokens: Any
) -> None:
    asked = {"query": "x", "tokens_num": tokens, "credentials": MINE}

    await outputs_of(ExaCodeContextBlock(), asked, played)

    assert services.asked[0].json()["tokensNum"] == (tokens if tokens == "dynamic" else int(tokens))
