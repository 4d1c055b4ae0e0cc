"""UniversalTypeConverter: the same value as another type."""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from backend.sdk import (
    SMALL_INPUTS,
    Block,
    BlockContext,
    Category,
    Effect,
    Example,
    Place,
    pin,
    pins,
    to_boolean,
    to_dict,
    to_list,
    to_number,
    to_string,
)


class TypeOptions(StrEnum):
    """The types to choose from."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    LIST = "list"
    DICTIONARY = "dictionary"


_CONVERT: Final[Mapping[TypeOptions, Callable[[Any], Any]]] = {
    TypeOptions.STRING: to_string,
    TypeOptions.NUMBER: to_number,
    TypeOptions.BOOLEAN: to_boolean,
    TypeOptions.LIST: to_list,
    TypeOptions.DICTIONARY: to_dict,
}


class UniversalTypeConverterBlock(Block):
    """Turns a value into a text, a number, a yes or no, a list or a dictionary."""

    id = "95d1b990-ce13-4d88-9737-ba5c2070c97b"
    categories = (Category.BASIC,)
    effect = Effect.PURE
    place = Place.THREAD
    inline_size = SMALL_INPUTS
    examples = (
        Example(inputs={"value": [1, 2], "type": "string"}, outputs=[("value", "[1, 2]")]),
        Example(inputs={"value": "1e3", "type": "number"}, outputs=[("value", 1000.0)]),
        Example(inputs={"value": "no", "type": "boolean"}, outputs=[("value", False)]),
        Example(inputs={"value": "[1]", "type": "list"}, outputs=[("value", [1])]),
        Example(inputs={"value": "x", "type": "dictionary"}, outputs=[("value", {"value": "x"})]),
    )

    @pins
    class Input:
        """Input pins."""

        value: Any = pin(description="The value.")
        type: TypeOptions = pin(description="What it shall be.")

    @pins
    class Output:
        """Output pins."""

        value: Any = pin(description="The value, of the new type.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield the converted value."""
        yield "value", _CONVERT[inputs.type](inputs.value)
