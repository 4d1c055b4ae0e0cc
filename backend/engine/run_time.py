"""How long a run may move: when its time is up, it fails."""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backend.engine.run_loop import RunLoop


def watch_time(loop: "RunLoop", limit_s: float) -> None:
    """
    End *loop* when it has moved for *limit_s* seconds in all; what it waited does not count.

    A nested run ends with its root; 0 is no limit.
    """
    execution = loop.execution
    if not limit_s or loop.stored.depth or execution.phase_us is None:
        return
    spent_s = execution.stats.duration_s + (loop.now() - execution.phase_us) / 1e6

    def end() -> None:
        if not loop.over:
            loop.fail(f"the run took longer than {limit_s:g} s (setting MAX_RUN_TIME_S)")

    timer = asyncio.get_running_loop().call_later(max(0.0, limit_s - spent_s), end)
    loop.on_end.append(lambda _: timer.cancel())
