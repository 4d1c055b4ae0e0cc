"""Runs one block alone, as a run of its own, and waits for what it gives."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from backend.core import alone
from backend.core.block import BlockSpec
from backend.core.errors import (
    BlockExecutionError,
    NotFound,
    TooManyRequests,
    Unavailable,
)
from backend.core.execution import Output
from backend.core.ids import ExecutionId, UserId, derived_id
from backend.core.plan import Inputs
from backend.core.records import ExecutionRecord, NewExecution
from backend.core.status import FINAL, Status
from backend.ports.clock import Clock
from backend.ports.dispatch import Dispatcher, SignalKind
from backend.ports.storage import Storage
from backend.services.blocks import Once
from backend.services.run_watches import RunWatch, RunWatches

#: Of one user, at once.
MOST_AT_ONCE: Final = 100
#: The first look at the rows comes so soon: who watches may have missed the end.
_FIRST_LOOK_S: Final = 0.01
_SLOWEST_LOOK_S: Final = 2.0
#: A run ends itself at its limit; one that waits for a slot, or for an executor, is ended here.
_GRACE_S: Final = 5.0


class BlockRuns:
    """See the module; its `run` is a `backend.services.blocks.BlockRunner`."""

    def __init__(
        self,
        *,
        storage: Storage,
        dispatcher: Dispatcher,
        clock: Clock,
        watches: RunWatches,
        limit_s: float = alone.LIMIT_S + _GRACE_S,
    ) -> None:
        """Wait *limit_s* seconds for a run at most."""
        self._storage = storage
        self._dispatcher = dispatcher
        self._clock = clock
        self._watches = watches
        self._limit_s = limit_s
        self._open: Counter[UserId] = Counter()

    async def run(
        self, spec: BlockSpec, inputs: Inputs, user_id: UserId, *, once: Once | None = None
    ) -> Sequence[Output]:
        """
        Return the outputs of *spec* with *inputs*, which are checked already.

        Cancelled, it ends the run; with *once* only if who asks was stopped.

        Raises:
            BlockError: If the block fails, takes too long, or waits for somebody.
            TooLarge: If one of the inputs is.
            TooManyRequests: If the user runs as many blocks as they may.
            Unavailable: If this service ends before the run does.
        """
        with self._place(user_id):
            record = await self._storage.submit_alone(self._new_run(spec, inputs, user_id, once))
            self._dispatcher.signal(SignalKind.RUN, record.id, user_id)
            may_stop = once is None
            try:
                with self._watches.watch(user_id, record.id, counted=False) as watch:
                    record = await self._end_of(spec, record, watch)
                may_stop = record.status not in FINAL
                return await self._outputs(spec, record)
            except BlockExecutionError:
                may_stop = may_stop or record.status not in FINAL
                raise
            finally:
                if record.status not in FINAL or may_stop:
                    await asyncio.shield(
                        self._leave(user_id, record.id, None if may_stop else once)
                    )

    async def _end_of(
        self, spec: BlockSpec, record: ExecutionRecord, watch: RunWatch
    ) -> ExecutionRecord:
        """Return the run when it has ended, or waits for somebody."""
        stored, run_id = self._storage.of(record.user_id), record.id
        until_s = self._clock.monotonic_s() + self._limit_s
        pause_s = _FIRST_LOOK_S
        while True:
            found = await stored.execution(run_id)
            if found is None:
                raise NotFound("This was deleted while it ran.")
            if found.status in FINAL or found.status is Status.REVIEW:
                return found
            if self._watches.is_over:
                raise Unavailable("The server stops, and the block with it.")
            if self._clock.monotonic_s() >= until_s:
                raise _failed(spec, f"it took longer than {self._limit_s:.0f} seconds")
            await watch.next(within_s=pause_s)
            pause_s = min(pause_s * 1.5, _SLOWEST_LOOK_S)

    async def _outputs(self, spec: BlockSpec, record: ExecutionRecord) -> list[Output]:
        stored = self._storage.of(record.user_id)
        if record.status is Status.REVIEW:
            asks = await stored.reviews_of(record.id)
            whom = "a person decides" if asks else "a budget has room again"
            raise _failed(spec, f"it waits until {whom}, and alone it cannot wait")
        if record.status is Status.TERMINATED:
            raise _failed(spec, "it was stopped")
        nodes = await stored.node_executions(record.id, limit=1)
        if record.status is not Status.COMPLETED or not nodes:
            raise _told(spec, record, nodes[0].error if nodes else None)
        return [(pin, value) for pin, values in nodes[0].outputs.items() for value in values]

    async def _leave(self, user_id: UserId, run_id: ExecutionId, once: Once | None) -> None:
        """Stop a run that nobody waits for any more, unless who asked for it comes again."""
        if once is not None:
            asker = await self._storage.of(user_id).execution(once.asker)
            if asker is not None and asker.stop_us is None:
                return
        await self._stop(user_id, run_id)

    async def _stop(self, user_id: UserId, run_id: ExecutionId) -> None:
        if await self._storage.of(user_id).ask_stop(run_id, now_us=self._clock.now_us()):
            self._dispatcher.signal(SignalKind.STOP, run_id)

    def _new_run(
        self, spec: BlockSpec, inputs: Inputs, user_id: UserId, once: Once | None
    ) -> NewExecution:
        fresh = self._clock.new_id()
        if once is not None:
            fresh = derived_id(user_id, "block", spec.id, once.key)
        return NewExecution(
            id=ExecutionId(fresh),
            user_id=user_id,
            graph_id=alone.GRAPH_ID,
            graph_version=alone.VERSION,
            inputs={},
            masks=alone.masks_of(spec, inputs),
            trigger=alone.TRIGGER,
            created_us=self._clock.now_us(),
        )

    @contextmanager
    def _place(self, user_id: UserId) -> Iterator[None]:
        if self._open[user_id] >= MOST_AT_ONCE:
            raise TooManyRequests(
                f"{MOST_AT_ONCE} blocks run alone already; wait for one of them", retry_after_s=1
            )
        self._open[user_id] += 1
        try:
            yield
        finally:
            self._open[user_id] -= 1
            if not self._open[user_id]:
                del self._open[user_id]


def _failed(spec: BlockSpec, reason: str) -> BlockExecutionError:
    return BlockExecutionError(reason, block_name=spec.name, block_id=spec.id)


def _told(spec: BlockSpec, record: ExecutionRecord, text: Any) -> BlockExecutionError:
    """Return how a run failed; what its node says has the block's name around it already."""
    error = _failed(spec, "")
    stats = record.stats
    error.args = (str(text or (stats.error if stats else None) or "the run failed"),)
    return error
