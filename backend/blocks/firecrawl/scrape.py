"""FirecrawlScrape: one page, in the forms that are asked for."""

from collections.abc import AsyncIterator
from typing import Any

from backend.blocks.firecrawl.service import (
    FIRECRAWL,
    MINE,
    PagesInput,
    PagesOutput,
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


class FirecrawlScrapeBlock(Block):
    """Reads a page with Firecrawl, in one or more forms."""

    id = "ac444320-cf5e-4697-b586-2604c17a3e75"
    categories = (Category.SEARCH,)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={
                "url": "https://example.com/",
                "formats": ["markdown", "rawHtml"],
                "credentials": MINE,
            },
            outputs=[
                (
                    "data",
                    {
                        "markdown": "# Page of https://example.com/",
                        "rawHtml": "<h1>Page of https://example.com/</h1>",
                    },
                ),
                ("markdown", "# Page of https://example.com/"),
                ("raw_html", "<h1>Page of https://example.com/</h1>"),
            ],
        ),
        Example(inputs={"url": "", "credentials": MINE}, error="status 400: Invalid URL"),
    )

    @pins
    class Input(PagesInput):
        """Input pins."""

        limit: int = pin(default=10, description="Not used: one page is read.")
        wait_for: int = pin(
            default=200, description="Milliseconds to wait for the scripts of a page."
        )

    @pins
    class Output(PagesOutput):
        """Output pins."""

        data: dict[str, Any] = pin(description="All that was read.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield all that was read, then each form of it."""
        calls = FIRECRAWL.calls(context, inputs.credentials)
        value = {"url": inputs.url, **options_of(inputs)}
        answer = await calls.object("POST", "v2/scrape", value=value)
        page = answer.get("data")
        if not isinstance(page, dict):
            raise calls.nonsense("it has no page")
        yield "data", page
        for part in parts_of(page, inputs.formats):
            yield part
