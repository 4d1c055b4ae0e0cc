"""AgentInput: one value that a run is given, under a name."""

from collections.abc import Iterator
from typing import Any

from backend.sdk import Block, BlockContext, BlockType, Category, Effect, Example, pin, pins


class AgentInputBlock(Block):
    """Takes a value into the graph when a run starts. The name is what callers see."""

    id = "c0a8e994-ebf1-4a9c-a4d8-89d09c86741b"
    categories = (Category.BASIC, Category.INPUT)
    block_type = BlockType.INPUT
    static_output = True
    no_error_pin = True
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"name": "city", "value": "Oslo"},
            outputs=[("result", "Oslo")],
        ),
        Example(inputs={"name": "count", "value": 0}, outputs=[("result", 0)]),
        Example(inputs={"name": "city"}, outputs=[]),
    )

    @pins
    class Input:
        """Input pins."""

        name: str = pin(description="The name under which the value is given.")
        value: Any = pin(default=None, description="Used when the run gives no value.")
        title: str | None = pin(default=None, description="Shown instead of the name.")
        description: str | None = pin(default=None, description="Says what to enter.")
        placeholder_values: list[Any] = pin(
            default_factory=list, hidden=True, description="Values to choose from."
        )
        advanced: bool = pin(default=False, description="Folded away in the form.")
        secret: bool = pin(default=False, description="Not shown, and left out of exports.")

    @pins
    class Output:
        """Output pins."""

        result: Any = pin(description="The value.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield the value if there is one."""
        if inputs.value is not None:
            yield "result", inputs.value
