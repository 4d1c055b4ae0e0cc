"""IfInputMatches: one of two ways, by whether two values are the same."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from backend.sdk import (
    Block,
    BlockContext,
    Category,
    Effect,
    Example,
    pin,
    pins,
    to_boolean,
    to_dict,
    to_list,
    to_string,
)

_LIKE: Final[Mapping[type, Callable[[Any], Any]]] = {
    str: to_string,
    bool: to_boolean,
    list: to_list,
    dict: to_dict,
}


class IfInputMatchesBlock(Block):
    """Compares a value with another, made the same type if need be, and takes one of two ways."""

    id = "6dbbc4b3-ca6c-42b6-b508-da52d23e13f2"
    categories = (Category.LOGIC,)
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"input": 10, "value": "10", "yes_value": "same"},
            outputs=[("result", True), ("yes_output", "same")],
        ),
        Example(
            inputs={"input": "a", "value": "b", "no_value": 0},
            outputs=[("result", False), ("no_output", 0)],
        ),
        Example(
            inputs={"input": 0, "value": "zero", "yes_value": "same"},
            outputs=[("result", False), ("no_output", None)],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        input: Any = pin(description="The value.")
        value: Any = pin(description="What it is compared with.")
        yes_value: Any = pin(default=None, description="Handed on if they match.")
        no_value: Any = pin(default=None, description="Handed on if they do not.")

    @pins
    class Output:
        """Output pins."""

        result: bool = pin(description="Whether they match.")
        yes_output: Any = pin(description="Only if they match.")
        no_output: Any = pin(description="Only if they do not.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield the result, then the value of the way taken."""
        if _matches(inputs.input, inputs.value):
            yield "result", True
            yield "yes_output", inputs.yes_value
        else:
            yield "result", False
            yield "no_output", inputs.no_value


def _matches(value: Any, other: Any) -> bool:
    if bool(value == other):
        return True
    if isinstance(value, int | float) and not isinstance(value, bool):
        # A word that is no number is not 0, as a conversion would have it.
        return isinstance(other, str) and _number(other) == value
    convert = _LIKE.get(type(value))
    return convert is not None and bool(convert(other) == value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
