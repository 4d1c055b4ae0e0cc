"""The runs of deliveries, started from where those are kept: what dies in between, loses nothing."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from backend.core.catalog import Catalog
from backend.core.deliveries import DeliveryRecord, DeliveryStatus, PresetStart, Settled
from backend.core.errors import (
    AgentServerError,
    BadRequest,
    NotAllowed,
    NotFound,
    Unavailable,
)
from backend.core.ids import ExecutionId, PresetId, derived_id
from backend.core.records import NewExecution, PresetChanges, PresetRecord, WebhookRecord
from backend.core.triggers import PAYLOAD, trigger_of
from backend.ports.clock import Clock
from backend.ports.deliveries import Deliveries
from backend.ports.storage import Storage
from backend.services.executions import ExecutionService, RunRequest

log = structlog.get_logger(__name__)

#: Started beside each other.
_AT_ONCE: Final = 16
#: A sender waits for no more than this, and its delivery is started afterwards.
_FEW: Final = 5
_AT_MOST_S: Final = 1.0
#: So often the rows are read though nobody has said that there are any.
LOOK_S: Final = 5.0
_SECOND_US: Final = 1_000_000
_FIRST_PAUSE_S: Final = 5
_LONGEST_PAUSE_S: Final = 300
#: After a day the sender's news are old: somebody should decide.
_GIVE_UP_S: Final = 24 * 3600
_ANYTHING: Final = "generic_webhook"
_GONE: Final = "its webhook is not there any more, or its owner is disabled"
_NOBODY: Final = "no active preset waits for it"
_LOST: Final = "its body was lost"


@dataclass(kw_only=True)
class StartFigures:
    """What was done since the start of the process."""

    started: int = 0
    failed: int = 0
    put_off: int = 0


class DeliveryRuns:
    """Starts the runs of deliveries of all users. `serve` must run, in at least one process."""

    def __init__(
        self,
        *,
        storage: Storage,
        deliveries: Deliveries,
        executions: ExecutionService,
        catalog: Catalog,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._deliveries = deliveries
        self._executions = executions
        self._catalog = catalog
        self._clock = clock
        self._wake = asyncio.Event()
        self.figures = StartFigures()

    def wake(self) -> None:
        """Say that there is one to start."""
        self._wake.set()

    async def serve(self) -> None:
        """Start what waits, in the order in which it came, until cancelled."""
        while True:
            self._wake.clear()
            try:
                some = await self.work()
            except Unavailable as exc:
                log.warning("deliveries_wait", error=str(exc))
                await asyncio.sleep(LOOK_S)
                continue
            if not some:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self._wake.wait()

    async def work(self) -> int:
        """Start some of what waits now; return how many were looked at."""
        some = await self._deliveries.waiting(now_us=self._clock.now_us(), limit=_AT_ONCE)
        if some:
            settled = await asyncio.gather(*(self._settled(one) for one in some))
            await self._deliveries.settle(settled)
        return len(some)

    async def keep(self, delivery: DeliveryRecord, keys: Sequence[str]) -> bool:
        """
        Keep a delivery, and start its runs: with it, in one transaction, or right after.

        Returns:
            False if it is known already: nothing is kept then.
        """
        begun = await self._begun(delivery)
        if begun is not None:
            made, runs = begun
            # The agent may have gone, or been archived, since its run was made: `work` says so.
            with contextlib.suppress(BadRequest, NotFound, NotAllowed):
                if not await self._deliveries.add(made, keys, runs):
                    return False
                self.figures.started += bool(runs)
                for run in runs:
                    self._executions.tell(run)
                return True
        if not await self._deliveries.add(delivery, keys):
            return False
        self.wake()
        return True

    async def _begun(
        self, delivery: DeliveryRecord
    ) -> tuple[DeliveryRecord, list[NewExecution]] | None:
        """Return *delivery* as it stands once its runs are there, and those; None: `work` will see."""
        try:
            async with asyncio.timeout(_AT_MOST_S):
                found = await self._storage.triggered_by(delivery.webhook_id)
                if found is None or len(found[1]) > _FEW or not isinstance(delivery.payload, dict):
                    return None
                webhook, presets = found
                runs = [
                    await self._prepared(delivery, preset, delivery.payload)
                    for preset in presets
                    if await self._waits_for(webhook, preset, delivery.event)
                ]
        except (AgentServerError, TimeoutError):
            return None
        except Exception:  # border: what was sent is kept, whatever happens to its runs
            log.exception("delivery_start_failed", delivery_id=delivery.id)
            return None
        if not runs:
            return replace(delivery, status=DeliveryStatus.IGNORED, reason=_NOBODY, tries=1), []
        starts = [
            PresetStart(preset_id=PresetId(run.preset_id), run_id=run.id)
            for run in runs
            if run.preset_id
        ]
        return replace(delivery, status=DeliveryStatus.STARTED, starts=starts, tries=1), runs

    async def _prepared(
        self, delivery: DeliveryRecord, preset: PresetRecord, payload: Mapping[str, Any]
    ) -> NewExecution:
        request, run_id = _asked(delivery, preset, payload)
        return await self._executions.prepare_start(
            preset.user_id, preset.graph_id, preset.graph_version, request, run_id=run_id
        )

    async def start(self, delivery: DeliveryRecord) -> Settled:
        """Start the runs of one delivery that is kept, and note what came of it."""
        settled = await self._settled(delivery)
        await self._deliveries.settle([settled])
        return settled

    async def _settled(self, delivery: DeliveryRecord) -> Settled:
        try:
            settled = await self._started(delivery)
        except Unavailable as exc:
            settled = self._put_off(delivery, str(exc))
        except Exception as exc:  # border: one delivery's error is not another's
            log.exception("delivery_start_failed", delivery_id=delivery.id)
            settled = self._put_off(delivery, f"this server failed: {type(exc).__name__}")
        self._count(settled)
        return settled

    def _count(self, settled: Settled) -> None:
        self.figures.started += settled.status is DeliveryStatus.STARTED
        self.figures.failed += settled.status is DeliveryStatus.FAILED
        self.figures.put_off += settled.status is DeliveryStatus.RECEIVED

    def _put_off(self, delivery: DeliveryRecord, reason: str) -> Settled:
        now_us = self._clock.now_us()
        if now_us - delivery.received_us > _GIVE_UP_S * _SECOND_US:
            log.warning("delivery_given_up", delivery_id=delivery.id, reason=reason)
            return Settled(id=delivery.id, status=DeliveryStatus.FAILED, reason=reason)
        pause_s = min(_FIRST_PAUSE_S << min(delivery.tries, 10), _LONGEST_PAUSE_S)
        return Settled(
            id=delivery.id,
            status=DeliveryStatus.RECEIVED,
            reason=reason,
            next_us=now_us + pause_s * _SECOND_US,
        )

    async def _started(self, delivery: DeliveryRecord) -> Settled:
        if not isinstance(delivery.payload, Mapping):
            return Settled(id=delivery.id, status=DeliveryStatus.FAILED, reason=_LOST)
        found = await self._storage.triggered_by(delivery.webhook_id)
        if found is None:
            return Settled(id=delivery.id, status=DeliveryStatus.IGNORED, reason=_GONE)
        webhook, presets = found
        starts = [
            await self._start(delivery, preset, delivery.payload)
            for preset in presets
            if await self._waits_for(webhook, preset, delivery.event)
        ]
        if not starts:
            return Settled(id=delivery.id, status=DeliveryStatus.IGNORED, reason=_NOBODY)
        errors = "; ".join(f"preset {one.preset_id}: {one.error}" for one in starts if one.error)
        is_started = any(one.run_id for one in starts)
        status = DeliveryStatus.STARTED if is_started else DeliveryStatus.FAILED
        return Settled(id=delivery.id, status=status, starts=starts, reason=errors)

    async def _waits_for(self, webhook: WebhookRecord, preset: PresetRecord, event: str) -> bool:
        """Say whether a preset's own filter lets *event* pass: a webhook may bring more than it wants."""
        if webhook.provider == _ANYTHING:
            return True  # most are: none of them chooses events
        stored = self._storage.of(preset.user_id)
        graph = await stored.graph(preset.graph_id, preset.graph_version)
        trigger = None if graph is None else trigger_of(graph, self._catalog)
        return trigger is None or trigger.takes(preset.inputs, event)

    async def _start(
        self, delivery: DeliveryRecord, preset: PresetRecord, payload: Mapping[str, Any]
    ) -> PresetStart:
        request, run_id = _asked(delivery, preset, payload)
        try:
            run = await self._executions.start(
                preset.user_id, preset.graph_id, preset.graph_version, request, run_id=run_id
            )
        except Unavailable:
            raise  # it is tried again
        except AgentServerError as exc:
            log.warning("webhook_run_refused", preset_id=preset.id, error=type(exc).__name__)
            if isinstance(exc, BadRequest):
                await self._deactivate_without_graph(preset)
            return PresetStart(preset_id=preset.id, error=exc.in_full())
        return PresetStart(preset_id=preset.id, run_id=run.id)

    async def _deactivate_without_graph(self, preset: PresetRecord) -> None:
        """Let a preset wait for nothing more whose graph cannot be read (spec/contract.md 10.3)."""
        stored = self._storage.of(preset.user_id)
        if await stored.graph(preset.graph_id, preset.graph_version) is not None:
            return
        log.warning("preset_deactivated", preset_id=preset.id)
        await stored.change_preset(
            preset.id, PresetChanges(is_active=False), now_us=self._clock.now_us()
        )


def _asked(
    delivery: DeliveryRecord, preset: PresetRecord, payload: Mapping[str, Any]
) -> tuple[RunRequest, ExecutionId]:
    """Return the run that *delivery* is for a preset, and its id: the same each time."""
    request = RunRequest(
        inputs={**preset.inputs, PAYLOAD: payload},
        credentials=preset.credentials or None,
        preset_id=preset.id,
        trigger="webhook",
    )
    return request, ExecutionId(derived_id(delivery.webhook_id, preset.id, delivery.key))
