"""DataForSeoRelatedKeywords: what people search for as well."""

from typing import Any

from backend.blocks.dataforseo.service import KEYWORD, KeywordsBase, KeywordsInput, examples_of
from backend.sdk import pin, pins


class DataForSeoRelatedKeywordsBlock(KeywordsBase):
    """Finds keywords that people search for as well, with DataForSEO."""

    id = "8f2e4d6a-1b3c-4a5e-9d7f-2c8e6a4b3f1d"
    kind = "related_keywords"
    inside = "keyword_data"
    each = "related_keyword"
    every = "related_keywords"
    examples = examples_of(each, every)
    asks = (*KeywordsBase.asks, "depth")

    @pins
    class Input(KeywordsInput):
        """Input pins."""

        depth: int = pin(
            default=1, ge=0, le=4, description="How far to go from one keyword to the next."
        )

    @pins
    class Output:
        """Output pins."""

        related_keywords: list[Any] = pin(
            schema={"items": {**KEYWORD, "title": "RelatedKeyword"}, "type": "array"},
            description="All keywords.",
        )
        related_keyword: dict[str, Any] = pin(
            title="RelatedKeyword", schema=KEYWORD, description="One keyword."
        )
        total_count: int = pin(description="How many keywords there are.")
        seed_keyword: str = pin(description="The keyword to begin with.")
