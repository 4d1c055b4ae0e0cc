"""The storage port on one `Database`; each method is one function in one transaction."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import select

from backend.adapters.storage import (
    executions,
    holds,
    journal,
    new_runs,
    node_steps,
    packed,
    parking,
    presets,
    reservations,
    retention,
    reviews,
    schedules,
    stops,
    unfinished,
    users,
    webhooks,
)
from backend.adapters.storage.database import Database
from backend.adapters.storage.sqlite import SqliteDatabase
from backend.adapters.storage.tables_budgets import budget_reservations, budget_waits
from backend.adapters.storage.user_storage import SqlUserStorage
from backend.adapters.storage.value_files import FILES, ValueFiles, ValueStore
from backend.adapters.storage.values import Values
from backend.core.execution import NodeExecution
from backend.core.graph import Graph
from backend.core.ids import ExecutionId, GraphId, UserId, WebhookId
from backend.core.node_steps import CallMade, ModelUse, PlannedCall, StepBegun, StepPlace
from backend.core.plan import NodePlan
from backend.core.records import (
    ExecutionRecord,
    Hold,
    HoldKind,
    NewExecution,
    ParkedRun,
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
    url: str = "",
    owner: str = "",
    synchronous: str = "FULL",
    large: ValueStore | None = None,
    inline_bytes: int = 256 * _KILOBYTE,
    value_bytes: int = 16 * _MEGABYTE,
) -> "SqlStorage":
    """
    Return the storage in the SQLite file at *path*, which must have its tables already.

    Args:
        url: Of a database of PostgreSQL, which is taken instead; *path* then only says beside what
            the files of runs lie.
        owner: The executor whose it is: PostgreSQL knows its sessions by it. Empty: nobody's.
        synchronous: SQLite's setting; FULL survives a power cut, NORMAL may lose the last commits,
            OFF is for what nobody will look at again.
        large: Where large values lie; None: in files beside *path*.
        inline_bytes: A value whose JSON text is longer goes to a file of its run.
        value_bytes: The longest that a new run may be given.
    """
    files = large or ValueFiles(Path(path).parent / FILES, durable=synchronous != "OFF")
    values = Values(files, inline_bytes=inline_bytes, value_bytes=value_bytes)
    return SqlStorage(open_rows(path, url=url, owner=owner, synchronous=synchronous), values)


def open_rows(
    path: Path | str, *, url: str = "", owner: str = "", synchronous: str = "FULL"
) -> Database:
    """Return the database at *url*, of PostgreSQL; without one, that in the file at *path*."""
    if not url:
        return SqliteDatabase(path, synchronous=synchronous)
    from backend.adapters.storage.postgres import PostgresDatabase  # noqa: PLC0415 - see dialects.py

    return PostgresDatabase(url, owner=owner)


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
        takeable: Sequence[str] | None = None,
    ) -> list[ExecutionId]:
        return await self.database.read(
            lambda c: unfinished.unfinished(c, limit, exclude, full, full_users, takeable)
        )

    async def owners(self) -> frozenset[str]:
        return await self.database.read(unfinished.owners)

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
        # Most batches change the rows of their own runs alone.
        write = self.database.write_own if rows.is_own else self.database.write
        refused = await write(lambda c: journal.commit(c, rows))
        self.values.forget(rows.ended)
        return refused

    async def begin_step(
        self,
        place: StepPlace,
        key: str,
        *,
        repeatable: bool,
        now_us: int,
        call: PlannedCall | None = None,
    ) -> StepBegun:
        row, begun = await self.database.write_grouped(
            lambda c: node_steps.begin(
                c, place, key, repeatable=repeatable, now_us=now_us, call=call
            )
        )
        if row is None:
            return begun
        reader, text = self.values.strict(), row.result
        # A large one is read from its file: nobody else may wait for that.
        is_large = packed.is_packed(text)
        result = await asyncio.to_thread(reader.loaded, text) if is_large else reader.loaded(text)
        return replace(begun, result=result)

    async def finish_step(
        self, place: StepPlace, key: str, *, result: Any, now_us: int, call: CallMade | None = None
    ) -> ModelUse:
        staging = self.values.staging()
        text = staging.text(place.root_id, result, packed.whole)
        await self.values.write(staging)
        return await self.database.write_grouped(
            lambda c: node_steps.finish(c, place, key, result=text, now_us=now_us, call=call)
        )

    async def give_up_call(self, place: StepPlace, key: str, *, is_known: bool) -> None:
        await self.database.write_grouped(
            lambda c: node_steps.give_up(c, place, key, is_known=is_known)
        )

    async def settle_dead_calls(self, owners: frozenset[str] | None = None) -> int:
        reserved = select(budget_reservations.c.run_id).limit(1)
        if await self.database.read(lambda c: c.execute(reserved).first()) is None:
            return 0
        return await self.database.write(lambda c: reservations.settle_dead(c, owners))

    async def free_rows(self, owners: frozenset[str]) -> int:
        return await self.database.free_rows(owners)

    async def free_budget_waits(self, *, now_us: int) -> tuple[list[ExecutionId], int]:
        waits = select(budget_waits.c.run_id).limit(1)
        if await self.database.read(lambda c: c.execute(waits).first()) is None:
            return [], 0
        return await self.database.write(lambda c: reservations.free(c, now_us))

    # Everybody's part.

    async def parked(self, *, limit: int) -> list[ParkedRun]:
        return await self.database.read(lambda c: parking.listed(c, limit))

    async def retry(self, run_id: ExecutionId, *, now_us: int) -> UserId:
        return await self.database.write(lambda c: parking.retry(c, run_id, now_us), about=run_id)

    async def submit(self, run: NewExecution) -> ExecutionRecord:
        staging = self.values.staging()
        row = new_runs.new_row(run, staging, limited=True)
        await self.values.write(staging)
        reader = self.values.shown()
        return await self.database.write_grouped(lambda c: new_runs.submit(c, run, row, reader))

    async def submit_alone(self, run: NewExecution) -> ExecutionRecord:
        staging = self.values.staging()
        row = new_runs.new_row(run, staging, limited=True)
        await self.values.write(staging)
        await self.database.write_grouped(lambda c: new_runs.add_missing(c, [row]))
        return new_runs.as_record(run)

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
        return await self.database.write_grouped(
            lambda c: schedules.fire(c, schedule, fire_us, next_us, run, row, reader)
        )

    async def run_end(self, run_id: ExecutionId) -> int | None:
        return await self.database.read(lambda c: schedules.run_end(c, run_id))

    async def pause_schedule(self, schedule: ScheduleRecord, *, reason: str, now_us: int) -> bool:
        return await self.database.write(lambda c: schedules.pause(c, schedule, reason, now_us))

    async def registered_webhooks(
        self, *, after: WebhookId | None, limit: int
    ) -> list[WebhookRecord]:
        return await self.database.read(lambda c: webhooks.registered(c, after, limit))

    async def webhooks_due(self, *, now_us: int, limit: int) -> list[WebhookRecord]:
        return await self.database.read(lambda c: webhooks.due(c, now_us, limit))

    async def put_off_webhook(self, webhook_id: WebhookId, *, due_us: int) -> None:
        await self.database.write(
            lambda c: webhooks.put_off(c, webhook_id, due_us), incidental=True
        )

    async def forget_webhook(self, webhook_id: WebhookId) -> None:
        await self.database.write(lambda c: webhooks.forget(c, webhook_id), incidental=True)

    async def webhook_at(self, webhook_id: WebhookId) -> WebhookRecord | None:
        return await self.database.read(lambda c: webhooks.of_anybody(c, webhook_id))

    async def triggered_by(
        self, webhook_id: WebhookId
    ) -> tuple[WebhookRecord, Sequence[PresetRecord]] | None:
        return await self.database.read(lambda c: presets.triggered_by(c, webhook_id))

    async def runs_kept(self, ids: Collection[ExecutionId]) -> set[ExecutionId]:
        return await self.database.read(lambda c: retention.kept(c, ids))

    async def stuck_runs(self, *, before_us: int, limit: int) -> list[ExecutionRecord]:
        return await self.database.read(
            lambda c: executions.stuck(c, self.values.brief(), before_us, limit)
        )

    async def ping(self) -> None:
        await self.database.read(lambda c: c.exec_driver_sql("SELECT 1").scalar())
