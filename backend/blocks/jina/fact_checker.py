"""FactChecker: whether a statement is true, with what speaks for and against it."""

from collections.abc import AsyncIterator
from typing import Any

from backend.blocks.jina.service import GROUNDING, MINE
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
from backend.sdk.services import path_of

_REFERENCE = {
    "url": "https://example.com/earth",
    "keyQuote": "The earth is round.",
    "isSupportive": True,
}


class FactCheckerBlock(Block):
    """Checks a statement against the web with Jina: how true it is, why, and who says so."""

    id = "d38b6c5e-9968-4271-8423-6cfe60d6e7e6"
    categories = (Category.SEARCH,)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"statement": "The earth is round", "credentials": MINE},
            outputs=[
                ("factuality", 0.95),
                ("result", True),
                ("reason", "A page says so."),
                ("references", [_REFERENCE]),
            ],
        ),
        Example(inputs={"statement": "", "credentials": MINE}, error="cannot stand in an address"),
    )

    @pins
    class Input:
        """Input pins."""

        statement: str = pin(description="What is said to be true.")
        credentials: dict[str, Any] = credentials_pin(
            ["jina"], [CredentialsKind.KEY], description="A key of Jina."
        )

    @pins
    class Output:
        """Output pins."""

        factuality: float = pin(description="How true it is, from 0 to 1.")
        result: bool = pin(description="Whether it is true.")
        reason: str = pin(description="Why.")
        references: list[Any] = pin(
            default_factory=list,
            description="What speaks for it, and against it.",
            schema={
                "default": [],
                "items": {
                    "properties": {
                        "url": {"title": "Url", "type": "string"},
                        "keyQuote": {"title": "Keyquote", "type": "string"},
                        "isSupportive": {"title": "Issupportive", "type": "boolean"},
                    },
                    "required": ["url", "keyQuote", "isSupportive"],
                    "title": "Reference",
                    "type": "object",
                },
                "type": "array",
            },
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the verdict."""
        calls = GROUNDING.calls(context, inputs.credentials)
        answer = await calls.object(
            "GET", path_of(inputs.statement), headers={"Accept": "application/json"}
        )
        data = answer.get("data")
        if not isinstance(data, dict) or "factuality" not in data or "result" not in data:
            raise calls.nonsense("it has no verdict")
        yield "factuality", data["factuality"]
        yield "result", data["result"]
        yield "reason", str(data.get("reason") or "")
        yield "references", data.get("references") or []
