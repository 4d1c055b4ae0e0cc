"""KeywordSuggestionExtractor, RelatedKeywordExtractor: what is known of a search word, apart."""

from collections.abc import Iterator
from typing import Any, Final

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins

_DETAILS: Final[dict[str, dict[str, Any]]] = {
    "search_volume": {"type": "integer"},
    "competition": {"type": "number"},
    "cpc": {"type": "number"},
    "keyword_difficulty": {"type": "integer"},
    "serp_info": {"type": "object", "additionalProperties": True},
    "clickstream_data": {"type": "object", "additionalProperties": True},
}


def _record(title: str) -> dict[str, Any]:
    """Return the schema of a search word with its figures."""
    word = {"advanced": False, "secret": False, "title": "Keyword", "type": "string"}
    details = {
        name: {
            "advanced": True,
            "anyOf": [kind, {"type": "null"}],
            "default": None,
            "secret": False,
            "title": name.replace("_", " ").title(),
        }
        for name, kind in _DETAILS.items()
    }
    return {
        "properties": {"keyword": word, **details},
        "required": ["keyword"],
        "title": title,
        "type": "object",
    }


@pins
class _Parts:
    """What comes out; what is not known is null."""

    keyword: str = pin(description="The search word.")
    search_volume: int | None = pin(default=None, description="Searches in a month.")
    competition: float | None = pin(default=None, description="Competition, from 0 to 1.")
    cpc: float | None = pin(default=None, description="The price of a click.")
    keyword_difficulty: int | None = pin(default=None, description="How hard it is to rank.")
    serp_info: dict[str, Any] | None = pin(default=None, description="On the result page.")
    clickstream_data: dict[str, Any] | None = pin(default=None, description="On clicks.")


def _parts(record: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "keyword", record["keyword"]
    for name in _DETAILS:
        yield name, record.get(name)


_TEA: Final = {"keyword": "tea", "search_volume": 0, "cpc": 1.5, "serp_info": {"type": "organic"}}
_OF_TEA: Final = [
    ("keyword", "tea"),
    ("search_volume", 0),
    ("competition", None),
    ("cpc", 1.5),
    ("keyword_difficulty", None),
    ("serp_info", {"type": "organic"}),
    ("clickstream_data", None),
]


class KeywordSuggestionExtractorBlock(Block):
    """Takes one keyword suggestion apart into its figures."""

    id = "4193cb94-677c-48b0-9eec-6ac72fffd0f2"
    categories = (Category.DATA,)
    effect = Effect.PURE
    examples = (
        Example(inputs={"suggestion": _TEA}, outputs=_OF_TEA),
        Example(inputs={"suggestion": {"cpc": 1}}, error="'keyword' is a required property"),
    )
    Output = _Parts

    @pins
    class Input:
        """Input pins."""

        suggestion: dict[str, Any] = pin(
            description="One suggestion.", schema=_record("KeywordSuggestion")
        )

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield each figure, null where it is not known."""
        yield from _parts(inputs.suggestion)


class RelatedKeywordExtractorBlock(Block):
    """Takes one related keyword apart into its figures."""

    id = "98342061-09d2-4952-bf77-0761fc8cc9a8"
    categories = (Category.DATA,)
    effect = Effect.PURE
    examples = (
        Example(inputs={"related_keyword": _TEA}, outputs=_OF_TEA),
        Example(inputs={"related_keyword": {}}, error="'keyword' is a required property"),
    )
    Output = _Parts

    @pins
    class Input:
        """Input pins."""

        related_keyword: dict[str, Any] = pin(
            description="One related keyword.", schema=_record("RelatedKeyword")
        )

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield each figure, null where it is not known."""
        yield from _parts(inputs.related_keyword)
