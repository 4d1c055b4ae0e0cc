"""Webhooks on the wire. Only their owners see them: they show their secret."""

from typing import Any, Final

from backend.api.wire.times import iso
from backend.core.records import WebhookRecord
from backend.core.watches import Standing
from backend.services.audit import reveal

_AGAIN_AFTER_S: Final = 3_600.0


def webhook_form(webhook: WebhookRecord, url: str, secret: str) -> dict[str, Any]:
    """Return a webhook with its address and its opened secret: ``Webhook``."""
    # Pages that list them are asked again and again.
    reveal("webhook", webhook.id, again_after_s=_AGAIN_AFTER_S)
    shown = dict(webhook.config)
    if webhook.standing is not None:
        shown["watch"] = _standing(webhook.standing)
    return {
        "id": webhook.id,
        "user_id": webhook.user_id,
        "provider": webhook.provider,
        "credentials_id": webhook.credentials_id,
        "webhook_type": webhook.webhook_type,
        "resource": webhook.resource,
        "events": list(webhook.events),
        "config": shown,
        "secret": secret,
        "provider_webhook_id": webhook.provider_webhook_id,
        "url": url,
    }


def _standing(standing: Standing) -> dict[str, Any]:
    """Return how a watch does, so that its owner sees why nothing comes."""
    looked_us = standing.looked_us
    return {
        "looked_at": None if looked_us is None else iso(looked_us),
        "next_at": iso(standing.next_us),
        "failures": standing.failures,
        "error": standing.error,
    }
