"""Watches in rows: who holds one names himself in each change, so that a late word counts nothing."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, case, delete, func, select, update

from backend.adapters.storage import notices as notice_rows
from backend.adapters.storage.database import Database
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables import presets, webhooks
from backend.adapters.storage.tables_watches import trigger_states
from backend.core import json
from backend.core.errors import TooLarge
from backend.core.ids import UserId, WebhookId
from backend.core.records import NoticeRecord
from backend.core.watches import MAX_STATE_BYTES, Looked, Standing, Watch

_T: Final = trigger_states.c


class SqlWatches:
    """See backend.ports.watches.Watches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def next_us(self) -> int | None:
        return await self._database.read(next_us)

    async def take(self, holder: str, *, now_us: int, until_us: int, limit: int) -> list[Watch]:
        return await self._database.write(
            lambda c: take(c, holder, now_us, until_us, limit), incidental=True
        )

    async def hold_on(self, webhook_id: WebhookId, holder: str, *, until_us: int) -> bool:
        return await self._change(webhook_id, holder, next_us=until_us)

    async def save(self, webhook_id: WebhookId, holder: str, state: Mapping[str, Any]) -> bool:
        return await self._change(webhook_id, holder, state=_text(state))

    async def finish(self, webhook_id: WebhookId, holder: str, looked: Looked) -> bool:
        return await self._change(webhook_id, holder, **_ended(looked))

    async def give_up(
        self, webhook_id: WebhookId, holder: str, looked: Looked, notices: Sequence[NoticeRecord]
    ) -> bool:
        values = _ended(looked)

        def work(connection: Connection) -> bool:
            if not change(connection, webhook_id, holder, values):
                return False
            connection.execute(
                update(presets)
                .where(presets.c.webhook_id == webhook_id)
                .values(is_active=False, updated_us=looked.looked_us)
            )
            notice_rows.add(connection, notices)
            return True

        return await self._database.write(work, incidental=True)

    async def wake(self, webhook_id: WebhookId, *, now_us: int) -> None:
        await self._database.write(lambda c: wake(c, webhook_id, now_us), incidental=True)

    async def standing(self, webhook_id: WebhookId) -> Standing | None:
        return await self._database.read(lambda c: standing(c, webhook_id))

    async def count(self, user_id: UserId) -> int:
        mine = select(func.count()).select_from(trigger_states).where(_T.user_id == user_id)
        return int(await self._database.read(lambda c: c.execute(mine).scalar_one()))

    async def _change(self, webhook_id: WebhookId, holder: str, **values: Any) -> bool:
        return await self._database.write(
            lambda c: change(c, webhook_id, holder, values), incidental=True
        )


def add(connection: Connection, user_id: UserId, webhook_id: WebhookId, now_us: int) -> None:
    """Begin to watch, at once; one that is watched already is watched on."""
    connection.execute(
        insert_on(connection, trigger_states)
        .values(webhook_id=webhook_id, user_id=user_id, next_us=now_us)
        .on_conflict_do_nothing(index_elements=["webhook_id"])
    )


def prune(connection: Connection, user_id: UserId) -> None:
    """Forget a user's watches whose webhooks are gone."""
    kept = select(webhooks.c.id).where(webhooks.c.user_id == user_id)
    connection.execute(
        delete(trigger_states).where(_T.user_id == user_id, _T.webhook_id.not_in(kept))
    )


def next_us(connection: Connection) -> int | None:
    """Return when the next one is due."""
    found = connection.execute(select(_T.next_us).order_by(_T.next_us).limit(1)).scalar()
    return None if found is None else int(found)


def take(
    connection: Connection, holder: str, now_us: int, until_us: int, limit: int
) -> list[Watch]:
    """Take what is due; see Watches.take."""
    due = connection.execute(
        select(_T.webhook_id, _T.next_us, _T.user_id, _T.state, _T.failures)
        .where(_T.next_us <= now_us)
        .order_by(_T.next_us)
        .limit(limit)
    ).all()
    taken = []
    for row in due:
        mine = connection.execute(
            update(trigger_states)
            .where(_T.webhook_id == row.webhook_id, _T.next_us == row.next_us)
            .values(leased_by=holder, next_us=until_us, is_woken=False)
        )
        if mine.rowcount:
            taken.append(
                Watch(
                    webhook_id=WebhookId(row.webhook_id),
                    user_id=UserId(row.user_id),
                    state=json.loads(row.state),
                    failures=row.failures,
                )
            )
    return taken


def change(
    connection: Connection, webhook_id: WebhookId, holder: str, values: Mapping[str, Any]
) -> bool:
    """Change a watch if *holder* holds it."""
    changed = connection.execute(
        update(trigger_states)
        .where(_T.webhook_id == webhook_id, _T.leased_by == holder)
        .values(**values)
    )
    return changed.rowcount > 0


def wake(connection: Connection, webhook_id: WebhookId, now_us: int) -> None:
    """Let a watch be due; one that is held, when it is let go."""
    is_held = _T.leased_by.is_not(None)
    connection.execute(
        update(trigger_states)
        .where(_T.webhook_id == webhook_id)
        .values(
            is_woken=case((is_held, True), else_=False),
            next_us=case((is_held | (_T.next_us < now_us), _T.next_us), else_=now_us),
        )
    )


def begin_again(connection: Connection, webhook_id: WebhookId, now_us: int) -> None:
    """Wake a watch whose owner has changed something: its failures were those of before."""
    wake(connection, webhook_id, now_us)
    connection.execute(
        update(trigger_states).where(_T.webhook_id == webhook_id).values(failures=0, error="")
    )


def standing(connection: Connection, webhook_id: WebhookId) -> Standing | None:
    """Return how a watch does."""
    row = connection.execute(
        select(_T.looked_us, _T.next_us, _T.failures, _T.error).where(_T.webhook_id == webhook_id)
    ).one_or_none()
    if row is None:
        return None
    return Standing(
        looked_us=row.looked_us, next_us=row.next_us, failures=row.failures, error=row.error
    )


def _ended(looked: Looked) -> dict[str, Any]:
    state = {} if looked.state is None else {"state": _text(looked.state)}
    error = {} if looked.error is None else {"error": looked.error}
    return {
        **state,
        **error,
        "leased_by": None,
        "is_woken": False,
        "next_us": case((_T.is_woken, looked.looked_us), else_=looked.next_us),
        "failures": looked.failures,
        "looked_us": looked.looked_us,
    }


def _text(state: Mapping[str, Any]) -> str:
    text = json.text(state)
    if len(text) > MAX_STATE_BYTES:
        raise TooLarge(f"what is to be remembered of a watch is over {MAX_STATE_BYTES} bytes")
    return text
