"""SendWebRequest: one HTTP request to any public server."""

from collections.abc import AsyncIterator
from typing import Any

from backend.blocks.web.requests import (
    EFFECT,
    HttpMethod,
    body_of,
    content_of,
    headers_of,
    pin_for,
)
from backend.sdk import Block, BlockContext, Category, Example, pin, pins


class SendWebRequestBlock(Block):
    """Sends one request to a web address and hands on the answer, sorted by how it went."""

    id = "6595ae1f-b924-42cb-9a41-551a0611c4b4"
    categories = (Category.OUTPUT,)
    effect = EFFECT
    examples = (
        Example(
            inputs={"url": "https://example.com", "files": ["data:,x"]},
            error="switch json_format off",
        ),
        Example(
            inputs={"url": "https://example.com", "method": "FETCH"},
            error="'FETCH' is not one of",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        url: str = pin(description="The address.", placeholder="https://api.example.com")
        method: HttpMethod = pin(default=HttpMethod.POST, description="The method.")
        headers: dict[str, str] = pin(default_factory=dict, description="Headers to send.")
        json_format: bool = pin(
            default=True,
            title="JSON format",
            description="Send the body as JSON; else as a form.",
        )
        body: dict[str, Any] | None = pin(default=None, description="What to send.")
        files_name: str = pin(default="file", description="The field of the form for the files.")
        files: list[str] = pin(
            default_factory=list,
            description="Files to send: data: URIs or web addresses.",
            schema={"type": "array", "items": {"type": "string", "format": "file"}},
        )

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="Why there was no answer.")
        response: Any = pin(description="The answer, if all went well (2xx).")
        client_error: Any = pin(description="The answer, if the request was at fault (4xx).")
        server_error: Any = pin(description="The answer in all other cases.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the answer: JSON as its value, all else as text."""
        body = await body_of(inputs, context)
        answer = await context.guarded_web().send(
            inputs.method.value,
            inputs.url,
            headers=headers_of(inputs.headers, inputs.method, context),
            body=body,
        )
        yield pin_for(answer.status), content_of(answer)
