"""GetWikipediaSummary: the first paragraph about a topic."""

from collections.abc import AsyncIterator
from typing import Final

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins
from backend.sdk.services import Service, path_of

WIKIPEDIA: Final = Service(
    provider="wikipedia", name="Wikipedia", url="https://en.wikipedia.org/api/rest_v1"
)


class GetWikipediaSummaryBlock(Block):
    """Fetches the summary of a topic from Wikipedia."""

    id = "f5b0f5d0-1862-4d61-94be-3ad0fa772760"
    categories = (Category.SEARCH,)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"topic": "Ada Lovelace"},
            outputs=[("summary", "Ada Lovelace was an English mathematician and writer.")],
        ),
        Example(inputs={"topic": "No such thing"}, error="Page not found."),
        Example(inputs={"topic": " "}, error="cannot stand in an address"),
    )

    @pins
    class Input:
        """Input pins."""

        topic: str = pin(description="The title of the page, in English.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        summary: str = pin(description="The first paragraph of the page.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, str]]:
        """Yield the summary."""
        calls = WIKIPEDIA.calls(context)
        page = await calls.object("GET", path_of("page", "summary", inputs.topic.strip()))
        summary = page.get("extract")
        if not isinstance(summary, str):
            raise calls.nonsense("it has no summary")
        yield "summary", summary
