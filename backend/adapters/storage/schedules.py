"""Schedules and their fires."""

from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, exists, insert, or_, select, update

from backend.adapters.storage import new_runs, notices, rows
from backend.adapters.storage.accounts import owner_may_act
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables import executions, schedule_fires, schedules
from backend.adapters.storage.values import Reader
from backend.core import json
from backend.core.ids import ExecutionId, GraphId, ScheduleId, UserId
from backend.core.notices import About, schedule_paused
from backend.core.records import NewExecution, OverlapPolicy, ScheduleRecord
from backend.core.status import FINAL, Status

_S: Final = schedules.c
_E: Final = executions.c
#: A schedule that queues is not due while its last run goes on.
IS_FREE: Final = or_(
    _S.overlap != OverlapPolicy.QUEUE.value,
    ~exists().where(_E.id == _S.last_run_id, _E.status.not_in([status.value for status in FINAL])),
)


def add(connection: Connection, schedule: ScheduleRecord) -> None:
    """Save a schedule."""
    connection.execute(
        insert(schedules).values(
            **_changeable(schedule),
            id=schedule.id,
            user_id=schedule.user_id,
            graph_id=schedule.graph_id,
            agent_name=schedule.agent_name,
            created_us=schedule.created_us,
        )
    )


def change(connection: Connection, user_id: UserId, schedule: ScheduleRecord) -> bool:
    """Save what an owner may change; see UserSchedules.change_schedule."""
    changed = connection.execute(
        update(schedules)
        .where(_S.user_id == user_id, *_unchanged(schedule))
        .values(**_changeable(schedule), revision=_S.revision + 1)
    )
    return changed.rowcount > 0


def _changeable(schedule: ScheduleRecord) -> dict[str, Any]:
    rules = {name: value for name, value in asdict(schedule.rules).items() if value}
    return {
        "graph_version": schedule.graph_version,
        "name": schedule.name,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "inputs": json.text(schedule.inputs),
        "credentials": json.text(schedule.credentials),
        "missed": schedule.missed.value,
        "overlap": schedule.overlap.value,
        "rules": json.text(rules),
        "next_us": schedule.next_us,
        "paused_because": schedule.paused_because,
    }


def _unchanged(schedule: ScheduleRecord) -> tuple[ColumnElement[bool], ...]:
    return (_S.id == schedule.id, _S.revision == schedule.revision)


def one(connection: Connection, user_id: UserId, schedule_id: ScheduleId) -> ScheduleRecord | None:
    """Return a user's schedule."""
    row = connection.execute(
        select(schedules).where(_S.id == schedule_id, _S.user_id == user_id)
    ).first()
    return None if row is None else rows.schedule_record(row)


def mine(connection: Connection, user_id: UserId, graph_id: GraphId | None) -> list[ScheduleRecord]:
    """Return a user's schedules, oldest first."""
    query = select(schedules).where(_S.user_id == user_id)
    if graph_id is not None:
        query = query.where(_S.graph_id == graph_id)
    return [
        rows.schedule_record(row)
        for row in connection.execute(query.order_by(_S.created_us, _S.id))
    ]


def remove(connection: Connection, user_id: UserId, schedule_id: ScheduleId) -> bool:
    """Delete a schedule; say whether there was one."""
    gone = connection.execute(
        delete(schedules).where(_S.id == schedule_id, _S.user_id == user_id)
    ).rowcount
    if gone:
        connection.execute(
            delete(schedule_fires).where(schedule_fires.c.schedule_id == schedule_id)
        )
    return gone > 0


def due(connection: Connection, now_us: int, limit: int) -> list[ScheduleRecord]:
    """Return schedules that must fire, earliest first."""
    found = connection.execute(
        select(schedules)
        .where(_S.next_us <= now_us, owner_may_act(_S.user_id), IS_FREE)
        .order_by(_S.next_us)
        .limit(limit)
    )
    return [rows.schedule_record(row) for row in found]


def next_fire(connection: Connection) -> int | None:
    """Return the earliest next fire."""
    found = connection.execute(
        select(_S.next_us)
        .where(_S.next_us.is_not(None), owner_may_act(_S.user_id), IS_FREE)
        .order_by(_S.next_us)
        .limit(1)
    ).scalar()
    return None if found is None else int(found)


def fire(
    connection: Connection,
    schedule: ScheduleRecord,
    fire_us: int,
    next_us: int | None,
    run: NewExecution | None,
    row: new_runs.NewRow | None,
    reader: Reader,
) -> bool:
    """Take the fire at *fire_us* with the *row* of its run; see SystemStorage.fire."""
    here = connection.execute(
        select(_S.id).where(*_unchanged(schedule), _S.paused_because.is_(None))
    ).first()
    if here is None:
        return False
    taken = connection.execute(
        insert_on(connection, schedule_fires)
        .values(schedule_id=schedule.id, fire_us=fire_us, run_id=run.id if run else None)
        .on_conflict_do_nothing()
    )
    if not taken.rowcount:
        return False
    moved: dict[str, Any] = {"next_us": next_us, "last_us": fire_us}
    if run is not None:
        moved["last_run_id"] = run.id
    connection.execute(update(schedules).where(_S.id == schedule.id).values(moved))
    # Only the newest fires guard against a second one; older ones are history of the runs.
    connection.execute(
        delete(schedule_fires).where(
            schedule_fires.c.schedule_id == schedule.id,
            schedule_fires.c.fire_us < fire_us - _KEEP_FIRES_US,
        )
    )
    if run is not None and row is not None:
        new_runs.submit(connection, run, row, reader)
    return True


#: A fire older than this cannot come again: schedules never go back.
_KEEP_FIRES_US: Final = 30 * 24 * 3600 * 1_000_000


#: What an owner does about a pause.
_REMEDY: Final = (
    "mend the agent, or `agpt schedule change {id}`; then `agpt schedule resume {id}`, which looks"
    " again"
)


def pause(connection: Connection, schedule: ScheduleRecord, reason: str, now_us: int) -> bool:
    """Stop firing, and tell the owner why; see SystemSchedules.pause_schedule."""
    paused = connection.execute(
        update(schedules)
        .where(*_unchanged(schedule), _S.paused_because.is_(None))
        .values(next_us=None, paused_because=reason)
    ).rowcount
    if paused:
        about = About(
            user_id=schedule.user_id,
            agent_name=schedule.agent_name,
            graph_id=schedule.graph_id,
            now_us=now_us,
        )
        told = schedule_paused(
            about,
            # Resuming is a change: the next pause is of another revision.
            key=f"{schedule.id}:{schedule.revision}",
            schedule_id=schedule.id,
            schedule_name=schedule.name,
            reason=reason,
            remedy=_REMEDY.format(id=schedule.id),
        )
        notices.add(connection, [told])
    return paused > 0


def run_end(connection: Connection, run_id: ExecutionId) -> int | None:
    """Return when a run ended; see SystemSchedules.run_end."""
    row = connection.execute(select(_E.status, _E.ended_us).where(_E.id == run_id)).first()
    if row is None:
        return 0
    return row.ended_us if Status(row.status) in FINAL else None
