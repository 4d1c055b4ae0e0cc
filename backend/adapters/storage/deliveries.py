"""Deliveries that were taken, in rows. Each that is noted makes room for itself."""

from typing import Final

from sqlalchemy import Connection, delete, func, select, tuple_

from backend.adapters.storage.database import Database
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables_deliveries import webhook_deliveries
from backend.core.ids import WebhookId

_D: Final = webhook_deliveries.c
_DAY_US: Final = 24 * 3600 * 1_000_000
#: With one that is noted, at most so many go: the transaction must stay short.
_GO_AT_ONCE: Final = 20


class SqlDeliveries:
    """See backend.ports.deliveries.Deliveries."""

    def __init__(self, database: Database, *, days: int, per_webhook: int) -> None:
        """Keep what was noted for so many *days*, and of one webhook so many at most."""
        self._database = database
        self._days = days
        self._per_webhook = per_webhook

    async def is_known(self, webhook_id: WebhookId, key: str) -> bool:
        return await self._database.read(lambda c: is_known(c, webhook_id, key))

    async def note(self, webhook_id: WebhookId, key: str, *, now_us: int) -> None:
        before_us = now_us - self._days * _DAY_US
        await self._database.write(
            lambda c: note(c, webhook_id, key, now_us, before_us, self._per_webhook),
            incidental=True,
        )


def is_known(connection: Connection, webhook_id: WebhookId, key: str) -> bool:
    """Say whether a delivery was noted."""
    found = connection.execute(
        select(_D.taken_us).where(_D.webhook_id == webhook_id, _D.key == key)
    )
    return found.first() is not None


def note(
    connection: Connection,
    webhook_id: WebhookId,
    key: str,
    now_us: int,
    before_us: int,
    per_webhook: int,
) -> None:
    """Note a delivery, and forget some of those that are old or too many."""
    connection.execute(
        insert_on(connection, webhook_deliveries)
        .values(webhook_id=webhook_id, key=key, taken_us=now_us)
        .on_conflict_do_nothing()
    )
    old = select(_D.webhook_id, _D.key).where(_D.taken_us < before_us).limit(_GO_AT_ONCE)
    connection.execute(delete(webhook_deliveries).where(tuple_(_D.webhook_id, _D.key).in_(old)))
    count = connection.execute(
        select(func.count()).select_from(webhook_deliveries).where(_D.webhook_id == webhook_id)
    ).scalar_one()
    if count > per_webhook:
        oldest = (
            select(_D.webhook_id, _D.key)
            .where(_D.webhook_id == webhook_id)
            .order_by(_D.taken_us)
            .limit(min(count - per_webhook, _GO_AT_ONCE))
        )
        connection.execute(
            delete(webhook_deliveries).where(tuple_(_D.webhook_id, _D.key).in_(oldest))
        )
