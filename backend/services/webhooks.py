"""Webhooks: their addresses, and the runs that deliveries start."""

import asyncio
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from backend.core import json
from backend.core.deliveries import DeliveryId, DeliveryRecord, DeliveryStatus
from backend.core.errors import (
    BadRequest,
    NotAllowed,
    NotConfigured,
    NotFound,
    TooLarge,
    TooManyRequests,
)
from backend.core.ids import UserId, WebhookId
from backend.core.records import WebhookRecord
from backend.core.signatures import Checked, check
from backend.core.triggers import Trigger
from backend.core.watches import RINGING, WATCHED
from backend.core.webhook_providers import PROVIDERS, Provider, event_of, fields_of, is_about
from backend.ports.clock import Clock
from backend.ports.deliveries import Deliveries
from backend.ports.storage import Storage
from backend.services.deliveries import DeliveryService
from backend.services.delivery_keys import (
    MAX_DELIVERY_ID,
    Delivery,
    Keys,
    kept_headers,
    key_of,
    keys_of,
    payload_of,
)
from backend.services.delivery_refusals import DeliveryRefusals
from backend.services.delivery_runs import DeliveryRuns
from backend.services.rates import RateLimit, address_key
from backend.services.registrations import Registrations
from backend.services.sealed import Sealer
from backend.services.webhook_config import REQUIRE_SIGNATURE, DeliveryConfig, provider_with

log = structlog.get_logger(__name__)

