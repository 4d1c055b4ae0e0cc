"""Webhooks: kept as long as a preset names them."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, exists, select, text, update

from backend.adapters.storage import watches
from backend.adapters.storage.accounts import owner_may_act
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables import presets, webhooks
from backend.core import json
from backend.core.ids import CredentialsId, GraphId, PresetId, UserId, WebhookId
from backend.core.records import PresetName, WebhookRecord, WebhookState, WebhookUse
from backend.core.watches import LOOKED_AT, WATCHED

_W: Final = webhooks.c
_P: Final = presets.c
_READY: Final = WebhookState.READY.value
#: What this server watches needs credentials too, and nobody is told of it.
_REGISTERED: Final = (_W.credentials_id != "") & _W.provider.not_in(sorted(WATCHED))
#: As the index has it.
_NOT_READY: Final = text("state <> 'ready'")
_REMOVING: Final = WebhookState.REMOVING.value


def add(connection: Connection, user_id: UserId, webhook: WebhookRecord) -> None:
    """Save a webhook. One that is there, and not on its way out, gets what its provider said."""
    connection.execute(
        insert_on(connection, webhooks)
        .values(
            id=webhook.id,
            user_id=user_id,
            provider=webhook.provider,
            webhook_type=webhook.webhook_type,
            credentials_id=webhook.credentials_id,
            resource=webhook.resource,
            events=json.text(webhook.events),
            config=json.text(webhook.config),
            secret=webhook.sealed,
            provider_webhook_id=webhook.provider_webhook_id,
            created_us=webhook.created_us,
            state=webhook.state.value,
            due_us=webhook.due_us,
        )
        .on_conflict_do_update(
            index_elements=["id"],
            set_={
                "events": json.text(webhook.events),
                "provider_webhook_id": webhook.provider_webhook_id,
                "secret": webhook.sealed,
                "state": webhook.state.value,
            },
            where=(_W.user_id == user_id) & (_W.state != _REMOVING),
        )
    )
    if webhook.provider in LOOKED_AT:
        watches.add(connection, user_id, webhook.id, webhook.created_us)


def get(connection: Connection, user_id: UserId, webhook_id: WebhookId) -> WebhookRecord | None:
    """Return a webhook of this user."""
    row = connection.execute(
        select(webhooks).where(_W.id == webhook_id, _W.user_id == user_id, _W.state == _READY)
    ).one_or_none()
    return None if row is None else record(row)


def mine(connection: Connection, user_id: UserId, limit: int) -> list[WebhookUse]:
    """Return a user's webhooks, newest first, with the presets that name them."""
    found = connection.execute(
        select(webhooks)
        .where(_W.user_id == user_id, _W.state == _READY)
        .order_by(_W.created_us.desc(), _W.id.desc())
        .limit(limit)
    ).all()
    named = connection.execute(
        select(_P.id, _P.name, _P.graph_id, _P.is_active, _P.webhook_id)
        .where(_P.user_id == user_id, _P.is_deleted.is_(False), _P.webhook_id.is_not(None))
        .order_by(_P.updated_us.desc(), _P.id.desc())
    )
    by_webhook: dict[str, list[PresetName]] = {}
    for row in named:
        name = PresetName(
            id=PresetId(row.id),
            name=row.name,
            graph_id=GraphId(row.graph_id),
            is_active=bool(row.is_active),
        )
        by_webhook.setdefault(row.webhook_id, []).append(name)
    return [
        WebhookUse(webhook=record(row), presets=tuple(by_webhook.get(row.id, ()))) for row in found
    ]


def of_anybody(connection: Connection, webhook_id: WebhookId) -> WebhookRecord | None:
    """Return a webhook by its address alone, unless its owner is disabled."""
    row = connection.execute(
        select(webhooks).where(
            _W.id == webhook_id, _W.state != _REMOVING, owner_may_act(_W.user_id)
        )
    ).one_or_none()
    return None if row is None else record(row)


def configure(
    connection: Connection,
    user_id: UserId,
    webhook_id: WebhookId,
    config: Mapping[str, Any],
    sealed: str | None,
    credentials_id: str | None = None,
) -> None:
    """Set what the deliveries of a webhook must keep to; the secret stays where none is given."""
    values = {"config": json.text(config)} | ({} if sealed is None else {"secret": sealed})
    if credentials_id is not None:
        values["credentials_id"] = credentials_id
    connection.execute(
        update(webhooks).where(_W.id == webhook_id, _W.user_id == user_id).values(**values)
    )


def prune(connection: Connection, user_id: UserId) -> None:
    """Delete a user's webhooks that no preset names."""
    named = exists().where(presets.c.webhook_id == _W.id, presets.c.is_deleted.is_(False))
    unneeded = (_W.user_id == user_id, _W.state == _READY, ~named)
    connection.execute(delete(webhooks).where(*unneeded, ~_REGISTERED))
    # The provider has to hear of it: its row says so until it has.
    connection.execute(update(webhooks).where(*unneeded).values(state=_REMOVING, due_us=0))
    watches.prune(connection, user_id)


def of_credentials(
    connection: Connection, user_id: UserId, credentials_id: CredentialsId
) -> list[WebhookRecord]:
    """Return a user's webhooks that were registered with these credentials."""
    found = connection.execute(
        select(webhooks)
        .where(_W.user_id == user_id, _W.credentials_id == credentials_id, _W.state == _READY)
        .order_by(_W.created_us, _W.id)
    )
    return [record(row) for row in found]


def registered(connection: Connection, after: WebhookId | None, limit: int) -> list[WebhookRecord]:
    """Return webhooks of which providers were told; see SystemStorage.registered_webhooks."""
    found = connection.execute(
        select(webhooks)
        .where(_W.id > (after or ""), _W.state == _READY, _REGISTERED)
        .order_by(_W.id)
        .limit(limit)
    )
    return [record(row) for row in found]


def due(connection: Connection, now_us: int, limit: int) -> list[WebhookRecord]:
    """Return webhooks that somebody should look after."""
    found = connection.execute(
        select(webhooks).where(_NOT_READY, _W.due_us <= now_us).order_by(_W.due_us).limit(limit)
    )
    return [record(row) for row in found]


def put_off(connection: Connection, webhook_id: WebhookId, due_us: int) -> None:
    """Let a webhook be looked after later."""
    connection.execute(
        update(webhooks)
        .where(_W.id == webhook_id, _NOT_READY)
        .values(state=_REMOVING, due_us=due_us, tries=_W.tries + 1)
    )


def forget(connection: Connection, webhook_id: WebhookId) -> None:
    """Delete a webhook that is not READY."""
    connection.execute(delete(webhooks).where(_W.id == webhook_id, _NOT_READY))


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
        sealed=row.secret,
        provider_webhook_id=row.provider_webhook_id,
        created_us=row.created_us,
        state=WebhookState(row.state),
        due_us=row.due_us,
        tries=row.tries,
        refused=row.refused,
    )
