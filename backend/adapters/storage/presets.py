"""Presets: graphs with inputs, run by hand or by a webhook."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from backend.adapters.storage import watches, webhooks
from backend.adapters.storage.tables import graphs, presets
from backend.core import json
from backend.core.errors import NotFound
from backend.core.ids import GraphId, PresetId, UserId, WebhookId
from backend.core.records import PresetChanges, PresetRecord, WebhookRecord, WebhookState
from backend.core.watches import LOOKED_AT

_P: Final = presets.c


def add(connection: Connection, user_id: UserId, preset: PresetRecord) -> None:
    """Save a preset, with its webhook if it brings one; see UserStorage.add_preset."""
    _require_graph(connection, user_id, preset)
    _require_webhook(connection, user_id, preset)
    connection.execute(
        insert(presets).values(
            id=preset.id,
            user_id=user_id,
            graph_id=preset.graph_id,
            graph_version=preset.graph_version,
            name=preset.name,
            description=preset.description,
            inputs=json.text(preset.inputs),
            credentials=json.text(preset.credentials),
            is_active=preset.is_active,
            webhook_id=preset.webhook_id,
            created_us=preset.created_us,
            updated_us=preset.updated_us,
        )
    )


def _require_graph(connection: Connection, user_id: UserId, preset: PresetRecord) -> None:
    known = connection.execute(
        select(graphs.c.id).where(
            graphs.c.id == preset.graph_id,
            graphs.c.version == preset.graph_version,
            graphs.c.user_id == user_id,
        )
    ).first()
    if known is None:
        raise NotFound(f"Graph #{preset.graph_id} v{preset.graph_version} not found.")


def _require_webhook(connection: Connection, user_id: UserId, preset: PresetRecord) -> None:
    if preset.webhook is not None:
        webhooks.add(connection, user_id, _ready(preset.webhook))
    wanted = preset.webhook_id
    # Another user's would show its secret here, and start this preset as that user.
    if wanted is not None and webhooks.get(connection, user_id, wanted) is None:
        raise NotFound(f"Webhook #{wanted} not found.")


def _ready(webhook: WebhookRecord) -> WebhookRecord:
    return replace(webhook, state=WebhookState.READY)


def get(connection: Connection, user_id: UserId, preset_id: PresetId) -> PresetRecord | None:
    """Return a preset of this user with its webhook."""
    row = connection.execute(
        select(presets).where(_P.id == preset_id, _P.user_id == user_id, _P.is_deleted.is_(False))
    ).one_or_none()
    return None if row is None else _with_webhook(connection, _record(row))


def page(
    connection: Connection, user_id: UserId, graph_id: GraphId | None, number: int, size: int
) -> tuple[list[PresetRecord], int]:
    """Return a page of presets, the last changed first, and how many there are."""
    mine = [_P.user_id == user_id, _P.is_deleted.is_(False)]
    if graph_id is not None:
        mine.append(_P.graph_id == graph_id)
    total = connection.execute(select(func.count()).select_from(presets).where(*mine)).scalar()
    found = connection.execute(
        select(presets)
        .where(*mine)
        .order_by(_P.updated_us.desc(), _P.id.desc())
        .offset((number - 1) * size)
        .limit(size)
    ).all()
    return [_with_webhook(connection, _record(row)) for row in found], int(total or 0)


def change(
    connection: Connection,
    user_id: UserId,
    preset_id: PresetId,
    changes: PresetChanges,
    now_us: int,
) -> PresetRecord:
    """Change a preset; see UserStorage.change_preset."""
    before = get(connection, user_id, preset_id)
    if before is None:
        raise NotFound(f"Preset #{preset_id} not found.")
    values = _values(changes)
    if changes.webhook is not None:
        webhooks.add(connection, user_id, _ready(changes.webhook))
        if webhooks.get(connection, user_id, changes.webhook.id) is None:
            raise NotFound(f"Webhook #{changes.webhook.id} not found.")
        values["webhook_id"] = changes.webhook.id
    elif changes.detach:
        values["webhook_id"] = None
    if changes.webhook_config is not None and before.webhook_id is not None:
        webhooks.configure(
            connection,
            user_id,
            before.webhook_id,
            changes.webhook_config,
            changes.webhook_sealed,
            changes.webhook_credentials_id,
        )
    connection.execute(
        update(presets)
        .where(_P.id == preset_id, _P.user_id == user_id)
        .values(**values, updated_us=now_us)
    )
    if before.webhook is not None and before.webhook.provider in LOOKED_AT:
        watches.begin_again(connection, before.webhook.id, now_us)
    if "webhook_id" in values and before.webhook_id is not None:
        webhooks.prune(connection, user_id)
    after = get(connection, user_id, preset_id)
    assert after is not None
    return after


def _values(changes: PresetChanges) -> dict[str, Any]:
    values = {
        "name": changes.name,
        "description": changes.description,
        "inputs": None if changes.inputs is None else json.text(changes.inputs),
        "credentials": None if changes.credentials is None else json.text(changes.credentials),
        "is_active": changes.is_active,
    }
    return {name: value for name, value in values.items() if value is not None}


def remove(connection: Connection, user_id: UserId, preset_id: PresetId, now_us: int) -> bool:
    """Hide a preset for ever, and delete its webhook if no other one names it."""
    gone = connection.execute(
        update(presets)
        .where(_P.id == preset_id, _P.user_id == user_id, _P.is_deleted.is_(False))
        .values(is_deleted=True, is_active=False, updated_us=now_us)
    ).rowcount
    webhooks.prune(connection, user_id)
    return gone > 0


def detach_from(connection: Connection, user_id: UserId, graph_id: GraphId) -> None:
    """Let nothing start a graph's presets any more: the graph is gone."""
    connection.execute(
        update(presets)
        .where(_P.user_id == user_id, _P.graph_id == graph_id)
        .values(webhook_id=None, is_active=False)
    )
    webhooks.prune(connection, user_id)


def triggered_by(
    connection: Connection, webhook_id: WebhookId
) -> tuple[WebhookRecord, Sequence[PresetRecord]] | None:
    """Return a webhook and its owner's active presets; see SystemStorage.triggered_by."""
    webhook = webhooks.of_anybody(connection, webhook_id)
    if webhook is None:
        return None
    found = connection.execute(
        select(presets)
        .where(
            _P.webhook_id == webhook_id,
            _P.user_id == webhook.user_id,
            _P.is_active.is_(True),
            _P.is_deleted.is_(False),
        )
        .order_by(_P.created_us, _P.id)
    )
    return webhook, [_record(row) for row in found]


def _with_webhook(connection: Connection, preset: PresetRecord) -> PresetRecord:
    if preset.webhook_id is None:
        return preset
    webhook = webhooks.get(connection, preset.user_id, preset.webhook_id)
    if webhook is not None and webhook.provider in LOOKED_AT:
        webhook = replace(webhook, standing=watches.standing(connection, webhook.id))
    return replace(preset, webhook=webhook)


def _record(row: Row[Any]) -> PresetRecord:
    return PresetRecord(
        id=PresetId(row.id),
        user_id=UserId(row.user_id),
        graph_id=GraphId(row.graph_id),
        graph_version=row.graph_version,
        name=row.name,
        description=row.description,
        inputs=json.loads(row.inputs),
        credentials=json.loads(row.credentials),
        is_active=bool(row.is_active),
        webhook_id=WebhookId(row.webhook_id) if row.webhook_id else None,
        created_us=row.created_us,
        updated_us=row.updated_us,
    )