_SECRET_BYTES: Final = 32  # 64 hexadecimal digits
_IS_PING: Final = "its sender tries the address"
_NOT_ASKED: Final = "nobody asked for such events"
_CHALLENGE: Final = "challenge"
_SECOND_US: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much is taken; each limit of a rate is one of a minute."""

    body_bytes: int
    by_address: RateLimit
    by_webhook: RateLimit


class WebhookService:
    """
    Webhooks of all users; every method but `receive` names the user whose they are.

    Attributes:
        deliveries: What was sent, for its owners.
        runs: Starts what was sent; `serve` lets it.
        registrations: Of webhooks that their providers are told of; likewise.
    """

    def __init__(
        self,
        *,
        storage: Storage,
        clock: Clock,
        base_url: str,
        deliveries: Deliveries,
        runs: DeliveryRuns,
        registrations: Registrations,
        limits: Limits,
        sealer: Sealer,
    ) -> None:
        """Take *base_url*, the address of this server as senders know it, without a last slash."""
        self._storage = storage
        self._clock = clock
        self._base_url = base_url
        self._deliveries = deliveries
        self.deliveries = DeliveryService(
            storage=storage, deliveries=deliveries, runs=runs, clock=clock
        )
        self.runs = runs
        self.registrations = registrations
        self._refusals = DeliveryRefusals(deliveries, clock)
        self._limits = limits
        self._sealer = sealer

    async def serve(self) -> None:
        """Start the runs of what is delivered, and take back what nobody needs, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.runs.serve())
            group.create_task(self.registrations.serve())
            group.create_task(self._refusals.serve())

    def url_of(self, webhook: WebhookRecord) -> str:
        """Return the address to which deliveries are sent; empty for what this server watches."""
        if webhook.provider in WATCHED:
            return ""
        path = f"/api/integrations/{webhook.provider}/webhooks/{webhook.id}/ingress"
        return self._base_url + path

    def new_for(
        self, user_id: UserId, trigger: Trigger, config: DeliveryConfig | None
    ) -> WebhookRecord:
        """
        Return a webhook for *trigger*, with an address and a secret of its own; it is not saved.

        Raises:
            NotConfigured: If its block is not built here.
        """
        block = trigger.block
        if block.webhook is None:
            raise NotConfigured(
                f"{block.name} is not built into this server: its trigger cannot be set up."
            )
        known = PROVIDERS.get(block.webhook.provider)
        if known is not None and not known.is_open and not (config and config.secret):
            raise BadRequest(
                f"{block.webhook.provider} signs with a secret of its own: give it as "
                f'"signature": {{"scheme": "{block.webhook.provider}", "secret": "…"}}.'
            )
        # Who knows the address may deliver. Ids of the clock lie near each other in time; one
        # that was seen must not help to guess it.
        webhook_id = WebhookId(str(uuid.uuid4()))
        secret = (config and config.secret) or secrets.token_hex(_SECRET_BYTES)
        return WebhookRecord(
            id=webhook_id,
            user_id=user_id,
            provider=block.webhook.provider,
            webhook_type=block.webhook.webhook_type,
            sealed=self._sealer.seal_webhook(secret, user_id=user_id, webhook_id=webhook_id),
            config=config.values if config else {},
            created_us=self._clock.now_us(),
        )

    def secret_of(self, webhook: WebhookRecord) -> str:
        """Return with what its deliveries are signed; only for its owner. Raises SecretUnreadable."""
        return self._sealer.open_webhook(webhook)

    def sealed(self, webhook: WebhookRecord, secret: str) -> str:
        """
        Return another secret for *webhook*, as it is kept.

        Raises:
            SecretUnreadable: If the one that it has does not open: it stays as it is.
        """
        self._sealer.open_webhook(webhook)
        return self._sealer.seal_webhook(secret, user_id=webhook.user_id, webhook_id=webhook.id)

    async def get(self, user_id: UserId, webhook_id: WebhookId) -> WebhookRecord:
        """Return a webhook."""
        found = await self._storage.of(user_id).webhook(webhook_id)
        if found is None:
            raise _unknown(webhook_id)
        return found

    async def ping(self, user_id: UserId, webhook_id: WebhookId) -> bool:
        """Ask a webhook's provider to try it; see `Registrations.ping`."""
        return await self.registrations.ping(await self.get(user_id, webhook_id))

    def admit(self, address: str) -> None:
        """Refuse who sends from *address* if too much came from there: asked before all else."""
        self._limits.by_address.take(address_key(address))

    def check_size(self, size_bytes: int) -> None:
        """Refuse a body of so many bytes if it is too large: asked while it is read."""
        if size_bytes > self._limits.body_bytes:
            raise TooLarge(
                f"The body is larger than {self._limits.body_bytes} bytes; "
                "MAX_WEBHOOK_BODY_KB sets the limit."
            )

    def refuse_large(self, webhook_id: WebhookId, delivery: Delivery, error: TooLarge) -> None:
        """Note that a delivery was too large; *delivery* has no body, for it was not read."""
        self._refusals.note(webhook_id, delivery, error, self._limits.body_bytes + 1)

    async def receive(
        self, provider: str, webhook_id: WebhookId, delivery: Delivery
    ) -> Mapping[str, Any] | None:
        """
        Keep a delivery, from which its runs are started: one for each active preset of the webhook.

        It is on disk when this returns, or its webhook's watch is awake, if it only rings. The same delivery again is not kept, if it is signed as its
        owner chose, or names itself.

        Returns:
            What its sender is answered: most wait for nothing.

        Raises:
            NotFound: If there is no such webhook of that provider.
            NotAllowed: If the signature is wrong or old, or is missing where one is required.
            BadRequest: If the body is no JSON object, or what must be there once is not.
            TooManyRequests: If more deliveries come than may.
            NotConfigured: If nobody here knows how such a webhook is checked.
            SecretUnreadable: If its secret does not open.
        """
        webhook = await self._storage.webhook_at(webhook_id)
        # The provider decides how a delivery is checked: it must not be the sender's to choose.
        if webhook is None or webhook.provider != provider:
            raise _unknown(webhook_id)
        sender = provider_with(webhook)
        if webhook.provider in WATCHED:
            raise _unknown(webhook_id)  # nobody delivers what this server finds itself
        if sender is None:
            raise NotConfigured(f"This server cannot check what {webhook.provider} sends.")
        try:
            payload, event, keys = self._judged(webhook, sender, delivery)
        except (BadRequest, NotAllowed, TooManyRequests) as exc:
            self._refusals.note(webhook_id, delivery, exc, len(delivery.body))
            raise
        if webhook.provider in RINGING:
            await self.registrations.ring(webhook)
            return None
        is_ping = bool(sender.ping) and event.partition(".")[0] == sender.ping
        made = self._record(webhook, event, payload, keys.run)
        made = replace(
            made,
            size_bytes=len(delivery.body),
            headers=kept_headers(delivery.headers),
            address=delivery.address,
        )
        if is_ping:
            made = replace(made, status=DeliveryStatus.IGNORED, reason=_IS_PING)
        elif (webhook.events and event not in webhook.events) or not is_about(
            sender, payload, webhook.resource
        ):
            made = replace(made, status=DeliveryStatus.IGNORED, reason=_NOT_ASKED)
        await self._keep(made, keys.all)
        return _pong(payload) if is_ping else None

    async def take(
        self, webhook: WebhookRecord, event: str, payload: Mapping[str, Any], key: str
    ) -> DeliveryRecord | None:
        """
        Keep an item that came by no request, and start its runs, as if it had been delivered.

        Args:
            event: Its kind, as the filters of presets name it.
            payload: A JSON object; goes to the pin ``payload``.
            key: The same item has the same key, whenever it is seen: it starts its runs once.

        Returns:
            What is kept; None if an item of this key was taken before. Its runs are started here
            or, if this process dies first, by another one.

        Raises:
            TooLarge: If its JSON text is longer than what may be delivered.
            NotJson: If it has no JSON text.
            Unavailable: If it cannot be kept: take it again later.
        """
        size_bytes = len(json.dumps(payload))
        self.check_size(size_bytes)
        known = key_of("item", key)
        made = self._record(webhook, event, payload, known)
        made = replace(made, size_bytes=size_bytes)
        if not await self._deliveries.add(made, (known,)):
            return None
        await self.runs.start(made)
        return made

    def _record(
        self, webhook: WebhookRecord, event: str, payload: Mapping[str, Any], key: str | None
    ) -> DeliveryRecord:
        delivery_id = DeliveryId(self._clock.new_id())
        return DeliveryRecord(
            id=delivery_id,
            webhook_id=webhook.id,
            user_id=webhook.user_id,
            provider=webhook.provider,
            event=event,
            received_us=self._clock.now_us(),
            # Without a name of its own it is another one each time.
            key=key or key_of("delivery", delivery_id),
            payload=payload,
        )

    async def _keep(self, delivery: DeliveryRecord, keys: Sequence[str]) -> None:
        is_waiting = delivery.status is DeliveryStatus.RECEIVED
        keep = self.runs.keep if is_waiting else self._deliveries.add
        if not await keep(delivery, keys):
            log.info("webhook_delivery_known", webhook_id=delivery.webhook_id)

    def _judged(
        self, webhook: WebhookRecord, sender: Provider, delivery: Delivery
    ) -> tuple[Mapping[str, Any], str, Keys]:
        """Return what was sent, what event it is, and by what it is known again, if all is right."""
        checked = self._checked(webhook, sender, delivery)
        # Only now: a stranger's deliveries must not keep the sender's out.
        self._limits.by_webhook.take(webhook.id)
        payload = fields_of(sender, payload_of(delivery.body))
        event = event_of(sender, delivery.headers, payload)
        return payload, event, keys_of(sender, delivery, payload, checked)

    def _checked(
        self, webhook: WebhookRecord, sender: Provider, delivery: Delivery
    ) -> Checked | None:
        """Return the right signature of a delivery; None if its owner wants none and there is none."""
        is_free = sender.is_open and not webhook.config.get(REQUIRE_SIGNATURE)
        if is_free and sender.scheme.header not in delivery.headers:
            return None
        now_s = self._clock.now_us() / _SECOND_US
        secret = self._sealer.open_webhook(webhook)
        return check(sender.scheme, secret, delivery.headers, delivery.body, now_s=now_s)


def _unknown(webhook_id: WebhookId) -> NotFound:
    return NotFound(f"Webhook #{webhook_id} not found.")


def _pong(payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what shows a provider that the address is ours, where it wants something back."""
    challenge = payload.get(_CHALLENGE)
    if isinstance(challenge, str) and len(challenge) <= MAX_DELIVERY_ID:
        return {_CHALLENGE: challenge}
    return None
