"""Webhooks: their addresses, and the runs that deliveries start."""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from backend.core import json
from backend.core.block import BlockType
from backend.core.errors import (
    AgentServerError,
    BadRequest,
    NotAllowed,
    NotConfigured,
    NotFound,
    TooLarge,
    Unavailable,
)
from backend.core.ids import ExecutionId, UserId, WebhookId, derived_id
from backend.core.json import depth_over
from backend.core.records import PresetRecord, WebhookRecord
from backend.core.triggers import PAYLOAD, Trigger, provider_of
from backend.ports.clock import Clock
from backend.ports.storage import Storage
from backend.services.executions import ExecutionService, RunRequest

log = structlog.get_logger(__name__)

#: The one word of a trigger's configuration that is about deliveries, not about runs.
REQUIRE_SIGNATURE: Final = "require_signature"

MAX_DELIVERY_ID: Final = 255
MAX_PAYLOAD_DEPTH: Final = 120
_SECRET_BYTES: Final = 32  # 64 hexadecimal digits
_SIGNATURE: Final = "sha256="


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """
    What somebody sent to the address of a webhook.

    Attributes:
        signature: ``sha256=`` and the HMAC of the body under the webhook's secret; None if none
            was sent.
        delivery_id: The same for the same delivery, however often it is sent; None if unknown.
    """

    body: bytes
    signature: str | None = None
    delivery_id: str | None = None


class WebhookService:
    """Webhooks of all users; every method but `receive` names the user whose they are."""

    def __init__(
        self,
        *,
        storage: Storage,
        executions: ExecutionService,
        clock: Clock,
        base_url: str,
        max_body_bytes: int,
    ) -> None:
        """Take *base_url*, the address of this server as senders know it, without a last slash."""
        self._storage = storage
        self._executions = executions
        self._clock = clock
        self._base_url = base_url
        self._max_body_bytes = max_body_bytes

    def url_of(self, webhook: WebhookRecord) -> str:
        """Return the address to which deliveries are sent."""
        path = f"/api/integrations/{webhook.provider}/webhooks/{webhook.id}/ingress"
        return self._base_url + path

    def new_for(
        self, user_id: UserId, trigger: Trigger, config: Mapping[str, Any]
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
            secret=secrets.token_hex(_SECRET_BYTES),
            config=config,
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

    def check_size(self, size_bytes: int) -> None:
        """Refuse a body of so many bytes if it is too large: asked while it is read."""
        if size_bytes > self._max_body_bytes:
            raise TooLarge(
                f"The body is larger than {self._max_body_bytes} bytes; "
                "MAX_WEBHOOK_BODY_KB sets the limit."
            )

    async def receive(
        self, provider: str, webhook_id: WebhookId, delivery: Delivery
    ) -> list[ExecutionId]:
        """
        Start the runs of a delivery: one for each active preset of the webhook.

        They are on disk when this returns. The same delivery again starts none of them twice, if
        it names itself. A preset that cannot run is logged and keeps no other from running.

        Raises:
            NotFound: If there is no such webhook of that provider.
            NotAllowed: If the signature is wrong, or is missing where one is required.
            BadRequest: If the body is no JSON object.
        """
        found = await self._storage.triggered_by(webhook_id)
        # The provider decides how a delivery is checked: it must not be the sender's to choose.
        if found is None or found[0].provider != provider:
            raise _unknown(webhook_id)
        webhook, presets = found
        _check_signature(webhook, delivery)
        payload = _payload_of(delivery.body)
        key = _delivery_key(delivery)
        started = [await self._start(preset, payload, key) for preset in presets]
        return [run_id for run_id in started if run_id is not None]

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


def signature_of(secret: str, body: bytes) -> str:
    """Return what `Delivery.signature` must be."""
    return _SIGNATURE + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _check_signature(webhook: WebhookRecord, delivery: Delivery) -> None:
    if delivery.signature is None:
        if webhook.config.get(REQUIRE_SIGNATURE):
            raise NotAllowed("This webhook takes signed deliveries only: send X-Hub-Signature-256.")
        return
    wanted = signature_of(webhook.secret, delivery.body).encode()
    if not hmac.compare_digest(wanted, delivery.signature.encode()):
        raise NotAllowed(
            "X-Hub-Signature-256 is not the HMAC-SHA256 of this body under the webhook's secret."
        )


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


def _delivery_key(delivery: Delivery) -> str | None:
    if delivery.delivery_id and len(delivery.delivery_id) > MAX_DELIVERY_ID:
        raise BadRequest(f"The id of a delivery has at most {MAX_DELIVERY_ID} characters.")
    return delivery.delivery_id or None
