"""AddToDictionary: a dictionary with more in it."""

from collections.abc import Iterator
from typing import Any

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class AddToDictionaryBlock(Block):
    """Makes a dictionary with one or more entries added or replaced."""

    id = "31d1064e-7446-4693-a7d4-65e5ca1180d1"
    categories = (Category.BASIC,)
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"dictionary": {"a": 1}, "key": "b", "value": 0, "entries": {"c": None}},
            outputs=[("updated_dictionary", {"a": 1, "b": 0, "c": None})],
        ),
        Example(inputs={"value": 1}, outputs=[("updated_dictionary", {})]),
    )

    @pins
    class Input:
        """Input pins."""

        dictionary: dict[str, Any] = pin(
            default_factory=dict, advanced=False, description="The dictionary."
        )
        key: str = pin(default="", advanced=False, description="The key of one entry.")
        value: Any = pin(default=None, advanced=False, description="The value of that entry.")
        entries: dict[str, Any] = pin(default_factory=dict, description="More entries.")

    @pins
    class Output:
        """Output pins."""

        updated_dictionary: dict[str, Any] = pin(description="The new dictionary.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield a new dictionary; without a key or a value, only the entries are added."""
        named = inputs.key and inputs.value is not None
        one = {inputs.key: inputs.value} if named else {}
        yield "updated_dictionary", {**inputs.dictionary, **one, **inputs.entries}
