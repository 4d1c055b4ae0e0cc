"""Webhooks on the wire. Only their owners see them: they show their secret."""

from typing import Any, Final

from backend.core.records import WebhookRecord
from backend.services.audit import reveal

_AGAIN_AFTER_S: Final = 3_600.0


def webhook_form(webhook: WebhookRecord, url: str) -> dict[str, Any]:
    """Return a webhook whose address is *url*: ``Webhook``."""
    # Pages that list them are asked again and again.
    reveal("webhook", webhook.id, again_after_s=_AGAIN_AFTER_S)
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
