"""ReplicateModel: any model of Replicate."""

from collections.abc import AsyncIterator
from typing import Any

from backend.blocks.replicate.service import MINE, key_pin, predicted, text_of
from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class ReplicateModelBlock(Block):
    """Runs any model of Replicate and gives what it makes."""

    id = "c40d75a2-d0ea-44c9-a4f6-634bb3bdab1a"
    categories = (Category.AI,)
    effect = Effect.KEYED
    retries = 2
    examples = (
        Example(
            inputs={
                "model_name": "meta/llama",
                "model_inputs": {"prompt": "Hello"},
                "credentials": MINE,
            },
            outputs=[
                ("result", "Hello yourself"),
                ("status", "succeeded"),
                ("model_name", "meta/llama"),
            ],
        ),
        Example(inputs={"model_name": "llama", "credentials": MINE}, error="called owner/name"),
        Example(
            inputs={"model_name": "me/broken", "credentials": MINE}, error="the model failed: No"
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = key_pin()
        model_name: str = pin(description="The model.", placeholder="owner/name")
        model_inputs: dict[str, str | int] = pin(
            default_factory=dict,
            advanced=False,
            description="What the model is given, by name.",
            schema={
                "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                "type": "object",
                "default": {},
            },
        )
        version: str | None = pin(
            default=None, description="A version of the model; empty: its present one."
        )

    @pins
    class Output:
        """Output pins."""

        result: str = pin(description="What it made: a text, or the address of a file.")
        status: str = pin(description="How it went.")
        model_name: str = pin(description="The model.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield what the model makes."""
        output = await predicted(
            context,
            inputs.credentials,
            inputs.model_name.strip(),
            inputs.model_inputs,
            version=inputs.version,
        )
        yield "result", text_of(output)
        yield "status", "succeeded"
        yield "model_name", inputs.model_name
