"""Exa: pages that are searched for, that are like another, and that are read."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from backend.blocks.exa.service import (
    MINE,
    ExaBase,
    FoundOutput,
    NarrowedInput,
    ask,
    contents_of,
    key_pin,
    narrowed,
    texts,
)
from backend.blocks.exa.shapes import (
    EXTRAS,
    HIGHLIGHTS,
    LIVECRAWL,
    STATUS,
    SUBPAGE_TARGET,
    SUBPAGES,
    SUMMARY,
)
from backend.sdk import Category, Example, Json, pin, pins
from backend.sdk.services import ServiceCalls

_CATEGORIES: Final = (
    "company", "research paper", "news", "pdf", "github", "tweet", "personal site",
    "linkedin profile", "financial report",
)  # fmt: skip
_NO_HIGHLIGHTS: Final = {"num_sentences": 1, "highlights_per_url": 1, "query": None}
_NO_SUMMARY: Final = {"query": None, "schema": None}
_NO_EXTRAS: Final = {"links": 0, "image_links": 0}
#: For examples; the stand-in knows them.
_CATS: Final = {
    "id": "https://example.com/cats",
    "url": "https://example.com/cats",
    "title": "Cats",
}
_COST: Final = {"total": 0.005}
_TYPES: Final = {"enum": ["keyword", "neural", "fast", "auto"], "type": "string"}
_CATEGORY: Final = {
    "anyOf": [
        {"enum": list(_CATEGORIES), "title": "ExaSearchCategories", "type": "string"},
        {"type": "null"},
    ]
}


class ExaSearchBlock(ExaBase):
    """Searches the web with Exa, and gives what is wanted of the pages."""

    id = "996cec64-ac40-4dde-982f-b0dc60a5824d"
    categories = (Category.SEARCH,)
    also: ClassVar[Mapping[str, str]] = {
        "searchType": "search_type",
        "resolvedSearchType": "resolved_search_type",
    }
    examples = (
        Example(
            inputs={"query": "cats", "credentials": MINE},
            outputs=[
                ("results", [_CATS]),
                ("result", _CATS),
                ("cost_dollars", _COST),
                ("search_type", "auto"),
                ("resolved_search_type", "neural"),
            ],
        ),
        Example(inputs={"query": " ", "credentials": MINE}, error="nothing to search for"),
        Example(
            inputs={"query": "cats", "number_of_results": 101, "credentials": MINE},
            error="number_of_results: 1 to 100",
        ),
    )

    @pins
    class Input(NarrowedInput):
        """Input pins."""

        credentials: dict[str, Any] = key_pin()
        query: str = pin(description="What to search for.")
        type: str = pin(
            default="auto",
            title="ExaSearchTypes",
            schema=_TYPES,
            description="By words, by meaning, fast, or as Exa thinks best.",
        )
        category: str | None = pin(
            default=None, title="", schema=_CATEGORY, description="Pages of this kind alone."
        )
        user_location: str | None = pin(
            default=None, description="Where the asker is: two letters of a country."
        )

    @pins
    class Output(FoundOutput):
        """Output pins."""

        search_type: str = pin(description="How it was asked to search.")
        resolved_search_type: str = pin(description="How it has searched.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Search."""
        if not inputs.query.strip():
            raise ValueError("there is nothing to search for")
        said: dict[str, Json] = {"query": inputs.query, "type": inputs.type, **narrowed(inputs)}
        if inputs.category:
            said["category"] = inputs.category
        if inputs.user_location:
            said["userLocation"] = inputs.user_location
        found = await ask(calls, "search", said)
        return {"searchType": inputs.type, **found}


