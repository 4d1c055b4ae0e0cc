"""CountItems: how many."""

from collections.abc import Iterator
from typing import Any

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class CountItemsBlock(Block):
    """Counts the entries of a list or dictionary, or the characters of a text."""

    id = "3c9c2f42-b0c3-435f-ba35-05f7a25c772a"
    categories = (Category.LOGIC,)
    effect = Effect.PURE
    examples = (
        Example(inputs={"collection": [1, 2, 3]}, outputs=[("count", 3)]),
        Example(inputs={"collection": {}}, outputs=[("count", 0)]),
        Example(inputs={"collection": "four"}, outputs=[("count", 4)]),
        Example(inputs={"collection": 5}, outputs=[("count", -1)]),
    )

    @pins
    class Input:
        """Input pins."""

        collection: Any = pin(description="What to count.")

    @pins
    class Output:
        """Output pins."""

        count: int = pin(description="How many; -1 for what cannot be counted.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, int]]:
        """Yield the number."""
        countable = isinstance(inputs.collection, list | dict | str)
        yield "count", len(inputs.collection) if countable else -1
