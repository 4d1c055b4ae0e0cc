"""Deliveries in rows, large bodies in files. What is old or too many goes by `expire`, step by step."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Row,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    tuple_,
    update,
)

from backend.adapters.storage import new_runs, packed
from backend.adapters.storage.database import Database
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables import webhooks
from backend.adapters.storage.tables_deliveries import deliveries, webhook_deliveries
from backend.adapters.storage.values import Values
from backend.core import json
from backend.core.deliveries import (
    DeliveryId,
    DeliveryPlace,
    DeliveryRecord,
    DeliveryStatus,
    PresetStart,
    Refusal,
    Settled,
)
from backend.core.ids import ExecutionId, PresetId, UserId, WebhookId
from backend.core.records import NewExecution

#: Of one webhook, so many refused deliveries are shown: who sends them must not fill the disk.
REFUSALS_KEPT: Final = 20
_DAY_US: Final = 24 * 3600 * 1_000_000
_K: Final = webhook_deliveries.c
_D: Final = deliveries.c
_WITHOUT_BODY: Final = [column for column in _D if column is not _D.body]
#: As the index has it.
_WAITS: Final = text("status = 'received'")
_RECEIVED: Final = DeliveryStatus.RECEIVED.value
_REFUSED: Final = DeliveryStatus.REFUSED.value


class SqlDeliveries:
    """See backend.ports.deliveries.Deliveries."""

    def __init__(
        self, database: Database, values: Values, *, days: int, kept: int, key_days: int, keys: int
    ) -> None:
        """
        Take how much is kept: deliveries for so many *days*, keys for *key_days*.

        Args:
            kept: Deliveries of one webhook.
            keys: Likewise.
        """
        self._database = database
        self._values = values
        self._days = days
        self._kept = kept
        self._key_days = key_days
        self._keys = keys

    async def add(
        self, delivery: DeliveryRecord, keys: Sequence[str], runs: Sequence[NewExecution] = ()
    ) -> bool:
        staging, reader = self._values.staging(), self._values.shown()
        body = staging.text(delivery.id, delivery.payload, packed.whole)
        started = [(run, new_runs.new_row(run, staging, limited=True)) for run in runs]
        await self._values.write(staging)
        row = {**_row(delivery), "body": body}

        def work(connection: Connection) -> bool:
            if not add(connection, row, keys):
                return False
            for run, made in started:
                new_runs.submit(connection, run, made, reader)
            return True

        return await self._database.write_grouped(work)

    async def waiting(self, *, now_us: int, limit: int) -> list[DeliveryRecord]:
        found = await self._database.read(lambda c: waiting(c, now_us, limit))
        reader = self._values.shown()
        return [_record(row, reader.loaded(row.body)) for row in found]

    async def settle(self, settled: Sequence[Settled]) -> None:
        if settled:
            await self._database.write_grouped(lambda c: settle(c, settled))

    async def page(
        self, user_id: UserId, webhook_id: WebhookId, *, after: DeliveryPlace | None, limit: int
    ) -> list[DeliveryRecord]:
        found = await self._database.read(lambda c: page(c, user_id, webhook_id, after, limit))
        return [_record(row, None) for row in found]

    async def get(
        self, user_id: UserId, webhook_id: WebhookId, delivery_id: DeliveryId
    ) -> DeliveryRecord | None:
        row = await self._database.read(lambda c: get(c, user_id, webhook_id, delivery_id))
        return None if row is None else _record(row, self._values.shown().loaded(row.body))

    async def last_of(self, webhook_id: WebhookId, event: str, *, since_us: int) -> bool:
        return await self._database.read(lambda c: last_of(c, webhook_id, event, since_us))

    async def note_refusals(self, refusals: Sequence[Refusal]) -> None:
        await self._database.write(lambda c: note_refusals(c, refusals), incidental=True)

    async def expire(self, *, now_us: int, limit: int) -> int:
        steps: list[Callable[[Connection], int]] = [
            lambda c: _delete_old(c, now_us - self._days * _DAY_US, limit),
            lambda c: _delete_old_keys(c, now_us - self._key_days * _DAY_US, limit),
        ]
        # Looking for these takes longer the more there is: who writes must not wait for it.
        if full := await self._database.read(lambda c: _full(c, _D.webhook_id, self._kept)):
            steps.append(lambda c: _delete_surplus(c, full, limit))
        if full_keys := await self._database.read(lambda c: _full(c, _K.webhook_id, self._keys)):
            steps.append(lambda c: _delete_surplus_keys(c, full_keys, limit))
        if gone := await self._database.read(_gone_webhook):
            steps.append(lambda c: _delete_orphans(c, gone, limit))
        return sum([await self._database.write(step, incidental=True) for step in steps])


def add(connection: Connection, row: Mapping[str, Any], keys: Sequence[str]) -> bool:
    """Keep a delivery unless one of its keys is known; see the port."""
    for key in keys:
        noted = connection.execute(
            insert_on(connection, webhook_deliveries)
            .values(webhook_id=row["webhook_id"], key=key, taken_us=row["received_us"])
            .on_conflict_do_nothing()
        )
        if not noted.rowcount:
            # What was noted before it in this loop is noted rightly: it is the same delivery.
            return False
    connection.execute(insert(deliveries).values(row))
    return True


def waiting(connection: Connection, now_us: int, limit: int) -> Sequence[Row[Any]]:
    """Return rows that are to be started."""
    return connection.execute(
        select(deliveries)
        .where(_WAITS, _D.next_us <= now_us)
        .order_by(_D.next_us, _D.id)
        .limit(limit)
    ).all()


def settle(connection: Connection, settled: Sequence[Settled]) -> None:
    """Say where deliveries stand; what stands elsewhere already stays."""
    connection.execute(
        update(deliveries)
        .where(_D.id == bindparam("which"), _D.status == _RECEIVED)
        .values(
            status=bindparam("new_status"),
            starts=bindparam("new_starts"),
            reason=bindparam("new_reason"),
            next_us=bindparam("new_next_us"),
            tries=_D.tries + 1,
        ),
        [
            {
                "which": one.id,
                "new_status": one.status.value,
                "new_starts": json.text([_start_form(start) for start in one.starts]),
                "new_reason": one.reason[:500],
                "new_next_us": one.next_us,
            }
            for one in settled
        ],
    )


def page(
    connection: Connection,
    user_id: UserId,
    webhook_id: WebhookId,
    after: DeliveryPlace | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """Return rows of a webhook, newest first."""
    query = (
        select(*_WITHOUT_BODY)
        .where(_D.webhook_id == webhook_id, _D.user_id == user_id)
        .order_by(_D.received_us.desc(), _D.id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(_D.received_us, _D.id) < tuple_(after.received_us, after.id))
    return connection.execute(query).all()


def get(
    connection: Connection, user_id: UserId, webhook_id: WebhookId, delivery_id: DeliveryId
) -> Row[Any] | None:
    """Return the row of one delivery."""
    return connection.execute(
        select(deliveries).where(
            _D.id == delivery_id, _D.webhook_id == webhook_id, _D.user_id == user_id
        )
    ).one_or_none()


def last_of(connection: Connection, webhook_id: WebhookId, event: str, since_us: int) -> bool:
    """Say whether an event has come."""
    found = connection.execute(
        select(_D.id)
        .where(_D.webhook_id == webhook_id, _D.received_us >= since_us, _D.event == event)
        .limit(1)
    )
    return found.first() is not None


def note_refusals(connection: Connection, refusals: Sequence[Refusal]) -> None:
    """Count refusals, and keep the newest of each webhook."""
    by_webhook: dict[WebhookId, list[Refusal]] = {}
    for one in refusals:
        by_webhook.setdefault(one.webhook_id, []).append(one)
    for webhook_id, some in by_webhook.items():
        hook = connection.execute(
            select(webhooks.c.user_id, webhooks.c.provider).where(webhooks.c.id == webhook_id)
        ).one_or_none()
        if hook is None:
            continue
        connection.execute(
            update(webhooks)
            .where(webhooks.c.id == webhook_id)
            .values(refused=webhooks.c.refused + len(some))
        )
        newest = some[-REFUSALS_KEPT:]
        connection.execute(
            insert(deliveries), [_refusal_row(one, hook.user_id, hook.provider) for one in newest]
        )
        beyond = (
            select(_D.id)
            .where(_D.webhook_id == webhook_id, _D.status == _REFUSED)
            .order_by(_D.received_us.desc(), _D.id.desc())
            .offset(REFUSALS_KEPT)
        )
        connection.execute(delete(deliveries).where(_D.id.in_(beyond)))


def _delete_old(connection: Connection, before_us: int, limit: int) -> int:
    old = select(_D.id).where(_D.received_us < before_us).limit(limit)
    return connection.execute(delete(deliveries).where(_D.id.in_(old))).rowcount


def _delete_old_keys(connection: Connection, before_us: int, limit: int) -> int:
    old = select(_K.webhook_id, _K.key).where(_K.taken_us < before_us).limit(limit)
    return connection.execute(
        delete(webhook_deliveries).where(tuple_(_K.webhook_id, _K.key).in_(old))
    ).rowcount


def _full(connection: Connection, webhook_id: Any, kept: int) -> tuple[str, int] | None:
    """Return a webhook of which more than *kept* rows are there, and how many more."""
    row = connection.execute(
        select(webhook_id, func.count()).group_by(webhook_id).having(func.count() > kept).limit(1)
    ).first()
    return None if row is None else (str(row[0]), row[1] - kept)


def _gone_webhook(connection: Connection) -> str | None:
    """Return a webhook that is not there any more, and of which something is kept."""
    first = select(func.min(_D.webhook_id).label("id")).cte("ids", recursive=True)
    # From webhook to webhook in the index, over all that is kept of each.
    after = select(func.min(_D.webhook_id)).where(_D.webhook_id > first.c.id).scalar_subquery()
    ids = first.union_all(select(after).where(first.c.id.is_not(None)))
    there = select(webhooks.c.id).where(webhooks.c.id == ids.c.id).exists()
    gone = select(ids.c.id).where(
        ids.c.id.is_not(None),
        ~there,
        select(_D.id).where(_D.webhook_id == ids.c.id, _D.status != _RECEIVED).exists(),
    )
    return connection.execute(gone.limit(1)).scalar()


def _delete_surplus(connection: Connection, full: tuple[str, int], limit: int) -> int:
    """Delete the oldest of a webhook that has too many, but not what waits: it was taken."""
    webhook_id, surplus = full
    oldest = (
        select(_D.id)
        .where(_D.webhook_id == webhook_id, _D.status != _RECEIVED)
        .order_by(_D.received_us, _D.id)
        .limit(min(surplus, limit))
    )
    return connection.execute(delete(deliveries).where(_D.id.in_(oldest))).rowcount


def _delete_surplus_keys(connection: Connection, full: tuple[str, int], limit: int) -> int:
    webhook_id, surplus = full
    oldest = (
        select(_K.webhook_id, _K.key)
        .where(_K.webhook_id == webhook_id)
        .order_by(_K.taken_us)
        .limit(min(surplus, limit))
    )
    return connection.execute(
        delete(webhook_deliveries).where(tuple_(_K.webhook_id, _K.key).in_(oldest))
    ).rowcount


def _delete_orphans(connection: Connection, webhook_id: str, limit: int) -> int:
    """Delete deliveries of a webhook that is gone: nobody can ask for them any more."""
    there = select(webhooks.c.id).where(webhooks.c.id == webhook_id).exists()
    some = (_D.webhook_id == webhook_id, _D.status != _RECEIVED, ~there)
    gone = select(_D.id).where(*some).limit(limit)
    return connection.execute(delete(deliveries).where(_D.id.in_(gone))).rowcount


def _row(delivery: DeliveryRecord) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "webhook_id": delivery.webhook_id,
        "user_id": delivery.user_id,
        "provider": delivery.provider,
        "event": delivery.event,
        "received_us": delivery.received_us,
        "key": delivery.key,
        "headers": json.text(delivery.headers),
        "address": delivery.address,
        "size_bytes": delivery.size_bytes,
        "status": delivery.status.value,
        "starts": json.text([_start_form(start) for start in delivery.starts]),
        "tries": delivery.tries,
        "reason": delivery.reason,
        "replay_of": delivery.replay_of,
        "next_us": delivery.received_us,
    }


def _refusal_row(refusal: Refusal, user_id: str, provider: str) -> dict[str, Any]:
    return {
        **_row(
            DeliveryRecord(
                id=refusal.id,
                webhook_id=refusal.webhook_id,
                user_id=UserId(user_id),
                provider=provider,
                event="",
                received_us=refusal.received_us,
                key="",
                size_bytes=refusal.size_bytes,
                headers=refusal.headers,
                address=refusal.address,
                status=DeliveryStatus.REFUSED,
                reason=refusal.reason,
            )
        ),
        "body": None,
    }


def _start_form(start: PresetStart) -> dict[str, Any]:
    return {"preset_id": start.preset_id, "run_id": start.run_id, "error": start.error}


def _record(row: Row[Any], payload: Any) -> DeliveryRecord:
    return DeliveryRecord(
        id=DeliveryId(row.id),
        webhook_id=WebhookId(row.webhook_id),
        user_id=UserId(row.user_id),
        provider=row.provider,
        event=row.event,
        received_us=row.received_us,
        key=row.key,
        payload=payload,
        size_bytes=row.size_bytes,
        headers=json.loads(row.headers),
        address=row.address,
        status=DeliveryStatus(row.status),
        starts=tuple(_start(one) for one in json.loads(row.starts)),
        reason=row.reason,
        replay_of=DeliveryId(row.replay_of) if row.replay_of else None,
        tries=row.tries,
    )


def _start(form: Mapping[str, Any]) -> PresetStart:
    run_id = form["run_id"]
    return PresetStart(
        preset_id=PresetId(form["preset_id"]),
        run_id=ExecutionId(run_id) if run_id else None,
        error=form["error"],
    )
