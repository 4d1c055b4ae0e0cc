"""Brings a database to the tables this program needs; refuses one that is newer.

Alembic is imported only to upgrade: a new database is made at once, and most starts find the number
right.
"""

import os
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, inspect
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from backend.adapters.storage.schema import metadata
from backend.core.errors import CannotStart

#: The newest step in migrations/versions.
HEAD: Final = "0007"


def current_version(connection: Connection) -> str | None:
    """Return the number of the last step this database has seen; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


def migrate(path: Path | str) -> str:
    """
    Bring the SQLite file at *path* up to date, making it if it is not there.

    Returns:
        What was done: "current", "created" or "upgraded from …".

    Raises:
        CannotStart: If the database was made by a newer program, or is no database.
    """
    _make_private(Path(path))
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    try:
        with engine.connect() as connection:
            # Of a new file: what is deleted can be given back to the disk bit by bit.
            connection.exec_driver_sql("PRAGMA auto_vacuum=INCREMENTAL")
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            connection.exec_driver_sql("PRAGMA synchronous=FULL")
            before = current_version(connection)
            if before == HEAD:
                return "current"
            if before is not None and before > HEAD:
                raise CannotStart(
                    f"the database {path} is at step {before}, made by a newer agpt-server; this "
                    f"one knows steps up to {HEAD}: install the newer version, or restore a backup"
                )
            connection.commit()
            if before is None:
                _create(connection)
            else:
                _upgrade(connection)
            connection.commit()
    except DatabaseError as exc:
        raise CannotStart(f"the database {path} cannot be used: {exc.orig}") from exc
    finally:
        engine.dispose()
    return "created" if before is None else f"upgraded from {before}"


def _make_private(path: Path) -> None:
    """Make the file, if it is not there, so that only its owner reads it; its WAL follows it."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as exc:
        raise CannotStart(f"the database {path} cannot be opened: {exc.strerror}") from exc


def _create(connection: Connection) -> None:
    """Make all tables at once. A test holds that the steps lead to the same ones."""
    metadata.create_all(connection)
    connection.exec_driver_sql(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
    )
    connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (HEAD,))


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - the same

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
