"""How a run comes to rest: it has ended, or it waits for people."""

from backend.core.calling import wait_for_none
from backend.core.events import RunEnded, RunPaused
from backend.core.execution import Execution, ToolCalls
from backend.core.status import Status, advance


def pause(run: Execution, at_us: int) -> RunPaused:
    """Let *run* wait for people; what waits for tools that do runs again when they have decided."""
    for ordinal in list(run.calls.awaited):
        wait_for_none(run, ordinal)
    if run.status is not Status.REVIEW:
        run.status = advance(run.status, Status.REVIEW)
        run.changed = True
        _note_phase(run, at_us)
    return RunPaused()


def _note_phase(run: Execution, at_us: int) -> None:
    """Count the time since the run began to move; what it waited for people does not count."""
    if run.phase_us is not None:
        run.stats.duration_s += (at_us - run.phase_us) / 1e6
        run.phase_us = None


def note_open(run: Execution) -> dict[int, Status]:
    """Return how each node execution of *run* stands that ends with it, by ordinal."""
    ends = (Status.QUEUED, Status.RUNNING, Status.REVIEW)
    return {ordinal: one.status for ordinal, one in run.live.items() if one.status in ends}


def end(run: Execution, status: Status, at_us: int) -> RunEnded:
    """Note the end of *run*; what had not begun ends with it."""
    if run.stop_as is not None:
        for execution in list(run.live.values()):
            if execution.status in (Status.QUEUED, Status.REVIEW):
                execution.advance(status)
                execution.end_us = at_us
                run.touch(execution)
    run.status = advance(run.status, status)
    run.ended_us = at_us
    run.changed = True
    run.live.clear()
    run.nodes.clear()
    run.calls = ToolCalls()
    _note_phase(run, at_us)
    return RunEnded(status)
