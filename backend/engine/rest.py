"""Runs that do nothing but wait for people. That may take days: they hold no slot meanwhile."""

from collections.abc import Iterable, Mapping
from typing import Final

from backend.core.ids import ExecutionId
from backend.engine.nesting import child_id
from backend.engine.run_loop import RunLoop

#: So many of them hold no slot: each still takes memory.
MOST: Final = 1_000


class Rest:
    """
    Knows which of the runs under way wait, at the end of all their nodes, for people alone.

    A run of its own that waits for people is not under way. It is its parent that still is.

    Attributes:
        children: Nested runs that wait for people, and whose parents are under way.
    """

    def __init__(self, active: Mapping[ExecutionId, RunLoop]) -> None:
        self.children: set[ExecutionId] = set()
        self._active = active

    def count(self, roots: Iterable[RunLoop]) -> int:
        """Return how many of *roots* rest, `MOST` at most."""
        return min(MOST, sum(self._rests(loop) for loop in roots))

    def _rests(self, loop: RunLoop) -> bool:
        """Whether every node of a run that is at work waits for a nested run that rests."""
        running = loop.execution.running.values()
        return bool(running) and all(
            self._child_rests(child_id(loop.execution.id, execution)) for execution in running
        )

    def _child_rests(self, run_id: ExecutionId) -> bool:
        loop = self._active.get(run_id)
        return run_id in self.children if loop is None else self._rests(loop)
