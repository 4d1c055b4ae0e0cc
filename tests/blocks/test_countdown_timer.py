"""CountdownTimer waits as long as its parts say together."""

import asyncio
from typing import Any

import pytest

from backend.blocks.clock import countdown_timer
from backend.blocks.clock.countdown_timer import CountdownTimerBlock, seconds_of
from backend.sdk import BlockExecutionError, Effect, make_inputs, spec_of
from backend.testing.blocks import outputs_of, prepare


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({}, 0),
        ({"seconds": "5"}, 5),
        ({"seconds": "0.5"}, 0.5),
        ({"seconds": 1, "minutes": "2", "hours": 3, "days": 4}, 1 + 120 + 3 * 3600 + 4 * 86400),
        ({"minutes": 1, "seconds": -90}, 0),
    ],
)
def test_the_parts_add_up(given: dict[str, Any], seconds: float) -> None:
    spec = spec_of(CountdownTimerBlock)

    assert seconds_of(make_inputs(CountdownTimerBlock, prepare(spec, given))) == seconds


@pytest.mark.parametrize("given", ["", "nan", "inf", "five"])
async def test_what_is_no_number_is_refused(given: str) -> None:
    with pytest.raises(BlockExecutionError, match="is no number"):
        await outputs_of(CountdownTimerBlock(), {"minutes": given})


async def test_it_waits_before_each_message(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    class Clock:
        """Passes at once, and says how much was waited."""

        @staticmethod
        async def sleep(delay_s: float) -> None:
            waits.append(delay_s)

    monkeypatch.setattr(countdown_timer, "asyncio", Clock)

    outputs = await outputs_of(CountdownTimerBlock(), {"minutes": 2, "repeat": 3})

    assert waits == [120, 120, 120]
    assert outputs == [("output_message", "timer finished")] * 3


async def test_it_can_be_stopped_while_it_waits() -> None:
    run = asyncio.create_task(outputs_of(CountdownTimerBlock(), {"days": 1}))
    await asyncio.sleep(0)

    run.cancel()

    with pytest.raises(asyncio.CancelledError):
        await run


def test_it_waits_only_for_what_is_kept() -> None:
    assert spec_of(CountdownTimerBlock).effect is Effect.READ
