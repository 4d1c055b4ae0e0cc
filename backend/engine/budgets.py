"""Lets those go on who wait for a budget: it was raised, a day has begun, a call took less than it might."""

import asyncio
import contextlib
from typing import Final

import structlog

from backend.core.errors import Unavailable
from backend.engine.worker import Worker
from backend.ports.clock import Clock
from backend.ports.node_steps import NodeSteps

log = structlog.get_logger()

_LOOK_S: Final = 1.0


class BudgetWatch:
    """Looks once a second while anybody waits, and at the start; else it costs nothing."""

    def __init__(self, worker: Worker, steps: NodeSteps, clock: Clock) -> None:
        self._worker = worker
        self._steps = steps
        self._clock = clock
        self._waited = asyncio.Event()
        self._waited.set()  # somebody may have waited when the last executor ended

    def somebody_waits(self) -> None:
        """Begin to look."""
        self._waited.set()

    async def settle(self, stopping: asyncio.Event) -> None:
        """
        Count what the calls of a dead executor may have taken; before any run is begun.

        It waits for storage as long as it must, or until *stopping* is set.
        """
        while not stopping.is_set():
            try:
                count = await self._steps.settle_dead_calls()
            except Unavailable as exc:
                log.warning("budgets_wait_for_storage", error=str(exc))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), _LOOK_S)
                continue
            if count:
                log.warning("reservations_of_dead_calls_settled", count=count)
            return

    async def serve(self) -> None:
        """Look, until cancelled."""
        while True:
            await self._waited.wait()
            self._waited.clear()
            try:
                freed, left = await self._steps.free_budget_waits(now_us=self._clock.now_us())
            except Unavailable as exc:
                log.warning("budgets_wait_for_storage", error=str(exc))
                freed, left = [], 1
            if freed:
                self._worker.look()
            if left:
                self._waited.set()
            await asyncio.sleep(_LOOK_S)
