"""DataForSeoKeywordSuggestions: keywords that contain one."""

from typing import Any

from backend.blocks.dataforseo.service import KEYWORD, KeywordsBase, KeywordsInput, examples_of
from backend.sdk import pin, pins


class DataForSeoKeywordSuggestionsBlock(KeywordsBase):
    """Finds keywords that contain a keyword, with DataForSEO."""

    id = "73c3e7c4-2b3f-4e9f-9e3e-8f7a5c3e2d45"
    kind = "keyword_suggestions"
    each = "suggestion"
    every = "suggestions"
    examples = examples_of(each, every)
    Input = KeywordsInput

    @pins
    class Output:
        """Output pins."""

        suggestions: list[Any] = pin(
            schema={"items": {**KEYWORD, "title": "KeywordSuggestion"}, "type": "array"},
            description="All keywords.",
        )
        suggestion: dict[str, Any] = pin(
            title="KeywordSuggestion", schema=KEYWORD, description="One keyword."
        )
        total_count: int = pin(description="How many keywords there are.")
        seed_keyword: str = pin(description="The keyword to begin with.")
