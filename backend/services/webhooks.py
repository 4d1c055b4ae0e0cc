"""Webhooks: their addresses, and the runs that deliveries start."""

import hashlib
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from backend.core import json
from backend.core.block import BlockType
from backend.core.errors import (
    AgentServerError,
    BadRequest,
    NotConfigured,
    NotFound,
    TooLarge,
    Unavailable,
)
from backend.core.ids import ExecutionId, UserId, WebhookId, derived_id
from backend.core.json import depth_over
from backend.core.records import PresetRecord, WebhookRecord
from backend.core.signatures import Checked, Headers, check, one
from backend.core.triggers import PAYLOAD, Trigger, provider_of
from backend.core.webhook_providers import Provider, event_of
from backend.ports.clock import Clock
from backend.ports.deliveries import Deliveries
from backend.ports.storage import Storage
from backend.services.executions import ExecutionService, RunRequest
from backend.services.rates import RateLimit, address_key
from backend.services.webhook_config import REQUIRE_SIGNATURE, DeliveryConfig, provider_with

log = structlog.get_logger(__name__)

MAX_DELIVERY_ID: Final = 255
MAX_PAYLOAD_DEPTH: Final = 120
_SECRET_BYTES: Final = 32  # 64 hexadecimal digits
#: By which a sender names a delivery; the first that is there counts.
_DELIVERY_IDS: Final = ("idempotency-key", "x-github-delivery")
_CHALLENGE: Final = "challenge"
_SECOND_US: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """
    What somebody sent to the address of a webhook.

    Attributes:
        headers: Names in lower case, and values, as they came.
        address: From where.
    """

    body: bytes
    headers: Headers = field(default_factory=dict)
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much is taken; each limit of a rate is one of a minute."""

    body_bytes: int
    by_address: RateLimit
    by_webhook: RateLimit


@dataclass(frozen=True, kw_only=True)
class _Keys:
    """By what a delivery is known again: *run* makes the ids of its runs, *all* are noted."""

    run: str | None
    all: tuple[str, ...] = ()


class WebhookService:
    """Webhooks of all users; every method but `receive` names the user whose they are."""

    def __init__(
        self,
        *,
        storage: Storage,
        executions: ExecutionService,
        clock: Clock,
        base_url: str,
        deliveries: Deliveries,
        limits: Limits,
    ) -> None:
        """Take *base_url*, the address of this server as senders know it, without a last slash."""
        self._storage = storage
        self._executions = executions
        self._clock = clock
        self._base_url = base_url
        self._deliveries = deliveries
        self._limits = limits

    def url_of(self, webhook: WebhookRecord) -> str:
        """Return the address to which deliveries are sent."""
        path = f"/api/integrations/{webhook.provider}/webhooks/{webhook.id}/ingress"
        return self._base_url + path

    def new_for(
        self, user_id: UserId, trigger: Trigger, config: DeliveryConfig | None
    ) -> WebhookRecord:
        """
        Return a webhook for *trigger*, with an address and a secret of its own; it is not saved.

        Raises:
            NotConfigured: If such a webhook would have to be registered with its provider.
        """
        block = trigger.block
        if block.block_type is not BlockType.WEBHOOK_MANUAL:
            raise NotConfigured(
                f"A webhook of {provider_of(block)} must be registered there, which this server "
                "cannot do yet. Use GenericWebhookTriggerBlock, and tell the sender its address."
            )
        if block.webhook is None:
            raise NotConfigured(
                f"{block.name} is not built into this server: its trigger cannot be set up."
            )
        return WebhookRecord(
            # Who knows the address may deliver. Ids of the clock lie near each other in time; one
            # that was seen must not help to guess it.
            id=WebhookId(str(uuid.uuid4())),
            user_id=user_id,
            provider=block.webhook.provider,
            webhook_type=block.webhook.webhook_type,
            secret=(config and config.secret) or secrets.token_hex(_SECRET_BYTES),
            config=config.values if config else {},
            created_us=self._clock.now_us(),
        )

    async def get(self, user_id: UserId, webhook_id: WebhookId) -> WebhookRecord:
        """Return a webhook."""
        found = await self._storage.of(user_id).webhook(webhook_id)
        if found is None:
            raise _unknown(webhook_id)
        return found

    async def ping(self, user_id: UserId, webhook_id: WebhookId) -> bool:
        """Ask a webhook's provider to try it; False if the provider cannot, as none can yet."""
        await self.get(user_id, webhook_id)
        return False

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

    async def receive(
        self, provider: str, webhook_id: WebhookId, delivery: Delivery
    ) -> Mapping[str, Any] | None:
        """
        Start the runs of a delivery: one for each active preset of the webhook.

        They are on disk when this returns. The same delivery again starts nothing, if it is signed
        as its owner chose, or names itself. A preset that cannot run is logged and keeps no other
        from running.

        Returns:
            What its sender is answered: most wait for nothing.

        Raises:
            NotFound: If there is no such webhook of that provider.
            NotAllowed: If the signature is wrong or old, or is missing where one is required.
            BadRequest: If the body is no JSON object, or what must be there once is not.
            TooManyRequests: If more deliveries come than may.
            NotConfigured: If nobody here knows how such a webhook is checked.
        """
        found = await self._storage.triggered_by(webhook_id)
        # The provider decides how a delivery is checked: it must not be the sender's to choose.
        if found is None or found[0].provider != provider:
            raise _unknown(webhook_id)
        webhook, presets = found
        sender = provider_with(webhook)
        if sender is None:
            raise NotConfigured(f"This server cannot check what {webhook.provider} sends.")
        checked = self._checked(webhook, sender, delivery)
        # Only now: a stranger's deliveries must not keep the sender's out.
        self._limits.by_webhook.take(webhook.id)
        payload = _payload_of(delivery.body)
        event = event_of(sender, delivery.headers, payload)
        if sender.ping and event.partition(".")[0] == sender.ping:
            return _pong(payload)
        if webhook.events and event not in webhook.events:
            return None
        await self._take(webhook, presets, payload, _keys_of(sender, delivery, payload, checked))
        return None

    async def _take(
        self,
        webhook: WebhookRecord,
        presets: Sequence[PresetRecord],
        payload: Mapping[str, Any],
        keys: _Keys,
    ) -> None:
        """Start the runs of a delivery, unless it was taken before."""
        for key in keys.all:
            if await self._deliveries.is_known(webhook.id, key):
                log.info("webhook_delivery_known", webhook_id=webhook.id)
                return
        for preset in presets:
            await self._start(preset, payload, keys.run)
        # After the runs: what is not on disk yet must be taken when it is sent again.
        for key in keys.all:
            await self._deliveries.note(webhook.id, key, now_us=self._clock.now_us())

    def _checked(
        self, webhook: WebhookRecord, sender: Provider, delivery: Delivery
    ) -> Checked | None:
        """Return the right signature of a delivery; None if its owner wants none and there is none."""
        is_free = sender.is_open and not webhook.config.get(REQUIRE_SIGNATURE)
        if is_free and sender.scheme.header not in delivery.headers:
            return None
        now_s = self._clock.now_us() / _SECOND_US
        return check(sender.scheme, webhook.secret, delivery.headers, delivery.body, now_s=now_s)

    async def _start(
        self, preset: PresetRecord, payload: Mapping[str, Any], key: str | None
    ) -> ExecutionId | None:
        request = RunRequest(
            inputs={**preset.inputs, PAYLOAD: payload},
            credentials=preset.credentials or None,
            preset_id=preset.id,
            trigger="webhook",
        )
        run_id = None
        if key is not None:
            run_id = ExecutionId(derived_id(str(preset.webhook_id), preset.id, key))
        try:
            run = await self._executions.start(
                preset.user_id, preset.graph_id, preset.graph_version, request, run_id=run_id
            )
        except Unavailable:
            raise  # the sender is to try again
        except AgentServerError as exc:
            log.warning("webhook_run_refused", preset_id=preset.id, error=type(exc).__name__)
            return None
        return run.id


