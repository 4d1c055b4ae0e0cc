"""FirecrawlCrawl: many pages of a site."""

from collections.abc import AsyncIterator
from typing import Any

from backend.blocks.firecrawl.service import (
    FIRECRAWL,
    LONGEST_S,
    MINE,
    PagesInput,
    PagesOutput,
    all_pages,
    finished,
    options_of,
    parts_of,
)
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    Effect,
    Example,
    pin,
    pins,
)


class FirecrawlCrawlBlock(Block):
    """Reads a site with Firecrawl, page by page from one address on."""

    id = "bdbbaba0-03b7-4971-970e-699e2de6015e"
    categories = (Category.SEARCH,)
    effect = Effect.READ
    retries = 2
    time_limit_s = LONGEST_S + 60
    examples = (
        Example(
            inputs={"url": "https://example.com/", "limit": 2, "credentials": MINE},
            outputs=[
                ("data", [{"markdown": "# 1"}, {"markdown": "# 2"}]),
                ("markdown", "# 1"),
                ("markdown", "# 2"),
            ],
        ),
        Example(inputs={"url": "", "credentials": MINE}, error="status 400: Invalid URL"),
        Example(
            inputs={"url": "https://example.com/broken", "credentials": MINE},
            error="the crawl failed: the site is away",
        ),
    )

    @pins
    class Input(PagesInput):
        """Input pins."""

        url: str = pin(description="Where to begin.")

    @pins
    class Output(PagesOutput):
        """Output pins."""

        data: list[dict[str, Any]] = pin(description="All pages that were read.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield all pages, then each form of each."""
        calls = FIRECRAWL.calls(context, inputs.credentials)
        job = await calls.object(
            "POST",
            "v2/crawl",
            value={"url": inputs.url, "limit": inputs.limit, "scrapeOptions": options_of(inputs)},
        )
        found = await finished(calls, "crawl", job)
        pages = await all_pages(calls, found, most=max(1, inputs.limit))
        yield "data", pages
        for page in pages:
            for part in parts_of(page, inputs.formats):
                yield part
