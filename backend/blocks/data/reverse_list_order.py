"""ReverseListOrder: a list from its end to its beginning."""

from collections.abc import Iterator
from typing import Any

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class ReverseListOrderBlock(Block):
    """Turns a list round: its last element comes first."""

    id = "422cb708-3109-4277-bfe3-bc2ae5812777"
    categories = (Category.BASIC,)
    effect = Effect.PURE
    examples = (
        Example(inputs={"input_list": [1, "b", None]}, outputs=[("reversed_list", [None, "b", 1])]),
        Example(inputs={"input_list": []}, outputs=[("reversed_list", [])]),
        Example(inputs={}, error="input_list"),
    )

    @pins
    class Input:
        """Input pins."""

        input_list: list[Any] = pin(description="The list.")

    @pins
    class Output:
        """Output pins."""

        reversed_list: list[Any] = pin(description="The list in the other order.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, list[Any]]]:
        """Yield a new list."""
        yield "reversed_list", inputs.input_list[::-1]
