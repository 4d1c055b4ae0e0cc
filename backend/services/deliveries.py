"""What was sent to webhooks, for their owners: to see what became of it, and to start it again."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from backend.core.deliveries import DeliveryId, DeliveryPlace, DeliveryRecord, DeliveryStatus
from backend.core.errors import BadRequest, Conflict, NotFound
from backend.core.ids import UserId, WebhookId
from backend.core.records import WebhookUse
from backend.ports.clock import Clock
from backend.ports.deliveries import Deliveries
from backend.ports.storage import Storage
from backend.services.delivery_keys import key_of
from backend.services.delivery_runs import DeliveryRuns

#: Of one user. There can be no more presets, and each webhook has one.
MAX_WEBHOOKS: Final = 1_000
MAX_PAGE: Final = 200


class DeliveryService:
    """Deliveries of all users; every method names the user whose they are."""

    def __init__(
        self, *, storage: Storage, deliveries: Deliveries, runs: DeliveryRuns, clock: Clock
    ) -> None:
        self._storage = storage
        self._deliveries = deliveries
        self._runs = runs
        self._clock = clock

    async def webhooks(self, user_id: UserId) -> list[WebhookUse]:
        """Return webhooks with their presets, newest first."""
        return await self._storage.of(user_id).webhooks(limit=MAX_WEBHOOKS)

    async def page(
        self, user_id: UserId, webhook_id: WebhookId, *, after: DeliveryPlace | None, limit: int
    ) -> list[DeliveryRecord]:
        """
        Return deliveries to a webhook, newest first, those after *after*; without payloads.

        Raises:
            NotFound: If there is no such webhook.
        """
        await self._require(user_id, webhook_id)
        return await self._deliveries.page(user_id, webhook_id, after=after, limit=limit)

    async def get(
        self, user_id: UserId, webhook_id: WebhookId, delivery_id: DeliveryId
    ) -> DeliveryRecord:
        """Return a delivery with its payload. Raises NotFound."""
        await self._require(user_id, webhook_id)
        found = await self._deliveries.get(user_id, webhook_id, delivery_id)
        if found is None:
            raise NotFound(f"Delivery #{delivery_id} not found.")
        return found

    async def replay(
        self, user_id: UserId, webhook_id: WebhookId, delivery_id: DeliveryId
    ) -> DeliveryRecord:
        """
        Start a delivery again, as a new one, and return that as it stands then.

        Raises:
            NotFound: If there is no such delivery.
            Conflict: If it has not been started yet.
            BadRequest: If its payload is not there: what was refused is not kept.
        """
        old = await self.get(user_id, webhook_id, delivery_id)
        if old.status is DeliveryStatus.RECEIVED:
            raise Conflict(f"Delivery #{delivery_id} has not been started yet: it will be.")
        if not isinstance(old.payload, Mapping):
            raise BadRequest(f"Delivery #{delivery_id} has no body that could be delivered again.")
        new_id = DeliveryId(self._clock.new_id())
        new = replace(
            old,
            id=new_id,
            received_us=self._clock.now_us(),
            key=key_of("delivery", new_id),
            address="",
            status=DeliveryStatus.RECEIVED,
            starts=(),
            reason="",
            replay_of=old.id,
            tries=0,
        )
        await self._deliveries.add(new, ())
        settled = await self._runs.start(new)
        return replace(
            new, status=settled.status, starts=settled.starts, reason=settled.reason, tries=1
        )

    async def _require(self, user_id: UserId, webhook_id: WebhookId) -> None:
        if await self._storage.of(user_id).webhook(webhook_id) is None:
            raise NotFound(f"Webhook #{webhook_id} not found.")
