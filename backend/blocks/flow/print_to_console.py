"""PrintToConsole: passes a value on and says so. Kept for graphs that have it."""

from collections.abc import Iterator
from typing import Any

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class PrintToConsoleBlock(Block):
    """Passes a value on, so that it can be seen among the run's outputs. Prints nothing."""

    id = "f3b1c1b2-4c4f-4f0d-8d2f-4c4f0d8d2f4c"
    categories = (Category.BASIC,)
    sensitive = True
    effect = Effect.PURE
    examples = (
        Example(inputs={"text": {"a": 1}}, outputs=[("output", {"a": 1}), ("status", "printed")]),
    )

    @pins
    class Input:
        """Input pins."""

        text: Any = pin(description="The value.")

    @pins
    class Output:
        """Output pins."""

        output: Any = pin(description="The value.")
        status: str = pin(description='Always "printed".')

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield the value and the status."""
        yield "output", inputs.text
        yield "status", "printed"
