"""How late the event loop comes is seen."""

import asyncio
import time

import pytest

from backend.engine.lag import LoopLag


async def test_what_holds_the_loop_is_seen() -> None:
    lag = LoopLag()
    watching = asyncio.create_task(lag.serve())
    await asyncio.sleep(0)  # it has begun to wait

    time.sleep(0.3)  # noqa: ASYNC251 - this is what it must see
    while not lag.most_s:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)

    watching.cancel()
    assert lag.recent_s == lag.most_s > 0.1


def test_the_recent_forgets_and_the_most_does_not() -> None:
    lag = LoopLag()

    lag.note(2.0)
    for _ in range(600):
        lag.note(0.001)

    assert (lag.recent_s, lag.most_s) == (0.001, 2.0)


@pytest.mark.parametrize("late_s", [-0.001, 0.0])
def test_earlier_than_asked_counts_as_in_time(late_s: float) -> None:
    lag = LoopLag()

    lag.note(late_s)

    assert (lag.recent_s, lag.most_s) == (0.0, 0.0)
