"""What idle services ask of their database again and again, asked once before they are forked.

SQLAlchemy then knows the statements. To learn them costs each service some megabytes.
"""

import sqlite3
from pathlib import Path

from backend.adapters.storage import (
    alerts,
    deliveries,
    engine,
    executions,
    holds,
    jobs,
    notice_sends,
    notices,
    schedules,
    stops,
    unfinished,
    users,
    watches,
)
from backend.adapters.storage.migrate import create
from backend.adapters.storage.value_files import ValueFiles
from backend.adapters.storage.values import Values
from backend.core.ids import DEFAULT_USER_ID


def warm() -> None:
    """Ask it of an empty database in memory. Leaves no connection and no thread behind."""
    values = Values(ValueFiles(Path(), durable=False))
    with engine.connect(_empty) as connection:
        connection.exec_driver_sql("SELECT 1").scalar()
        users.get(connection, DEFAULT_USER_ID)
        unfinished.unfinished(connection, 1, ())
        stops.stops_asked(connection)
        holds.listed(connection)
        schedules.due(connection, 0, 1)
        schedules.next_fire(connection)
        notices.due(connection, 0, 1)
        notice_sends.unrouted(connection, 1)
        deliveries.waiting(connection, 0, 1)
        jobs.states(connection)
        jobs.claim(connection, "", 0, 0)
        jobs.blocks(connection, 0, 1)
        jobs.agents(connection, 0, 0, 1)
        alerts.look(connection, 0, 0, 1)
        watches.next_us(connection)
        executions.stuck(connection, values.brief(), 0, 1)


def _empty() -> sqlite3.Connection:
    raw = sqlite3.connect(":memory:", isolation_level=None)
    create(raw)
    return raw
