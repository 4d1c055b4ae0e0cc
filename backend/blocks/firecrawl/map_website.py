"""FirecrawlMapWebsite: the addresses of a site."""

from collections.abc import AsyncIterator
from typing import Any

from backend.blocks.firecrawl.service import FIRECRAWL, MINE
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    credentials_pin,
    pin,
    pins,
)


class FirecrawlMapWebsiteBlock(Block):
    """Finds the addresses of the pages of a site with Firecrawl."""

    id = "f0f43e2b-c943-48a0-a7f1-40136ca4d3b9"
    categories = (Category.SEARCH,)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"url": "https://example.com/", "credentials": MINE},
            outputs=[
                ("links", ["https://example.com/a"]),
                ("results", [{"url": "https://example.com/a", "title": "A"}]),
            ],
        ),
        Example(inputs={"url": "", "credentials": MINE}, error="status 400: Invalid URL"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["firecrawl"], [CredentialsKind.KEY], of_package=True, description="A key of Firecrawl."
        )
        url: str = pin(description="The address of the site.")

    @pins
    class Output:
        """Output pins."""

        links: list[str] = pin(description="The addresses.")
        results: list[dict[str, Any]] = pin(
            description="The addresses with titles and descriptions."
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the addresses, then what is known of them."""
        calls = FIRECRAWL.calls(context, inputs.credentials)
        answer = await calls.object("POST", "v2/map", value={"url": inputs.url})
        found = calls.entries(answer, "links")
        yield "links", [str(each.get("url") or "") for each in found]
        yield "results", found
