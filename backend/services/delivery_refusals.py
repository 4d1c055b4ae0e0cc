"""Deliveries to whose senders was said no: gathered, and kept for the owners of their webhooks."""

import asyncio
from typing import Final

import structlog

from backend.core.deliveries import DeliveryId, Refusal
from backend.core.errors import AgentServerError, Unavailable
from backend.core.ids import WebhookId
from backend.ports.clock import Clock
from backend.ports.deliveries import Deliveries
from backend.services.delivery_keys import Delivery, kept_headers

log = structlog.get_logger(__name__)

_EVERY_S: Final = 1.0
#: Between two writings; what comes beyond is neither kept nor counted: strangers send it.
_MOST: Final = 1_000


class DeliveryRefusals:
    """A stranger costs a place in memory; once a second there is one transaction. `serve` must run."""

    def __init__(self, deliveries: Deliveries, clock: Clock) -> None:
        self._deliveries = deliveries
        self._clock = clock
        self._waiting: list[Refusal] = []
        self._news = asyncio.Event()

    def note(
        self, webhook_id: WebhookId, delivery: Delivery, error: AgentServerError, size_bytes: int
    ) -> None:
        """Note that *delivery* was refused, and why. Of a webhook that is not there it is forgotten."""
        if len(self._waiting) >= _MOST:
            return
        self._waiting.append(
            Refusal(
                id=DeliveryId(self._clock.new_id()),
                webhook_id=webhook_id,
                received_us=self._clock.now_us(),
                reason=str(error),
                address=delivery.address,
                size_bytes=size_bytes,
                headers=kept_headers(delivery.headers),
            )
        )
        self._news.set()

    async def serve(self) -> None:
        """Keep what is noted, until cancelled; what is noted last is kept then."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                await self._keep()
                await asyncio.sleep(_EVERY_S)
        finally:
            await self._keep()

    async def _keep(self) -> None:
        some, self._waiting = self._waiting, []
        if not some:
            return
        try:
            await self._deliveries.note_refusals(some)
        except Unavailable as exc:
            # Nobody's run hangs on them.
            log.warning("refusals_not_kept", count=len(some), error=str(exc))
