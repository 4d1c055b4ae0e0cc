"""GenericWebhookTrigger: whoever knows the address starts the graph, with any JSON object."""

from collections.abc import Iterator
from typing import Any

from backend.sdk import (
    Block,
    BlockContext,
    BlockType,
    Category,
    Effect,
    Example,
    WebhookConfig,
    pin,
    pins,
)


class GenericWebhookTriggerBlock(Block):
    """
    Starts the agent when a JSON object is sent to its web address.

    The address is made when the trigger is set up. Started by hand, the agent gets the payload
    from the input of that name.
    """

    id = "8fa8c167-2002-47ce-aba8-97572fc5d387"
    categories = (Category.INPUT,)
    block_type = BlockType.WEBHOOK_MANUAL
    webhook = WebhookConfig(provider="generic_webhook", webhook_type="plain")
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"payload": {"order": 7}, "constants": {"shop": "Oslo"}},
            outputs=[("payload", {"order": 7}), ("constants", {"shop": "Oslo"})],
        ),
        Example(inputs={}, outputs=[("payload", {}), ("constants", {})]),
    )

    @pins
    class Input:
        """Input pins."""

        payload: dict[str, Any] = pin(
            default_factory=dict, hidden=True, description="What was sent."
        )
        constants: dict[str, Any] = pin(
            default_factory=dict,
            description="Values that the agent gets with each payload.",
        )

    @pins
    class Output:
        """Output pins."""

        payload: dict[str, Any] = pin(description="What was sent.")
        constants: dict[str, Any] = pin(description="The values that were set.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Pass both on."""
        yield "payload", inputs.payload
        yield "constants", inputs.constants
