"""PageChangeTrigger: what changes on a web page starts the agent."""

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


class PageChangeTriggerBlock(Block):
    """
    Starts the agent when the text of a web page changes, or of a part of it.

    The server looks at the page as often as the interval says. What it says when the trigger is
    set up is where it begins. Scripts, navigation and what is hidden do not count.
    """

    id = "1d0c1d38-8782-48de-9735-eef01b0089b3"
    categories = (Category.INPUT,)
    block_type = BlockType.WEBHOOK_MANUAL
    webhook = WebhookConfig(provider="page", webhook_type="change")
    effect = Effect.PURE
    examples = (
        Example(
            inputs={
                "url": "https://example.com/prices",
                "selector": ".price",
                "payload": {"old_text": "5 EUR", "new_text": "4 EUR", "diff": "-5 EUR\n+4 EUR"},
            },
            outputs=[
                ("url", "https://example.com/prices"),
                ("old_text", "5 EUR"),
                ("new_text", "4 EUR"),
                ("diff", "-5 EUR\n+4 EUR"),
            ],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        payload: dict[str, Any] = pin(
            default_factory=dict, hidden=True, description="What was found."
        )
        url: str = pin(
            description="The address of the page.", placeholder="https://example.com/prices"
        )
        selector: str = pin(
            default="",
            description="A CSS selector of what to look at; empty: the whole page.",
            placeholder=".price",
        )
        interval: int = pin(default=300, description="Seconds between two looks.")

    @pins
    class Output:
        """Output pins."""

        url: str = pin(description="The address of the page.")
        old_text: str = pin(description="What it said.")
        new_text: str = pin(description="What it says now.")
        diff: str = pin(description="The lines that went (-) and that came (+).")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield what was and what is."""
        if "new_text" not in inputs.payload:
            raise ValueError("there is no change: this agent is started by its page")
        yield "url", inputs.url
        for name in ("old_text", "new_text", "diff"):
            yield name, str(inputs.payload.get(name, ""))
