"""CreateDictionary: gathers values under names."""

from collections.abc import Iterator
from typing import Any

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class CreateDictionaryBlock(Block):
    """Makes a dictionary of the values that are linked to it, each under its name."""

    id = "b924ddf4-de4f-4b56-9a85-358930dcbc91"
    categories = (Category.DATA,)
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"values": {"name": "Ann", "age": 0}},
            outputs=[("dictionary", {"name": "Ann", "age": 0})],
        ),
        Example(
            inputs={"values_#_name": "Ann", "values_#_age": 7},
            outputs=[("dictionary", {"name": "Ann", "age": 7})],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        values: dict[str, Any] = pin(description="Values by name.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        dictionary: dict[str, Any] = pin(description="The dictionary.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield the dictionary."""
        yield "dictionary", inputs.values
