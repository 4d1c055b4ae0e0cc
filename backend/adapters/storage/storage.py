"""The storage port on one `Database`; each method is one function in one transaction."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from sqlalchemy import Connection

from backend.adapters.storage import (
    executions,
    holds,
    journal,
    new_runs,
    notices,
    presets,
    retention,
    reviews,
    schedules,
    stops,
    unfinished,
    users,
)
from backend.adapters.storage.database import Database
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables import system_jobs
from backend.adapters.storage.user_storage import SqlUserStorage
from backend.adapters.storage.value_files import FILES, ValueFiles
from backend.adapters.storage.values import Values
from backend.core.execution import NodeExecution
from backend.core.graph import Graph
from backend.core.ids import ExecutionId, GraphId, ScheduleId, UserId, WebhookId
from backend.core.plan import NodePlan
from backend.core.records import (
    ExecutionRecord,
    Hold,
    HoldKind,
    NewExecution,
    NoticeRecord,
    NoticeStatus,
    PresetRecord,
    ScheduleRecord,
    UserRecord,
    WebhookRecord,
)
from backend.core.reviews import Decisions
from backend.ports.storage import JournalBatch, StagedBatch, StoredRun

_KILOBYTE: Final = 1024
_MEGABYTE: Final = 1024 * 1024


def open_storage(
    path: Path | str,
    *,
    synchronous: str = "FULL",
    inline_bytes: int = 256 * _KILOBYTE,
    value_bytes: int = 16 * _MEGABYTE,
) -> "SqlStorage":
    """
    Return the storage in the SQLite file at *path*, which must have its tables already.

    Args:
        synchronous: SQLite's setting; FULL survives a power cut, NORMAL may lose the last commits,
            OFF is for what nobody will look at again.
        inline_bytes: A value whose JSON text is longer goes to a file of its run.
        value_bytes: The longest that a new run may be given.
    """
    files = ValueFiles(Path(path).parent / FILES, durable=synchronous != "OFF")
    values = Values(files, inline_bytes=inline_bytes, value_bytes=value_bytes)
    return SqlStorage(Database(path, synchronous=synchronous), values)


class SqlStorage:
    """See backend.ports.storage.Storage."""

    def __init__(self, database: Database, values: Values) -> None:
        self.database = database
        self.values = values

    def of(self, user_id: UserId) -> SqlUserStorage:
        return SqlUserStorage(self.database, self.values, user_id)

    async def close(self) -> None:
        await self.database.close()

    # The executor's part.

    async def unfinished(
        self,
        *,
        limit: int,
        exclude: Sequence[ExecutionId],
        full: Sequence[tuple[UserId, GraphId]] = (),
        full_users: Sequence[UserId] = (),
    ) -> list[ExecutionId]:
        return await self.database.read(
            lambda c: unfinished.unfinished(c, limit, exclude, full, full_users)
        )

    async def holds(self) -> list[Hold]:
        return await self.database.read(holds.listed)

    async def hold(self, new: Hold) -> bool:
        return await self.database.write(lambda c: holds.add(c, new))

    async def let_go(self, kind: HoldKind, id_: str) -> bool:
        return await self.database.write(lambda c: holds.remove(c, kind, id_))

    async def load_runs(self, ids: Sequence[ExecutionId]) -> list[StoredRun]:
        return await self.database.read(lambda c: unfinished.load_runs(c, self.values, ids))

    async def finished_run(self, run_id: ExecutionId) -> ExecutionRecord | None:
        return await self.database.read(
            lambda c: unfinished.finished_run(c, self.values.brief(), run_id)
        )

    async def load_nodes(
        self, run_id: ExecutionId, plans: Mapping[str, NodePlan]
    ) -> list[NodeExecution]:
        reader = self.values.strict()
        return await self.database.read(lambda c: unfinished.load_nodes(c, reader, run_id, plans))

    async def stops_asked(self) -> list[ExecutionId]:
        return await self.database.read(stops.stops_asked)

    async def stop_paused(self, run_id: ExecutionId, *, now_us: int) -> None:
        await self.database.write(lambda c: stops.go_on_to_stop(c, [run_id], now_us))

    async def decisions(self, run_id: ExecutionId) -> Decisions:
        return await self.database.read(lambda c: reviews.decided(c, self.values.strict(), run_id))

    async def graph_for_run(self, user_id: UserId, graph_id: GraphId, version: int) -> Graph | None:
        return await self.database.read(
            lambda c: unfinished.graph_for_run(c, user_id, graph_id, version)
        )

    def stage(self, batch: JournalBatch) -> journal.StagedRows:
        return journal.stage(batch, self.values.staging())

    def split(self, staged: StagedBatch) -> list[StagedBatch]:
        return list(journal.split(cast("journal.StagedRows", staged)))

    def runs_of(self, staged: StagedBatch) -> frozenset[ExecutionId]:
        rows = cast("journal.StagedRows", staged)
        return frozenset(run_id for run_id, _ in rows.runs)

    async def commit(self, staged: StagedBatch) -> frozenset[ExecutionId]:
        rows = cast("journal.StagedRows", staged)
        await self.values.write(rows.staging)
        refused = await self.database.write(lambda c: journal.commit(c, rows))
        self.values.forget(rows.ended)
        return refused

    # Everybody's part.

    async def submit(self, run: NewExecution) -> ExecutionRecord:
        staging = self.values.staging()
        row = new_runs.new_row(run, staging, limited=True)
        await self.values.write(staging)
        reader = self.values.shown()
        return await self.database.write_grouped(lambda c: new_runs.submit(c, run, row, reader))

    async def user_exists(self, user_id: UserId) -> bool:
        return await self.database.read(lambda c: users.get(c, user_id) is not None)

    async def users(self, ids: Sequence[UserId]) -> list[UserRecord]:
        return await self.database.read(lambda c: users.some(c, ids))

    async def due_schedules(self, *, now_us: int, limit: int) -> list[ScheduleRecord]:
        return await self.database.read(lambda c: schedules.due(c, now_us, limit))

    async def next_fire(self) -> int | None:
        return await self.database.read(schedules.next_fire)

    async def fire(
        self,
        schedule: ScheduleRecord,
        *,
        fire_us: int,
        next_us: int | None,
        run: NewExecution | None,
    ) -> bool:
        staging, reader = self.values.staging(), self.values.shown()
        row = None if run is None else new_runs.new_row(run, staging)
        await self.values.write(staging)
        return await self.database.write(
            lambda c: schedules.fire(c, schedule, fire_us, next_us, run, row, reader)
        )

    async def pause_schedule(self, schedule_id: ScheduleId, *, reason: str) -> None:
        await self.database.write(lambda c: schedules.pause(c, schedule_id, reason))

    async def triggered_by(
        self, webhook_id: WebhookId
    ) -> tuple[WebhookRecord, Sequence[PresetRecord]] | None:
        return await self.database.read(lambda c: presets.triggered_by(c, webhook_id))

    async def queued_notices(self, *, now_us: int, limit: int) -> list[NoticeRecord]:
        return await self.database.read(lambda c: notices.queued(c, now_us, limit))

    async def mark_notices(
        self,
        ids: Sequence[str],
        *,
        status: NoticeStatus,
        at_us: int,
        error: str | None = None,
        next_us: int = 0,
    ) -> None:
        await self.database.write(
            lambda c: notices.mark(c, ids, status=status, at_us=at_us, error=error, next_us=next_us)
        )

    async def runs_kept(self, ids: Collection[ExecutionId]) -> set[ExecutionId]:
        return await self.database.read(lambda c: retention.kept(c, ids))

    async def stuck_runs(self, *, before_us: int, limit: int) -> list[ExecutionRecord]:
        return await self.database.read(
            lambda c: executions.stuck(c, self.values.brief(), before_us, limit)
        )

    async def note_job(self, name: str, *, started_us: int, ended_us: int, result: str) -> None:
        values = {"name": name, "started_us": started_us, "ended_us": ended_us, "result": result}

        def save(connection: Connection) -> None:
            connection.execute(
                insert_on(connection, system_jobs)
                .values(values)
                .on_conflict_do_update(index_elements=["name"], set_=values)
            )

        await self.database.write(save)

    async def ping(self) -> None:
        await self.database.read(lambda c: c.exec_driver_sql("SELECT 1").scalar())
