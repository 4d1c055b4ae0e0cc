"""Webhooks and deliveries on the wire, for lists of their owners: no secret is in them."""

from typing import Any

from backend.api.wire.times import iso
from backend.core.deliveries import DeliveryRecord
from backend.core.records import WebhookUse


def webhook_use_form(use: WebhookUse, url: str) -> dict[str, Any]:
    """Return a webhook with the presets that it starts: ``WebhookSummary``."""
    webhook = use.webhook
    return {
        "id": webhook.id,
        "provider": webhook.provider,
        "webhook_type": webhook.webhook_type,
        "resource": webhook.resource,
        "events": list(webhook.events),
        "credentials_id": webhook.credentials_id or None,
        "provider_webhook_id": webhook.provider_webhook_id or None,
        "url": url,
        "created_at": iso(webhook.created_us),
        "refused_count": webhook.refused,
        "presets": [
            {"id": one.id, "name": one.name, "graph_id": one.graph_id, "is_active": one.is_active}
            for one in use.presets
        ],
    }


def delivery_form(delivery: DeliveryRecord) -> dict[str, Any]:
    """Return a delivery without its payload: ``WebhookDelivery``."""
    return {
        "id": delivery.id,
        "webhook_id": delivery.webhook_id,
        "provider": delivery.provider,
        "event": delivery.event,
        "status": delivery.status.value,
        "reason": delivery.reason or None,
        "received_at": iso(delivery.received_us),
        "size_bytes": delivery.size_bytes,
        "address": delivery.address or None,
        "headers": dict(delivery.headers),
        "runs": [
            {
                "preset_id": start.preset_id,
                "graph_exec_id": start.run_id,
                "error": start.error or None,
            }
            for start in delivery.starts
        ],
        "replay_of": delivery.replay_of,
        "tries": delivery.tries,
    }


def delivery_details(delivery: DeliveryRecord) -> dict[str, Any]:
    """Return a delivery with its payload: ``WebhookDeliveryDetails``."""
    return {**delivery_form(delivery), "payload": delivery.payload}