def _unknown(webhook_id: WebhookId) -> NotFound:
    return NotFound(f"Webhook #{webhook_id} not found.")


def _pong(payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what shows a provider that the address is ours, where it wants something back."""
    challenge = payload.get(_CHALLENGE)
    if isinstance(challenge, str) and len(challenge) <= MAX_DELIVERY_ID:
        return {_CHALLENGE: challenge}
    return None


def _payload_of(body: bytes) -> Mapping[str, Any]:
    try:
        payload = json.loads(body)
    except json.NotJson as exc:
        raise BadRequest(f"The body must be a JSON object: {exc}") from exc
    if not isinstance(payload, dict):
        raise BadRequest("The body must be a JSON object; put other values into one.")
    if depth_over(payload, MAX_PAYLOAD_DEPTH):
        raise BadRequest(f"The body is nested deeper than {MAX_PAYLOAD_DEPTH} levels.")
    return payload


def _keys_of(
    sender: Provider, delivery: Delivery, payload: Mapping[str, Any], checked: Checked | None
) -> _Keys:
    """
    Return by what a delivery is known again.

    A header that names it is not signed: whoever has seen a delivery could give it another name.
    So what is signed decides, where it must be signed.
    """
    named = next(
        (one(delivery.headers, name) for name in _DELIVERY_IDS if name in delivery.headers), None
    )
    if named and len(named) > MAX_DELIVERY_ID:
        raise BadRequest(f"The id of a delivery has at most {MAX_DELIVERY_ID} characters.")
    if checked is None or sender.is_open:
        # Here the same body may come twice and mean it.
        return _Keys(run=named, all=(_key("id", named),)) if named else _Keys(run=None)
    in_body = payload.get(sender.id_field) if sender.id_field else None
    own = checked.signed_id or (in_body if isinstance(in_body, str) else "")
    run = _key("own", own) if own else _key("digest", checked.digest)
    return _Keys(run=run, all=(run, _key("id", named)) if named else (run,))


def _key(kind: str, text: str) -> str:
    return f"{kind}:{hashlib.sha256(text.encode()).hexdigest()}"
