"""ConcatenateLists: one list out of several."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class ConcatenateListsBlock(Block):
    """Puts lists one after the other. What is no list counts as a list of one element."""

    id = "3cf9298b-5817-4141-9d80-7c2cc5199c8e"
    categories = (Category.BASIC,)
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"lists": [[1, 2], [], ["c"]]}, outputs=[("concatenated_list", [1, 2, "c"])]
        ),
        Example(inputs={"lists": []}, outputs=[("concatenated_list", [])]),
        Example(inputs={"lists": [1, [2], None]}, outputs=[("concatenated_list", [1, 2, None])]),
        Example(inputs={}, error="lists"),
    )

    @pins
    class Input:
        """Input pins."""

        lists: list[list[Any]] = pin(description="The lists.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        concatenated_list: list[Any] = pin(description="All their elements.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, list[Any]]]:
        """Yield a new list."""
        yield "concatenated_list", list(chain.from_iterable(inputs.lists))
