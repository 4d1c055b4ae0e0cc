"""Wires the database manager: migrations, checkpoints, retention."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final

import structlog

from backend.adapters.clock import SystemClock
from backend.adapters.storage import SqlStorage
from backend.settings import Settings
from backend.telemetry import Metrics
from backend.wiring import Started, database_path, open_database, serve_internal, work_beside

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from backend.engine.retention import Retention

log = structlog.get_logger(__name__)

_CHECKPOINT_S: Final = 1.0
#: Retention works for so long at a time: well within the limit of a call.
_RETENTION_S: Final = 200.0


async def serve_database(settings: Settings, started: Started, stopping: asyncio.Event) -> None:
    """Bring the tables up to date, then keep the database file in order."""
    from backend.adapters.storage.account_storage import SqlAccounts
    from backend.core.ids import DEFAULT_USER_EMAIL, DEFAULT_USER_ID, DEFAULT_USER_NAME
    from backend.wiring_upgrade import (
        bring_up_to_date,
        forget_broken_move,
        has_notes,
        has_stage,
    )

    metrics, clock = Metrics("DatabaseManager"), SystemClock()
    # Before all else: it may have closed this database, and was killed before the other one counted.
    if has_stage(settings) and await asyncio.to_thread(forget_broken_move, settings):
        log.warning("broken_move_forgotten")
    done = await asyncio.to_thread(
        bring_up_to_date, settings, only_adds=bool(settings.rabbitmq_url)
    )
    if done != "current":
        log.info("database_brought_up_to_date", done=done)
    storage = open_database(settings)
    # Of several machines another one may be moving: its lock is not here.
    may_forget = not settings.rabbitmq_url and await storage.database.read(has_notes)
    if may_forget and await asyncio.to_thread(forget_broken_move, settings):
        log.warning("broken_move_forgotten")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(storage.close)
        await storage.of(DEFAULT_USER_ID).save_user(
            email=DEFAULT_USER_EMAIL, name=DEFAULT_USER_NAME, now_us=clock.now_us()
        )
        await SqlAccounts(storage.database).ensure_owner(DEFAULT_USER_ID, now_us=clock.now_us())
        await _seal_webhooks(settings, storage)
        work_beside(stack, stopping, _kept(settings, storage, metrics))

        async def health() -> Mapping[str, object]:
            await storage.ping()
            return {}

        await serve_internal(
            settings,
            started,
            stopping,
            health=health,
            metrics=metrics,
            calls=housekeeping(settings, storage, clock, metrics),
        )


def housekeeping(
    settings: Settings, storage: SqlStorage, clock: SystemClock, metrics: Metrics
) -> "dict[str, Callable[[Any], Awaitable[Any]]]":
    """Return what keeps the database small, by name; a call is told nothing."""
    from backend.engine.file_sweep import sweep_files
    from backend.wiring_files import open_files

    retention = _retention(settings, storage, clock, metrics)
    return {
        "retention": lambda _: retention.work(at_most_s=_RETENTION_S),
        "file_sweep": lambda _: sweep_files(open_files(settings), storage),
    }


async def _kept(settings: Settings, storage: SqlStorage, metrics: Metrics) -> None:
    """Do what the database needs while it is used, until cancelled."""
    if settings.database_url:
        from backend.adapters.storage.postgres import measure
        from backend.adapters.storage.stalled import keep_ending_stalled

        async with asyncio.TaskGroup() as group:
            group.create_task(measure(storage.database, metrics.gauge))
            group.create_task(keep_ending_stalled(storage.database, metrics.counter))
            if settings.rabbitmq_url:
                from backend.adapters.storage.cluster import measure_backlog

                clock = SystemClock()
                group.create_task(measure_backlog(storage.database, metrics.gauge, clock.now_us))
        return
    from backend.adapters.storage.keeper import Keeper

    keeper = Keeper(database_path(settings), metrics.gauge, metrics.counter)
    await keeper.serve(_CHECKPOINT_S)


async def _seal_webhooks(settings: Settings, storage: SqlStorage) -> None:
    from backend.services.vault_keeper import VaultKeeper
    from backend.wiring_credentials import credentials_store, open_vault

    keeper = VaultKeeper(store=credentials_store(storage), vault=open_vault(settings))
    if count := await keeper.seal_webhooks():
        log.info("webhook_secrets_sealed", count=count)


def _retention(
    settings: Settings, storage: SqlStorage, clock: SystemClock, metrics: Metrics
) -> "Retention":
    from backend.adapters.mail import OutboxMailer
    from backend.adapters.storage.audit_log import SqlAuditLog
    from backend.adapters.storage.chats import SqlChatRetention
    from backend.adapters.storage.retention import SqlRetention
    from backend.engine.figures import watch_retention
    from backend.engine.retention import Keep, Retention
    from backend.wiring_webhooks import deliveries_of

    outbox = OutboxMailer(settings.agpt_data_dir / "outbox", sender=settings.smtp_sender)
    made = Retention(
        SqlRetention(storage.database),
        clock,
        Keep(
            days=settings.retention_days,
            runs_per_graph=settings.retention_runs_per_graph,
            audit_days=settings.audit_retention_days,
            chat_days=settings.chat_retention_days,
        ),
        delete_letters=outbox.delete_before,
        audit=SqlAuditLog(storage.database),
        chats=SqlChatRetention(storage.database),
        deliveries=deliveries_of(settings, storage),
    )
    watch_retention(made.figures, metrics)
    return made
