"""Schedules and their fires."""

from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from backend.adapters.storage import new_runs, rows
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables import schedule_fires, schedules
from backend.adapters.storage.values import Reader
from backend.core import json
from backend.core.ids import GraphId, ScheduleId, UserId
from backend.core.records import NewExecution, ScheduleRecord

_S: Final = schedules.c


def add(connection: Connection, schedule: ScheduleRecord) -> None:
    """Save a schedule."""
    connection.execute(
        insert(schedules).values(
            id=schedule.id,
            user_id=schedule.user_id,
            graph_id=schedule.graph_id,
            graph_version=schedule.graph_version,
            name=schedule.name,
            agent_name=schedule.agent_name,
            cron=schedule.cron,
            timezone=schedule.timezone,
            inputs=json.text(schedule.inputs),
            credentials=json.text(schedule.credentials),
            missed=schedule.missed.value,
            created_us=schedule.created_us,
            next_us=schedule.next_us,
        )
    )


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
        select(schedules).where(_S.next_us <= now_us).order_by(_S.next_us).limit(limit)
    )
    return [rows.schedule_record(row) for row in found]


def next_fire(connection: Connection) -> int | None:
    """Return the earliest next fire."""
    found = connection.execute(select(func.min(_S.next_us))).scalar()
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
    here = connection.execute(select(_S.id).where(_S.id == schedule.id)).first()
    if here is None:
        return False
    taken = connection.execute(
        insert_on(connection, schedule_fires)
        .values(schedule_id=schedule.id, fire_us=fire_us, run_id=run.id if run else None)
        .on_conflict_do_nothing()
    )
    if not taken.rowcount:
        return False
    connection.execute(
        update(schedules).where(_S.id == schedule.id).values(next_us=next_us, last_us=fire_us)
    )
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


def pause(connection: Connection, schedule_id: ScheduleId, reason: str) -> None:
    """Stop firing, and say why."""
    connection.execute(
        update(schedules).where(_S.id == schedule_id).values(next_us=None, paused_because=reason)
    )
