"""Exa: the shapes of what its blocks take and give; the words of its own answers keep their spelling."""

from collections.abc import Mapping
from typing import Any, Final

_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "number"}
_WHOLE: Final = {"type": "integer"}
_YES_NO: Final = {"type": "boolean"}
_NOTHING: Final = {"type": "null"}
_FILE: Final = {"format": "file", "type": "string"}
_ANY_OBJECT: Final = {"additionalProperties": True, "type": "object"}


def _part(title: str, schema: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return a part that is folded away, as pins are."""
    return {"advanced": True, **schema, "secret": False, **_titled(title), **more}


def _shown(title: str, schema: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {**_part(title, schema, **more), "advanced": False}


def _titled(title: str) -> dict[str, str]:
    return {"title": title} if title else {}


def _maybe(*kinds: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [*kinds, _NOTHING]}


def _object(title: str, parts: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"properties": dict(parts), "title": title, "type": "object", **more}


def _list(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"items": dict(item), "type": "array"}


def _null(title: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**_maybe(schema), "default": None, **_titled(title)}


def _choice(name: str, title: str, more: Mapping[str, Any]) -> dict[str, Any]:
    kind = {"const": name, "default": name, "title": "Discriminator", "type": "string"}
    return _object(title, {"discriminator": kind, **more})


LIVECRAWL: Final = {
    "enum": ["never", "fallback", "always", "preferred"],
    "title": "LivecrawlTypes",
    "type": "string",
}
HIGHLIGHTS: Final = _object(
    "HighlightSettings",
    {
        "num_sentences": _part("Num Sentences", _WHOLE, default=1, minimum=1),
        "highlights_per_url": _part("Highlights Per Url", _WHOLE, default=1, minimum=1),
        "query": _part("Query", _maybe(_TEXT), default=None),
    },
)
SUMMARY: Final = _object(
    "SummarySettings",
    {
        "query": _part("Query", _maybe(_TEXT), default=None),
        "schema": _part("Schema", _maybe(_ANY_OBJECT), default=None),
    },
)
EXTRAS: Final = _object(
    "ExtrasSettings",
    {
        "links": _part("Links", _WHOLE, default=0, minimum=0),
        "image_links": _part("Image Links", _WHOLE, default=0, minimum=0),
    },
)
SUBPAGES: Final = _maybe({"minimum": 0, "type": "integer"})
SUBPAGE_TARGET: Final = _maybe(_TEXT, _list(_TEXT))
_CHARACTERS: Final = _part("Max Characters", _maybe(_WHOLE), default=None)
_TAGS: Final = _part("Include Html Tags", _YES_NO, default=False)


def _switch(name: str, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is on, off, or on with more said about it."""
    return _part(
        name,
        _maybe(
            _YES_NO,
            _choice("enabled", f"{name}Enabled", {}),
            _choice("disabled", f"{name}Disabled", {}),
            _choice("advanced", f"{name}Advanced", more),
        ),
        default=None,
    )


NO_CONTENTS: Final = {
    "text": None,
    "highlights": None,
    "summary": None,
    "livecrawl": None,
    "livecrawl_timeout": None,
    "subpages": None,
    "subpage_target": None,
    "extras": None,
    "context": None,
}
#: What is wanted of the pages that are found.
CONTENTS: Final = _object(
    "ContentSettings",
    {
        "text": _switch("Text", {"max_characters": _CHARACTERS, "include_html_tags": _TAGS}),
        "highlights": _part("", _maybe(HIGHLIGHTS), default=None),
        "summary": _part("", _maybe(SUMMARY), default=None),
        "livecrawl": _part("", _maybe(LIVECRAWL), default=None),
        "livecrawl_timeout": _part("Livecrawl Timeout", _maybe(_WHOLE), default=None),
        "subpages": _part("Subpages", SUBPAGES, default=None),
        "subpage_target": _part("Subpage Target", SUBPAGE_TARGET, default=None),
        "extras": _part("", _maybe(EXTRAS), default=None),
        "context": _switch("Context", {"max_characters": _CHARACTERS}),
    },
)
_FOUND_EXTRAS: Final = _object(
    "ExaSearchExtras",
    {
        "links": _part("Links", _list(_TEXT)),
        "imageLinks": _part("Imagelinks", _list(_TEXT)),
    },
)
#: A page that was found.
RESULT: Final = _object(
    "ExaSearchResults",
    {
        "title": _null("Title", _TEXT),
        "url": _null("Url", _TEXT),
        "publishedDate": _null("Publisheddate", _TEXT),
        "author": _null("Author", _TEXT),
        "id": {"title": "Id", "type": "string"},
        "image": _null("Image", _FILE),
        "favicon": _null("Favicon", _FILE),
        "text": _null("Text", _TEXT),
        "highlights": _part("Highlights", _list(_TEXT)),
        "highlightScores": _part("Highlightscores", _list(_NUMBER)),
        "summary": _null("Summary", _TEXT),
        "subpages": _part("Subpages", _list(_ANY_OBJECT)),
        "extras": _null("", _FOUND_EXTRAS),
    },
    required=["id"],
)


def _prices(title: str, prices: Mapping[str, float]) -> dict[str, Any]:
    """Return an object of numbers; what is not said is what they are by default."""
    parts = {
        name: _part(name.replace("_", " ").title(), _NUMBER, default=price)
        for name, price in prices.items()
    }
    return _object(title, parts)


def _inner(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**schema, "advanced": True, "secret": False}


_BREAKDOWN: Final = _prices(
    "CostBreakdown",
    dict.fromkeys(
        ("keywordSearch", "neuralSearch", "contentText", "contentHighlight", "contentSummary"), 0.0
    ),
)
_COST_ITEM: Final = _object(
    "CostBreakdownItem",
    {
        "search": _part("Search", _NUMBER, default=0.0),
        "contents": _part("Contents", _NUMBER, default=0.0),
        "breakdown": _inner(_BREAKDOWN),
    },
)
#: What a call has cost.
COST: Final = _maybe(
    _object(
        "CostDollars",
        {
            "total": _shown("Total", _NUMBER),
            "breakDown": _part("Breakdown", _list(_COST_ITEM)),
            "perRequestPrices": _inner(
                _prices(
                    "PerRequestPrices",
                    {
                        "neuralSearch_1_25_results": 0.005,
                        "neuralSearch_26_100_results": 0.025,
                        "neuralSearch_100_plus_results": 1.0,
                        "keywordSearch_1_100_results": 0.0025,
                        "keywordSearch_100_plus_results": 3.0,
                    },
                )
            ),
            "perPagePrices": _inner(
                _prices(
                    "PerPagePrices",
                    dict.fromkeys(("contentText", "contentHighlight", "contentSummary"), 0.001),
                )
            ),
        },
        required=["total"],
    )
)
_TAG: Final = {
    "enum": [
        "CRAWL_NOT_FOUND",
        "CRAWL_TIMEOUT",
        "CRAWL_LIVECRAWL_TIMEOUT",
        "SOURCE_NOT_AVAILABLE",
        "CRAWL_UNKNOWN_ERROR",
    ],
    "title": "ContentStatusTag",
    "type": "string",
}
_CONTENT_ERROR: Final = _object(
    "ContentError",
    {
        "tag": _part("", _maybe(_TAG), default=None),
        "httpStatusCode": _part("Httpstatuscode", _maybe(_WHOLE), default=None),
    },
)
#: How the reading of one page went.
STATUS: Final = _object(
    "ContentStatus",
    {
        "id": _shown("Id", _TEXT),
        "status": _shown("Status", _TEXT),
        "error": _part("", _maybe(_CONTENT_ERROR), default=None),
    },
    required=["id", "status"],
)
#: A page that an answer goes back to.
CITATION: Final = _object(
    "AnswerCitation",
    {
        "id": _shown("Id", _TEXT),
        "url": _shown("Url", _TEXT),
        "title": _shown("Title", _maybe(_TEXT)),
        "author": _shown("Author", _maybe(_TEXT)),
        "publishedDate": _shown("Publisheddate", _maybe(_TEXT)),
        "text": _shown("Text", _maybe(_TEXT)),
        "image": _shown("Image", _maybe(_FILE)),
        "favicon": _shown("Favicon", _maybe(_FILE)),
    },
    required=["id", "url", "title", "author", "publishedDate", "text", "image", "favicon"],
)
