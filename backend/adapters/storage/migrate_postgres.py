"""Brings a database of PostgreSQL to the tables this program needs; refuses one that is newer."""

from typing import Final

from sqlalchemy import Connection, Text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles

from backend.adapters.database_place import shown
from backend.adapters.storage.migrate import (
    HEAD,
    MOVED,
    UNFINISHED,
    current_version,
    needs_of,
    refuse_unknown,
    to_step,
)
from backend.adapters.storage.postgres import engine_for
from backend.adapters.storage.postgres_refusals import why
from backend.adapters.storage.schema import metadata
from backend.adapters.storage.steps import newest_pre
from backend.core.errors import CannotStart

#: Which of several that start at once makes the tables. Any number that nobody else uses here.
LOCK: Final = 0x61677074


@compiles(Text, "postgresql")
def _ordered_by_bytes(_type: Text, _compiler: object, **_: object) -> str:
    """Texts have the order that SQLite and Python give them, whatever language the server speaks."""
    return 'TEXT COLLATE "C"'


def migrate_postgres(url: str, *, goal: str = HEAD, only_adds: bool = False) -> str:
    """
    Bring the database at *url* up to date, in one transaction: all of it, or nothing.

    Any number of programs may do so at once.

    Args:
        goal: A step before the newest; an empty database gets all the same the newest tables.
        only_adds: Stop before the first step that does not only add.

    Returns:
        What was done: "current", "created" or "upgraded from …".

    Raises:
        CannotStart: If the database was made by a newer program, or cannot be used.
    """
    engine = engine_for(url).execution_options(isolation_level="READ COMMITTED")
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            return _migrate(connection, shown(url), goal, only_adds=only_adds)
    except DBAPIError as exc:
        raise CannotStart(
            f"the database {shown(url)} cannot be used, and is as it was: {why(exc)}"
        ) from exc
    finally:
        engine.dispose()


def _migrate(connection: Connection, where: str, goal: str, *, only_adds: bool) -> str:
    before = current_version(connection)
    if before == HEAD:
        return "current"
    if before is None:
        metadata.create_all(connection, checkfirst=False)
        connection.exec_driver_sql(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
        )
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES (%s)", (HEAD,))
        return "created"
    needs = needs_of(connection) if before > HEAD and before not in (UNFINISHED, MOVED) else None
    refuse_unknown(before, where, needs=needs)
    if only_adds:
        goal = newest_pre(before)
    if before >= goal:
        return "current"
    to_step(connection, goal)
    return f"upgraded from {before}"
