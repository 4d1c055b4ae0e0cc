"""FirecrawlSearch: the web, searched and read."""

from collections.abc import AsyncIterator
from typing import Any

from backend.blocks.firecrawl.service import FIRECRAWL, FORMAT, MINE, formats_of
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    JsonObject,
    credentials_pin,
    pin,
    pins,
)


class FirecrawlSearchBlock(Block):
    """Searches the web with Firecrawl, and reads what is found if formats are given."""

    id = "f8d2f28d-b3a1-405b-804e-418c087d288b"
    categories = (Category.SEARCH,)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"query": "cats", "credentials": MINE},
            outputs=[
                ("data", {"web": [{"url": "https://example.com/a", "title": "cats"}]}),
                ("site", {"url": "https://example.com/a", "title": "cats"}),
            ],
        ),
        Example(inputs={"query": "", "credentials": MINE}, error="status 400: Invalid query"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["firecrawl"], [CredentialsKind.KEY], of_package=True, description="A key of Firecrawl."
        )
        query: str = pin(description="What to search for.")
        limit: int = pin(default=10, description="Sites at the most.")
        max_age: int = pin(default=3600000, description="Milliseconds that a kept copy may be old.")
        wait_for: int = pin(
            default=200, description="Milliseconds to wait for the scripts of a page."
        )
        formats: list[str] = pin(
            default_factory=list,
            schema={"default": [], "items": FORMAT, "type": "array"},
            description="What to give of a page.",
        )

    @pins
    class Output:
        """Output pins."""

        data: dict[str, Any] = pin(description="All that was found.")
        site: dict[str, Any] = pin(description="One site that was found.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield all that was found, then each site."""
        calls = FIRECRAWL.calls(context, inputs.credentials)
        options: JsonObject = {
            "formats": formats_of(inputs.formats),
            "maxAge": inputs.max_age,
            "waitFor": inputs.wait_for,
        }
        reading = {"scrapeOptions": options} if inputs.formats else {}
        answer = await calls.object(
            "POST", "v2/search", value={"query": inputs.query, "limit": inputs.limit, **reading}
        )
        data = answer.get("data")
        if not isinstance(data, dict):
            raise calls.nonsense("it has no results")
        yield "data", data
        for site in calls.entries({"web": [], **data}, "web"):
            yield "site", site
