"""What an operator has paused: it begins nothing more, and leaves the executor when it stands still."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Final

from backend.core.errors import StaleAttempt
from backend.core.ids import ExecutionId
from backend.core.records import Hold, HoldKind
from backend.engine.journal import Journal
from backend.engine.run_loop import RunLoop
from backend.ports.storage import StoredRun

_LOOK_S: Final = 0.02


class Holds:
    """All pauses, as storage had them at the last look."""

    def __init__(self, found: Iterable[Hold] = ()) -> None:
        self._ids: dict[HoldKind, set[str]] = {kind: set() for kind in HoldKind}
        for one in found:
            self._ids[one.kind].add(one.id)
        #: Nested runs that were wanted while they were paused.
        self.wanted: set[ExecutionId] = set()

    def cover(self, stored: StoredRun) -> bool:
        """Say whether *stored* is paused: itself, what started it, its graph, or everything."""
        if self._ids[HoldKind.SERVER]:
            return True
        runs = self._ids[HoldKind.RUN]
        record = stored.record
        return (
            record.id in runs
            or stored.root_id in runs
            or record.graph_id in self._ids[HoldKind.GRAPH]
        )


async def let_go(loop: RunLoop, journal: Journal, is_held: Callable[[], bool]) -> bool:
    """
    Let what works in a paused run end, and then give the run up; its rows say how it goes on.

    Returns:
        Whether it was given up: not when it ended, was stopped, or is paused no more.
    """
    loop.hold()
    while loop.busy:
        await asyncio.sleep(_LOOK_S)
        if loop.over or loop.execution.stop_as is not None:
            return False
        if not is_held():
            loop.go_on()
            return False
    if loop.over:
        return False
    await loop.give_up()
    with contextlib.suppress(StaleAttempt):
        await journal.saved(loop)
    return True
