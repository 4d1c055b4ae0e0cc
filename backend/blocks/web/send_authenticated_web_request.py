"""SendAuthenticatedWebRequest: one HTTP request with headers that its user keeps for that host."""

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
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Example,
    HostScopedCredentials,
    credentials_pin,
    pin,
    pins,
)


class SendAuthenticatedWebRequestBlock(Block):
    """Sends one request to a web address with the headers that are kept for its host."""

    id = "fff86bcd-e001-4bad-a7f6-2eae4720c8dc"
    categories = (Category.OUTPUT,)
    effect = EFFECT
    examples = (
        Example(
            inputs={
                "url": "https://example.com",
                "files": ["data:,x"],
                "credentials": {"id": "mine", "provider": "http", "type": "host_scoped"},
            },
            error="switch json_format off",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        url: str = pin(description="The address.", placeholder="https://api.example.com")
        method: HttpMethod = pin(default=HttpMethod.POST, description="The method.")
        headers: dict[str, str] = pin(
            default_factory=dict, description="Headers to send; they stand before kept ones."
        )
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
        credentials: dict[str, Any] = credentials_pin(
            ["http"],
            [CredentialsKind.HOST_SCOPED],
            discriminator="url",
            description="Headers that are kept for the host of the address.",
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
        lent = await context.credentials(inputs.credentials)
        if not isinstance(lent, HostScopedCredentials):
            raise ValueError("these credentials are no headers for a host")  # noqa: TRY004 - of the node, not of our code
        if not lent.matches(inputs.url):
            raise ValueError(f"these credentials are for {lent.host}, and the address is another")
        headers = headers_of(inputs.headers, inputs.method, context)
        named = {name.lower() for name in headers}
        for name, value in lent.headers.items():
            if name.lower() not in named:
                headers[name] = value.reveal()
        answer = await context.guarded_web().send(
            inputs.method.value,
            inputs.url,
            headers=headers,
            body=body,
            # They go no further than the host they are for, wherever it points.
            secret_headers=list(lent.headers),
        )
        yield pin_for(answer.status), content_of(answer)
