"""Webhooks: kept as long as a preset names them."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, exists, insert, select, update

from backend.adapters.storage.tables import presets, webhooks
from backend.core import json
from backend.core.ids import UserId, WebhookId
from backend.core.records import WebhookRecord

_W: Final = webhooks.c


def add(connection: Connection, user_id: UserId, webhook: WebhookRecord) -> None:
    """Save a webhook."""
    connection.execute(
        insert(webhooks).values(
            id=webhook.id,
            user_id=user_id,
            provider=webhook.provider,
            webhook_type=webhook.webhook_type,
            credentials_id=webhook.credentials_id,
            resource=webhook.resource,
            events=json.text(webhook.events),
            config=json.text(webhook.config),
            secret=webhook.secret,
            provider_webhook_id=webhook.provider_webhook_id,
            created_us=webhook.created_us,
        )
    )


def get(connection: Connection, user_id: UserId, webhook_id: WebhookId) -> WebhookRecord | None:
    """Return a webhook of this user."""
    row = connection.execute(
        select(webhooks).where(_W.id == webhook_id, _W.user_id == user_id)
    ).one_or_none()
    return None if row is None else record(row)


def of_anybody(connection: Connection, webhook_id: WebhookId) -> WebhookRecord | None:
    """Return a webhook by its address alone."""
    row = connection.execute(select(webhooks).where(_W.id == webhook_id)).one_or_none()
    return None if row is None else record(row)


def configure(
    connection: Connection,
    user_id: UserId,
    webhook_id: WebhookId,
    config: Mapping[str, Any],
    secret: str | None,
) -> None:
    """Set what the deliveries of a webhook must keep to; the secret stays where none is given."""
    values = {"config": json.text(config)} | ({} if secret is None else {"secret": secret})
    connection.execute(
        update(webhooks).where(_W.id == webhook_id, _W.user_id == user_id).values(**values)
    )


def prune(connection: Connection, user_id: UserId) -> None:
    """Delete a user's webhooks that no preset names."""
    named = exists().where(presets.c.webhook_id == _W.id, presets.c.is_deleted.is_(False))
    connection.execute(delete(webhooks).where(_W.user_id == user_id, ~named))


def record(row: Row[Any]) -> WebhookRecord:
    """Return the webhook of *row*."""
    return WebhookRecord(
        id=WebhookId(row.id),
        user_id=UserId(row.user_id),
        provider=row.provider,
        webhook_type=row.webhook_type,
        credentials_id=row.credentials_id,
        resource=row.resource,
        events=tuple(json.loads(row.events)),
        config=json.loads(row.config),
        secret=row.secret,
        provider_webhook_id=row.provider_webhook_id,
        created_us=row.created_us,
    )
