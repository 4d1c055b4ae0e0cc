"""Brings a database to the tables this program needs; refuses one that is newer.

Alembic is imported only to upgrade: a new database is made at once, and most starts find the number
right.
"""

import os
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, inspect
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable

from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.restore_point import keep_copy
from backend.adapters.storage.schema import metadata
from backend.adapters.storage.steps import newest_post
from backend.adapters.storage.tables import installation
from backend.core.errors import CannotStart

#: The newest step in migrations/versions.
HEAD: Final = "0032"

#: In the table `installation`: the newest step that took something away, see steps.py. A program that
#: knows it can work on the database, though it does not know the steps after it, which only add.
NEEDS: Final = "schema_needs"
_ASK_NEEDS: Final = f"SELECT value FROM installation WHERE key = '{NEEDS}'"  # noqa: S608 -- no input
#: Stands in the place of the step while rows are on their way into a database.
UNFINISHED: Final = "unfinished"
#: … and when they have gone to another one, in which changes are made from now on.
MOVED: Final = "moved"


def refuse_unknown(before: str, where: object, *, needs: str | None) -> None:
    """
    Raise CannotStart if a database is at a step with which this program cannot work.

    Args:
        needs: The step that a program must know to work on it, as `to_step` has left it.
    """
    if before == UNFINISHED:
        raise CannotStart(
            f"the database {where} was being filled, and that was broken off: begin it again, with"
            " `agpt migrate --again` or `agpt restore --replace`"
        )
    if before == MOVED:
        raise CannotStart(
            f"the rows of the database {where} have moved to another one, with `agpt migrate`, and go"
            " on there: DATABASE_URL must not name this one any more"
        )
    if before > HEAD and (needs is None or needs > HEAD):
        raise CannotStart(
            f"the database {where} is at step {before}, made by a newer agpt-server; this "
            f"one knows steps up to {HEAD}: install the newer version, or restore a backup"
        )


def current_version(connection: Connection) -> str | None:
    """Return the number of the last step this database has seen; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


def migrate(path: Path | str, *, keeps_copy: bool = False, goal: str = HEAD) -> str:
    """
    Bring the SQLite file at *path* up to date, making it if it is not there: all of it, or nothing.

    Args:
        keeps_copy: Before an upgrade, copy the file; see restore_point.py.
        goal: A step before the newest; a new file gets all the same the newest tables.

    Returns:
        What was done: "current", "created" or "upgraded from …".

    Raises:
        CannotStart: If the database was made by a newer program, or is no database.
    """
    _make_private(Path(path))
    try:
        # Without SQLAlchemy: most starts find the number right, and need no more of it.
        with closing(sqlite3.connect(path, isolation_level=None)) as raw:
            # Of a new file: what is deleted can be given back to the disk bit by bit.
            for pragma in ("auto_vacuum=INCREMENTAL", "journal_mode=WAL", "synchronous=FULL"):
                raw.execute(f"PRAGMA {pragma}")
            before = _version(raw)
            if before is None:
                create(raw)
                return "created"
            needs = raw.execute(_ASK_NEEDS).fetchone() if before > HEAD else None
        refuse_unknown(before, path, needs=None if needs is None else str(needs[0]))
        if before < goal:
            if keeps_copy:
                keep_copy(Path(path), before)
            _upgrade(path, goal)
    except sqlite3.DatabaseError as exc:
        raise CannotStart(f"the database {path} cannot be used: {exc}") from exc
    except DatabaseError as exc:
        raise CannotStart(
            f"the database {path} cannot be brought to step {goal}, and is as it was: {exc.orig}"
        ) from exc
    return "current" if before >= goal else f"upgraded from {before}"


def _version(raw: sqlite3.Connection) -> str | None:
    named = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    if raw.execute(named).fetchone() is None:
        return None
    found = raw.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if found is None else str(found[0])


def create(raw: sqlite3.Connection) -> None:
    """Make all tables at once, all or none. A test holds that the steps lead to the same ones."""
    raw.execute("BEGIN IMMEDIATE")
    for statement in statements():
        raw.execute(statement)
    raw.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    raw.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))
    raw.execute("COMMIT")


@cache
def statements() -> tuple[str, ...]:
    """Return what makes all tables and indexes in SQLite."""
    dialect = sqlite.dialect()
    made: list[str] = []
    for table in metadata.sorted_tables:
        made.append(str(CreateTable(table).compile(dialect=dialect)))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        made.extend(str(CreateIndex(index).compile(dialect=dialect)) for index in indexes)
    return tuple(made)


def _make_private(path: Path) -> None:
    """Make the file, if it is not there, so that only its owner reads it; its WAL follows it."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as exc:
        raise CannotStart(f"the database {path} cannot be opened: {exc.strerror}") from exc


def _upgrade(path: Path | str, goal: str) -> None:
    # Else the driver would commit before each change of a table.
    engine = create_engine(
        f"sqlite:///{path}", poolclass=NullPool, connect_args={"isolation_level": None}
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA synchronous=FULL")
            connection.commit()
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            to_step(connection, goal)
            connection.exec_driver_sql("COMMIT")
    finally:
        engine.dispose()


def to_step(connection: Connection, step: str) -> None:
    """Take all steps up to *step* that were not taken yet, over *connection*; commits nothing."""
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - the same

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    before = current_version(connection)
    command.upgrade(config, step)
    if before != step and inspect(connection).has_table(installation.name):
        row = {"key": NEEDS, "value": newest_post(step)}
        adding = insert_on(connection, installation).values(row)
        connection.execute(
            adding.on_conflict_do_update(index_elements=["key"], set_={"value": row["value"]})
        )


def needs_of(connection: Connection) -> str | None:
    """Return the step that a program must know to work on a database; None: that it does not say."""
    found = connection.exec_driver_sql(_ASK_NEEDS).scalar()
    return None if found is None else str(found)
