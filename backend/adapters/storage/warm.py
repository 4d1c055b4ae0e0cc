"""What idle services ask of their database again and again, asked once before they are forked.

SQLAlchemy then knows the statements. To learn them costs each service some megabytes.
"""

import sqlite3
from pathlib import Path

from backend.adapters.storage import (
    engine,
    executions,
    holds,
    notices,
    schedules,
    stops,
    unfinished,
    users,
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
        notices.queued(connection, 0, 1)
        executions.stuck(connection, values.brief(), 0, 1)


def _empty() -> sqlite3.Connection:
    raw = sqlite3.connect(":memory:", isolation_level=None)
    create(raw)
    return raw
