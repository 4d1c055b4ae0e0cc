"""SearchTheWeb: what is found on the web, as text."""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.jina.service import MINE, SEARCH, SEARXNG
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    NotConfigured,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.services import path_of

_MOST_RESULTS: Final = 5


class SearchTheWebBlock(Block):
    """
    Searches the web, and gives titles, addresses and texts of what is found.

    With a key it is Jina that searches; without one the SearXNG of this installation, if its
    operator has named one.
    """

    id = "87840993-2053-44b7-8da4-187ad4ee518c"
    categories = (Category.SEARCH,)
    effect = Effect.READ
    retries = 2
    keyless = True
    examples = (
        Example(
            inputs={"query": "cats", "credentials": MINE},
            outputs=[
                ("results", "[1] Title: About cats\n[1] URL Source: https://example.com/"),
            ],
        ),
        Example(
            inputs={"query": "cats"},
            outputs=[
                (
                    "results",
                    (
                        "[1] Title: cats 1\n[1] URL Source: https://example.com/1\nPage 1.\n\n"
                        "[2] Title: cats 2\n[2] URL Source: https://example.com/2\nPage 2."
                    ),
                ),
            ],
        ),
        Example(inputs={"query": " "}, error="nothing to search for"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["jina"], [CredentialsKind.KEY], description="A key of Jina."
        )
        query: str = pin(description="What to search for.")

    @pins
    class Output:
        """Output pins."""

        results: str = pin(description="What was found, the best first.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, str]]:
        """Yield what is found."""
        query = inputs.query.strip()
        if not query:
            raise ValueError("there is nothing to search for")
        if inputs.credentials:
            calls = SEARCH.calls(context, inputs.credentials)
            answer = await calls.send("GET", path_of(query), headers={"Accept": "text/plain"})
            yield "results", answer.text()
        elif SEARXNG.is_placed(context):
            yield "results", await _searched(query, context)
        else:
            raise NotConfigured(
                "searching the web needs a key of Jina, or a SearXNG that the operator names in "
                "PROVIDER_BASE_URLS"
            )


async def _searched(query: str, context: BlockContext) -> str:
    calls = SEARXNG.calls(context)
    found = await calls.object("GET", "search", query={"q": query, "format": "json"})
    results = calls.entries(found, "results")
    return "\n\n".join(
        f"[{number}] Title: {each.get('title') or ''}\n"
        f"[{number}] URL Source: {each.get('url') or ''}\n{each.get('content') or ''}"
        for number, each in enumerate(results[:_MOST_RESULTS], 1)
    )