class ExaFindSimilarBlock(ExaBase):
    """Finds pages with Exa that are like another."""

    id = "5e7315d1-af61-4a0c-9350-7c868fa7438a"
    categories = (Category.SEARCH,)
    also: ClassVar[Mapping[str, str]] = {"requestId": "request_id"}
    examples = (
        Example(
            inputs={
                "url": "https://example.com/dogs",
                "contents": {"context": True},
                "credentials": MINE,
            },
            outputs=[
                ("results", [_CATS]),
                ("result", _CATS),
                ("context", "Cats: they purr."),
                ("cost_dollars", _COST),
                ("request_id", "q1"),
            ],
        ),
        Example(inputs={"url": "dogs", "credentials": MINE}, error="status 400: Invalid URL"),
    )

    @pins
    class Input(NarrowedInput):
        """Input pins."""

        credentials: dict[str, Any] = key_pin()
        url: str = pin(description="The page that they are like: its address.")

    @pins
    class Output(FoundOutput):
        """Output pins."""

        request_id: str = pin(description="The question, as Exa names it.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Find them."""
        return await ask(calls, "findSimilar", {"url": inputs.url.strip(), **narrowed(inputs)})


class ExaContentsBlock(ExaBase):
    """Reads pages with Exa: their text, what matters in them, a summary."""

    id = "c52be83f-f8cd-4180-b243-af35f986b461"
    categories = (Category.SEARCH,)
    also: ClassVar[Mapping[str, str]] = {"requestId": "request_id", "statuses": "statuses"}
    examples = (
        Example(
            inputs={"urls": ["https://example.com/cats"], "credentials": MINE},
            outputs=[
                ("results", [{**_CATS, "text": "They purr."}]),
                ("result", {**_CATS, "text": "They purr."}),
                ("cost_dollars", _COST),
                ("request_id", "q1"),
                ("statuses", [{"id": "https://example.com/cats", "status": "success"}]),
            ],
        ),
        Example(inputs={"credentials": MINE}, error="name pages in urls or ids"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = key_pin()
        urls: list[str] = pin(
            default_factory=list, advanced=False, description="The pages: their addresses."
        )
        ids: list[str] = pin(
            default_factory=list, description="Pages by the ids that a search gave; they go first."
        )
        text: bool = pin(default=True, description="Give the whole text.")
        highlights: dict[str, Any] = pin(
            default_factory=lambda: dict(_NO_HIGHLIGHTS),
            title="HighlightSettings",
            schema={**HIGHLIGHTS, "default": dict(_NO_HIGHLIGHTS)},
            description="The sentences that matter most, if query says for what.",
        )
        summary: dict[str, Any] = pin(
            default_factory=lambda: dict(_NO_SUMMARY),
            title="SummarySettings",
            schema={**SUMMARY, "default": dict(_NO_SUMMARY)},
            description="A summary, if query says of what, or schema in which form.",
        )
        livecrawl: str | None = pin(
            default="fallback",
            title="",
            schema={"anyOf": [LIVECRAWL, {"type": "null"}]},
            description="When a page is read anew, and not as Exa has kept it.",
        )
        livecrawl_timeout: int | None = pin(
            default=10000, description="Milliseconds that this may take."
        )
        subpages: int | None = pin(
            default=0, schema=SUBPAGES, description="So many pages below each."
        )
        subpage_target: str | list[str] | None = pin(
            default=None, schema=SUBPAGE_TARGET, description="Words that those have."
        )
        extras: dict[str, Any] = pin(
            default_factory=lambda: dict(_NO_EXTRAS),
            title="ExtrasSettings",
            schema={**EXTRAS, "default": dict(_NO_EXTRAS)},
            description="So many links and addresses of pictures of each page.",
        )

    @pins
    class Output(FoundOutput):
        """Output pins."""

        request_id: str = pin(description="The question, as Exa names it.")
        statuses: list[dict[str, Any]] = pin(
            schema={"items": STATUS, "type": "array"}, description="How it went with each page."
        )

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Read them."""
        ids, urls = texts(inputs.ids), texts(inputs.urls)
        if not ids and not urls:
            raise ValueError("name pages in urls or ids")
        pages: dict[str, Json] = {"ids": list[Json](ids)} if ids else {"urls": list[Json](urls)}
        wanted = {
            "text": inputs.text,
            "highlights": inputs.highlights if inputs.highlights.get("query") else None,
            "summary": inputs.summary if any(inputs.summary.values()) else None,
            "livecrawl": inputs.livecrawl,
            "livecrawl_timeout": inputs.livecrawl_timeout,
            "subpages": inputs.subpages or None,
            "subpage_target": inputs.subpage_target,
            "extras": inputs.extras if any(inputs.extras.values()) else None,
        }
        return await ask(calls, "contents", {**pages, **contents_of(wanted)})
