"""FirecrawlExtract: values that are read from pages."""

from collections.abc import AsyncIterator
from typing import Any

from backend.blocks.firecrawl.service import FIRECRAWL, LONGEST_S, MINE, finished
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


class FirecrawlExtractBlock(Block):
    """Reads values out of pages with Firecrawl, as a prompt or a schema says."""

    id = "d1774756-4d9e-40e6-bab1-47ec0ccd81b2"
    categories = (Category.SEARCH,)
    effect = Effect.READ
    retries = 2
    time_limit_s = LONGEST_S + 60
    examples = (
        Example(
            inputs={"urls": ["https://example.com/"], "prompt": "The price", "credentials": MINE},
            outputs=[("data", {"answer": "The price"})],
        ),
        Example(inputs={"urls": [], "credentials": MINE}, error="status 400: Invalid URL"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["firecrawl"], [CredentialsKind.KEY], of_package=True, description="A key of Firecrawl."
        )
        urls: list[str] = pin(description="The addresses; `/*` at the end means all below.")
        prompt: str | None = pin(
            default=None, advanced=False, description="What to look for, in words."
        )
        output_schema: Any = pin(
            default=None,
            schema={"anyOf": [{"additionalProperties": True, "type": "object"}, {"type": "null"}]},
            description="What to give, as a JSON schema.",
        )
        enable_web_search: bool = pin(default=False, description="Look elsewhere on the web, too.")

    @pins
    class Output:
        """Output pins."""

        data: dict[str, Any] = pin(description="What was found.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield what was found."""
        calls = FIRECRAWL.calls(context, inputs.credentials)
        wanted = {"prompt": inputs.prompt, "schema": inputs.output_schema}
        job = await calls.object(
            "POST",
            "v2/extract",
            value={
                "urls": list(inputs.urls),
                "enableWebSearch": inputs.enable_web_search,
                **{name: value for name, value in wanted.items() if value is not None},
            },
        )
        found = await finished(calls, "extract", job)
        data = found.get("data")
        if not isinstance(data, dict):
            raise calls.nonsense("it has no values")
        yield "data", data
