"""Condition: one of two ways, by comparing two values."""

import operator
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
)


class ComparisonOperator(StrEnum):
    """How two values are compared."""

    EQUAL = "=="
    NOT_EQUAL = "!="
    GREATER_THAN = ">"
    LESS_THAN = "<"
    GREATER_THAN_OR_EQUAL = ">="
    LESS_THAN_OR_EQUAL = "<="


_COMPARE: Final[Mapping[ComparisonOperator, Callable[[Any, Any], bool]]] = {
    ComparisonOperator.EQUAL: operator.eq,
    ComparisonOperator.NOT_EQUAL: operator.ne,
    ComparisonOperator.GREATER_THAN: operator.gt,
    ComparisonOperator.LESS_THAN: operator.lt,
    ComparisonOperator.GREATER_THAN_OR_EQUAL: operator.ge,
    ComparisonOperator.LESS_THAN_OR_EQUAL: operator.le,
}


class ConditionBlock(Block):
    """Compares two values and hands on one value or another. Texts that are numbers count as such."""

    id = "715696a0-e1da-45c8-b209-c2fa9c3b0be6"
    categories = (Category.LOGIC,)
    effect = Effect.PURE
    place = Place.THREAD
    inline_size = SMALL_INPUTS
    examples = (
        Example(
            inputs={"value1": 10, "operator": ">", "value2": "5", "yes_value": "big"},
            outputs=[("result", True), ("yes_output", "big")],
        ),
        Example(
            inputs={"value1": "a", "operator": "==", "value2": "b"},
            outputs=[("result", False), ("no_output", "b")],
        ),
        Example(
            inputs={"value1": 1, "operator": "<", "value2": 2, "yes_value": 0},
            outputs=[("result", True), ("yes_output", 0)],
        ),
        Example(inputs={"value1": [1], "operator": "<", "value2": 2}, error="Comparison failed"),
    )

    @pins
    class Input:
        """Input pins."""

        value1: Any = pin(description="The value to the left.")
        operator: ComparisonOperator = pin(description="How to compare.")
        value2: Any = pin(description="The value to the right.")
        yes_value: Any = pin(default=None, description="Handed on if it holds; else value1.")
        no_value: Any = pin(default=None, description="Handed on if it does not; else value2.")

    @pins
    class Output:
        """Output pins."""

        result: bool = pin(description="Whether it holds.")
        yes_output: Any = pin(description="Only if it holds.")
        no_output: Any = pin(description="Only if it does not.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield the result, then the value of the way taken."""
        left, right = _comparable(inputs.value1), _comparable(inputs.value2)
        try:
            holds = bool(_COMPARE[inputs.operator](left, right))
        except TypeError as exc:
            raise ValueError(f"Comparison failed: {exc}") from exc
        yield "result", holds
        if holds:
            yield "yes_output", left if inputs.yes_value is None else inputs.yes_value
        else:
            yield "no_output", right if inputs.no_value is None else inputs.no_value


def _comparable(value: Any) -> Any:
    """Return a text as the number that it is, or without blanks around it."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        number = float(text)
    except ValueError:
        return text
    # "nan" and "inf" are words here: no number of JSON is meant by them.
    return number if number - number == 0 else text
