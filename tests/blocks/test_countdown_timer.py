"""CountdownTimer waits as long as its parts say together."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.blocks.clock import countdown_timer
from backend.blocks.clock.countdown_timer import CountdownTimerBlock, seconds_of
from backend.sdk import BlockContext, BlockExecutionError, Effect, make_inputs, spec_of
from backend.testing.blocks import CONTEXT, outputs_of, prepare
from backend.testing.clock import FakeClock

MESSAGE = ("output_message", "timer finished")


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


@dataclass
class Waits:
    """Time that passes only while somebody sleeps."""

    clock: FakeClock
    slept: list[float] = field(default_factory=list)

    async def sleep(self, delay_s: float) -> None:
        self.slept.append(delay_s)
        self.clock.pass_time(seconds=delay_s)

    def context(self) -> BlockContext:
        return replace(CONTEXT, now=self.now, started_us=self.clock.now_us())

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now_us() / 1e6, UTC)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    made = Waits(FakeClock())
    monkeypatch.setattr(countdown_timer, "asyncio", made)
    return made


async def test_it_waits_before_each_message(waits: Waits) -> None:
    given = {"minutes": 2, "repeat": 3}

    outputs = await outputs_of(CountdownTimerBlock(), given, waits.context())

    assert waits.slept == [120, 120, 120]
    assert outputs == [MESSAGE] * 3


async def test_a_later_attempt_waits_only_for_what_is_left(waits: Waits) -> None:
    """Those of before are given again, at once: the engine has them and passes them over."""
    context = waits.context()
    waits.clock.pass_time(minutes=5)

    outputs = await outputs_of(CountdownTimerBlock(), {"minutes": 2, "repeat": 4}, context)

    assert waits.slept == [0, 0, 60, 120]
    assert outputs == [MESSAGE] * 4


async def test_a_clock_that_is_set_back_makes_no_wait_longer(waits: Waits) -> None:
    context = waits.context()
    waits.clock.set_us(waits.clock.now_us() - 3_600_000_000)

    await outputs_of(CountdownTimerBlock(), {"minutes": 2, "repeat": 2}, context)

    assert waits.slept == [120, 120]


async def test_it_can_be_stopped_while_it_waits() -> None:
    run = asyncio.create_task(outputs_of(CountdownTimerBlock(), {"days": 1}))
    await asyncio.sleep(0)

    run.cancel()

    with pytest.raises(asyncio.CancelledError):
        await run


def test_it_waits_only_for_what_is_kept() -> None:
    assert spec_of(CountdownTimerBlock).effect is Effect.READ
