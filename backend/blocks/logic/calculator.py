"""Calculator: two numbers, one operation."""

import math
from collections.abc import Iterator
from enum import StrEnum

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class Operation(StrEnum):
    """What is done with the two numbers."""

    ADD = "Add"
    SUBTRACT = "Subtract"
    MULTIPLY = "Multiply"
    DIVIDE = "Divide"
    POWER = "Power"


class CalculatorBlock(Block):
    """Computes with two numbers: sum, difference, product, quotient or power."""

    id = "b1ab9b19-67a6-406d-abf5-2dba76d00c79"
    categories = (Category.LOGIC,)
    effect = Effect.PURE
    examples = (
        Example(inputs={"operation": "Add", "a": "4", "b": 5}, outputs=[("result", 9.0)]),
        Example(inputs={"operation": "Subtract", "a": 1, "b": 1}, outputs=[("result", 0)]),
        Example(
            inputs={"operation": "Divide", "a": 7, "b": 2, "round_result": True},
            outputs=[("result", 4)],
        ),
        Example(inputs={"operation": "Power", "a": 2, "b": 10}, outputs=[("result", 1024)]),
        Example(inputs={"operation": "Divide", "a": 1, "b": 0}, error="divided by zero"),
        Example(inputs={"operation": "Power", "a": 10, "b": 999}, error="too large"),
        Example(inputs={"operation": "Power", "a": -8, "b": 0.5}, error="no real number"),
    )

    @pins
    class Input:
        """Input pins."""

        operation: Operation = pin(description="What to compute.")
        a: float = pin(description="The first number.")
        b: float = pin(description="The second number.")
        round_result: bool = pin(default=False, description="Round to a whole number.")

    @pins
    class Output:
        """Output pins."""

        result: float = pin(description="The result.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, float]]:
        """Yield the result."""
        result = _compute(inputs.operation, inputs.a, inputs.b)
        yield "result", round(result) if inputs.round_result else result


def _compute(operation: Operation, a: float, b: float) -> float:
    """
    Compute with floating-point numbers, so that no result can grow without bound.

    Raises:
        ValueError: If there is no finite result.
    """
    left, right = _as_float(a), _as_float(b)
    try:
        result = _raw(operation, left, right)
    except ZeroDivisionError as exc:
        raise ValueError(f"{a} cannot be divided by zero") from exc
    except OverflowError as exc:
        raise ValueError("the result is too large") from exc
    if isinstance(result, complex):
        raise ValueError(f"{a} to the power of {b} is no real number")  # noqa: TRY004 - a bad value, not a bad type
    if not math.isfinite(result):
        raise ValueError("the result is too large or no number")
    return _plain(result, a, b)


def _raw(operation: Operation, left: float, right: float) -> float | complex:
    match operation:
        case Operation.ADD:
            return left + right
        case Operation.SUBTRACT:
            return left - right
        case Operation.MULTIPLY:
            return left * right
        case Operation.DIVIDE:
            return left / right
        case Operation.POWER:
            power: float | complex = left**right
            return power


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError as exc:
        raise ValueError(f"{str(number)[:20]}… is too large to compute with") from exc


def _plain(result: float, a: float, b: float) -> float:
    """Return whole results of whole numbers as whole numbers, where that is exact."""
    whole = isinstance(a, int) and isinstance(b, int) and result.is_integer()
    return int(result) if whole and abs(result) < 2**53 else result
