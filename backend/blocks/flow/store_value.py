"""StoreValue: keeps a value for every later use in the run."""

from collections.abc import Iterator
from typing import Any

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class StoreValueBlock(Block):
    """Passes a value on and keeps it: what is linked from here can use it again and again."""

    id = "1ff065e9-88e8-4358-9d82-8dc91f622ba9"
    categories = (Category.BASIC,)
    static_output = True
    effect = Effect.PURE
    examples = (
        Example(inputs={"input": "Hello"}, outputs=[("output", "Hello")]),
        Example(inputs={"input": "trigger", "data": "kept"}, outputs=[("output", "kept")]),
        Example(inputs={"input": "trigger", "data": 0}, outputs=[("output", 0)]),
    )

    @pins
    class Input:
        """Input pins."""

        input: Any = pin(description="The value, or only a trigger when `data` is given.")
        data: Any = pin(default=None, description="A constant that stands before the input.")

    @pins
    class Output:
        """Output pins."""

        output: Any = pin(description="The value that is kept.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield the constant if there is one, else the input. 0, "" and false are constants too."""
        yield "output", inputs.input if inputs.data is None else inputs.data
