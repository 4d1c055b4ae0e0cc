"""Sees to it that no run under way is forgotten: what stands still for no reason is begun again.

By the rules of core.step a run always waits for something: for a node's task, for a person, for
the disk. A run that waits for nothing has met a defect of ours. It is let go and taken up again
from its rows, as after a crash; where that helps nothing, it fails after a few times.
"""

import asyncio
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import structlog

from backend.core.errors import StaleAttempt
from backend.core.ids import ExecutionId
from backend.core.status import Status
from backend.engine.node_task import GRACE_S
from backend.engine.poison import MOST_STALLS
from backend.engine.run_loop import RunLoop
from backend.engine.tools import EngineTools
from backend.engine.worker import Worker
from backend.ports.why import WorkState

log = structlog.get_logger()

#: The lease, three misses of 10 s, and 30 s more.
PATIENCE_S: Final = 60.0
EVERY_S: Final = 10.0
#: What the time between two looks counts at the most.
_MOST_BETWEEN_S: Final = 2 * EVERY_S
#: Runs that were let go and are remembered.
_MOST_KNOWN: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Sight:
    loop: RunLoop
    revision: int
    reason: str
    stood_s: float  # for so long
    seen_s: float  # when it was seen last

    def is_of_same(self, other: "_Sight") -> bool:
        """Whether nothing has happened to the run between the two."""
        return self.loop is other.loop and (self.revision, self.reason) == (
            other.revision,
            other.reason,
        )


class ProgressWatch:
    """See the module. One per executor."""

    def __init__(
        self, worker: Worker, tools: EngineTools, *, patience_s: float = PATIENCE_S
    ) -> None:
        self._worker = worker
        self._tools = tools
        self._patience_s = patience_s
        self._seen: dict[ExecutionId, _Sight] = {}
        #: How often a run was let go since a node of it last ended, and how many had by then.
        self._times: OrderedDict[ExecutionId, tuple[int, int]] = OrderedDict()

    async def serve(self, every_s: float = EVERY_S) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await self.look()

    async def look(self) -> list[ExecutionId]:
        """Look once; return the runs that stood still: they are begun again now, or have failed."""
        if self._worker.count_again():
            log.error("runs_counted_wrong")
        let_go: list[ExecutionId] = []
        seen, self._seen = self._seen, {}
        for run_id, loop in list(self._worker.active_runs.items()):
            reason = None if self._worker.is_loading(run_id) else why_still(loop)
            if reason is None:
                continue
            sight = self._noted(run_id, loop, reason, seen.get(run_id))
            if sight.stood_s < self._patience_s:
                loop.pump()  # where all that is missing is a push
                continue
            del self._seen[run_id]
            let_go.append(run_id)
            await self._begin_again(loop, reason)
        return let_go

    async def _begin_again(self, loop: RunLoop, reason: str) -> None:
        execution = loop.execution
        times, ended = self._times.pop(execution.id, (0, 0))
        times = times + 1 if ended == execution.stats.node_count else 1
        log.error("run_stuck", execution=execution.id, reason=reason, times=times)
        if times >= MOST_STALLS:
            loop.fail(f"the run stood still {times} times at the same point: {reason}")
            return
        self._times[execution.id] = (times, execution.stats.node_count)
        if len(self._times) > _MOST_KNOWN:
            self._times.popitem(last=False)
        await loop.give_up()
        # What it has done so far goes to the disk before anybody begins with its rows.
        with suppress(StaleAttempt):
            await self._tools.journal.saved(loop)
        loop.tell_end()

    def _noted(
        self, run_id: ExecutionId, loop: RunLoop, reason: str, before: _Sight | None
    ) -> _Sight:
        """Return for how long a run has stood still as it does now."""
        revision, now_s = loop.execution.revision, self._tools.clock.monotonic_s()
        sight = _Sight(loop, revision, reason, 0.0, now_s)
        if before is not None and before.is_of_same(sight):
            # While nobody looked the whole process may have stood still, for no run's sake.
            passed_s = min(now_s - before.seen_s, _MOST_BETWEEN_S)
            sight = replace(sight, stood_s=before.stood_s + passed_s)
        self._seen[run_id] = sight
        return sight


def why_still(loop: RunLoop) -> str | None:
    """Say what a run under way waits for though it will never come; None where all is well."""
    execution = loop.execution
    if loop.over or not loop.is_idle:
        return None
    if execution.status is Status.QUEUED:
        return "it was taken, and not begun"
    if execution.status is not Status.RUNNING:
        return None  # its end, or its pause, is on its way to the disk
    unattended = _unattended(loop)
    if unattended is not None:
        return unattended
    if execution.ready and execution.has_room:
        return "nodes of it are queued, and none is started"
    if not execution.running:
        return "nothing of it is left to do, and it has not ended"
    return None


def _unattended(loop: RunLoop) -> str | None:
    """Name a node that is noted as running, and that nothing will end."""
    for ordinal, running in loop.execution.running.items():
        task = loop.task_of(ordinal)
        if task is None:
            return f"nothing works on node execution {running.id}, which is noted as running"
        work = task.work()
        if work.state is WorkState.WORKS and 0 < work.limit_s < work.for_s - GRACE_S:
            return f"node execution {running.id} is past its time limit, and nobody ended it"
    return None
