"""Wires the database manager: migrations, checkpoints, retention."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from backend.adapters.clock import SystemClock
from backend.adapters.storage import SqlStorage
from backend.settings import Settings
from backend.telemetry import Metrics
from backend.wiring import Started, database_path, open_database, serve_internal, work_beside

if TYPE_CHECKING:
    from backend.engine.retention import Retention

_CHECKPOINT_S: Final = 1.0
#: Retention works for so long at a time: well within the limit of a call.
_RETENTION_S: Final = 200.0


async def serve_database(settings: Settings, started: Started, stopping: asyncio.Event) -> None:
    """Bring the tables up to date, then keep the database file in order."""
    from backend.adapters.storage.account_storage import SqlAccounts
    from backend.adapters.storage.keeper import Keeper
    from backend.adapters.storage.migrate import migrate
    from backend.core.ids import DEFAULT_USER_EMAIL, DEFAULT_USER_ID, DEFAULT_USER_NAME
    from backend.engine.file_sweep import sweep_files
    from backend.wiring_files import open_files

    metrics, clock = Metrics("DatabaseManager"), SystemClock()
    await asyncio.to_thread(migrate, database_path(settings))
    storage = open_database(settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(storage.close)
        await storage.of(DEFAULT_USER_ID).save_user(
            email=DEFAULT_USER_EMAIL, name=DEFAULT_USER_NAME, now_us=clock.now_us()
        )
        await SqlAccounts(storage.database).ensure_owner(DEFAULT_USER_ID, now_us=clock.now_us())
        keeper = Keeper(database_path(settings), metrics.gauge, metrics.counter)
        work_beside(stack, stopping, keeper.serve(_CHECKPOINT_S))

        async def health() -> Mapping[str, object]:
            await storage.ping()
            return {}

        retention = _retention(settings, storage, clock, metrics)

        await serve_internal(
            settings,
            started,
            stopping,
            health=health,
            metrics=metrics,
            calls={
                "retention": lambda _: retention.work(at_most_s=_RETENTION_S),
                "file_sweep": lambda _: sweep_files(open_files(settings), storage),
            },
        )


def _retention(
    settings: Settings, storage: SqlStorage, clock: SystemClock, metrics: Metrics
) -> "Retention":
    from backend.adapters.mail import OutboxMailer
    from backend.adapters.storage.audit_log import SqlAuditLog
    from backend.adapters.storage.retention import SqlRetention
    from backend.engine.figures import watch_retention
    from backend.engine.retention import Keep, Retention

    outbox = OutboxMailer(settings.agpt_data_dir / "outbox", sender=settings.smtp_sender)
    made = Retention(
        SqlRetention(storage.database),
        clock,
        Keep(
            days=settings.retention_days,
            runs_per_graph=settings.retention_runs_per_graph,
            audit_days=settings.audit_retention_days,
        ),
        delete_letters=outbox.delete_before,
        audit=SqlAuditLog(storage.database),
    )
    watch_retention(made.figures, metrics)
    return made
