"""What an operator has paused: it begins nothing more, and leaves the executor when it stands still."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from backend.core.errors import StaleAttempt
from backend.core.ids import ExecutionId
from backend.core.records import Hold, HoldKind
from backend.engine.journal import Journal
from backend.engine.run_loop import RunLoop
from backend.ports.storage import EngineStorage, StoredRun

if TYPE_CHECKING:
    from backend.engine.tools import EngineTools

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


class HoldWatch:
    """Knows what is paused, and lets go of what is paused while it is under way."""

    def __init__(
        self,
        storage: EngineStorage,
        tools: "EngineTools",
        active: Mapping[ExecutionId, RunLoop],
    ) -> None:
        """Look after *active*."""
        self._storage = storage
        self._tools = tools
        self._active = active
        self._holds = Holds()
        self._letting_go: dict[ExecutionId, asyncio.Task[None]] = {}

    async def look(self) -> None:
        """Let go of what an operator has paused since the last look."""
        self._holds = Holds(await self._storage.holds())
        for run_id, loop in self._active.items():
            if run_id not in self._letting_go and self.cover(loop.stored):
                task = self._tools.spawn(self._let_go(loop))
                self._letting_go[run_id] = task
                task.add_done_callback(partial(self._forget, run_id))

    def cover(self, stored: StoredRun) -> bool:
        """Say whether *stored* is paused; what is to be stopped never is."""
        return stored.record.stop_us is None and self._holds.cover(stored)

    def want(self, run_id: ExecutionId) -> None:
        """Note that a nested run was wanted while it is paused."""
        self._holds.wanted.add(run_id)

    def is_wanted(self, run_id: ExecutionId) -> bool:
        """Say whether a nested run was wanted while it was paused."""
        return run_id in self._holds.wanted

    async def _let_go(self, loop: RunLoop) -> None:
        if await let_go(loop, self._tools.journal, lambda: self.cover(loop.stored)):
            loop.tell_end()

    def _forget(self, run_id: ExecutionId, _: object) -> None:
        del self._letting_go[run_id]


async def let_go(loop: RunLoop, journal: Journal, is_held: Callable[[], bool]) -> bool:
    """
    Let what works in a paused run end, and then give the run up; its rows say how it goes on.

    Returns:
        Whether it was given up: not when it ended, was stopped, or is paused no more.
    """
    if not loop.moves():
        return False
    loop.hold()
    while loop.busy:
        await asyncio.sleep(_LOOK_S)
        if not loop.moves():
            return False
        if not is_held():
            loop.go_on()
            return False
    await loop.give_up()
    with contextlib.suppress(StaleAttempt):
        await journal.saved(loop)
    return True
