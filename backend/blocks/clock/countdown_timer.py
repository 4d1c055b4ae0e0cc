"""CountdownTimer: hands a value on later."""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any, Final

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins

_UNITS: Final = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400}

#: A year and a day.
MAX_SECONDS: Final = 366 * 86_400


class CountdownTimerBlock(Block):
    """
    Waits, then hands a value on; as often as wanted.

    The time counts from when it began, also while the server is down.
    """

    id = "d67a9c52-5e4e-11e2-bcfd-0800200c9a71"
    categories = (Category.TEXT,)
    # It waits only after what led to it is kept, so that a crash does not lose the wait unnoticed.
    effect = Effect.READ
    time_limit_s = 0  # it takes as long as it takes
    examples = (
        Example(inputs={}, outputs=[("output_message", "timer finished")]),
        Example(
            inputs={"input_message": {"n": 1}, "seconds": "0", "repeat": 2},
            outputs=[("output_message", {"n": 1}), ("output_message", {"n": 1})],
        ),
        Example(inputs={"minutes": 1, "seconds": -60, "repeat": 0}, outputs=[]),
        Example(inputs={"hours": "soon"}, error="hours: 'soon' is no number"),
        Example(inputs={"days": 367}, error="366 days"),
    )

    @pins
    class Input:
        """Input pins."""

        input_message: Any = pin(
            default="timer finished", advanced=False, description="The value to hand on."
        )
        seconds: int | str = pin(default=0, advanced=False, description="Seconds to wait.")
        minutes: int | str = pin(default=0, advanced=False, description="Minutes more.")
        hours: int | str = pin(default=0, advanced=False, description="Hours more.")
        days: int | str = pin(default=0, advanced=False, description="Days more.")
        repeat: int = pin(default=1, description="How often to wait and hand on.")

    @pins
    class Output:
        """Output pins."""

        output_message: Any = pin(description="The value, when the time is over.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the value after each wait; what was due before this attempt, at once."""
        wait_s = seconds_of(inputs)
        for number in range(1, inputs.repeat + 1):
            passed_s = (context.now() - context.started).total_seconds()
            # Never longer than one wait: a clock that was set back must not hold it up.
            await asyncio.sleep(min(max(number * wait_s - passed_s, 0), wait_s))
            yield "output_message", inputs.input_message


def seconds_of(inputs: CountdownTimerBlock.Input) -> float:
    """
    Return how long to wait: all parts together, and not less than nothing.

    Raises:
        ValueError: If a part is no number, or all are together longer than the limit.
    """
    total = sum(_number(name, getattr(inputs, name)) * unit for name, unit in _UNITS.items())
    if total > MAX_SECONDS:
        raise ValueError(f"a timer may not wait longer than {MAX_SECONDS // _UNITS['days']} days")
    return max(total, 0)


def _number(name: str, value: int | str) -> float:
    try:
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name}: {str(value)[:40]!r} is no number")
    return number
