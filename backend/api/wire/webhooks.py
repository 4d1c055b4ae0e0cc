"""Webhooks on the wire. Only their owners see them: they show their secret."""

from typing import Any

from backend.core.records import WebhookRecord


def webhook_form(webhook: WebhookRecord, url: str) -> dict[str, Any]:
    """Return a webhook whose address is *url*: ``Webhook``."""
    return {
        "id": webhook.id,
        "user_id": webhook.user_id,
        "provider": webhook.provider,
        "credentials_id": webhook.credentials_id,
        "webhook_type": webhook.webhook_type,
        "resource": webhook.resource,
        "events": list(webhook.events),
        "config": webhook.config,
        "secret": webhook.secret,
        "provider_webhook_id": webhook.provider_webhook_id,
        "url": url,
    }
