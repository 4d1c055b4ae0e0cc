"""Databases that are filled whole: tables, all rows, and only then the number that lets servers in."""

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from psycopg import sql
from sqlalchemy import Connection, create_engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable

from backend.adapters.database_place import Place
from backend.adapters.files.draft import sync_folder
from backend.adapters.moving.rows import Row, Shape, Sum, line_of, without_nul
from backend.adapters.moving.sources import (
    PostgresSource,
    Source,
    SqliteSource,
    our_tables,
    raw_of,
)
from backend.adapters.storage.migrate import HEAD, UNFINISHED, to_step
from backend.adapters.storage.migrate_postgres import LOCK as MIGRATION_LOCK
from backend.adapters.storage.postgres import APPLICATION
from backend.adapters.storage.schema import metadata
from backend.core.errors import Conflict, Unavailable

_VERSION: Final = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"


class Target(Protocol):
    """A database that is being filled."""

    @property
    def source(self) -> Source:
        """What is in it by now, to be read again."""

    def make(self, step: str) -> None:
        """Make the tables of *step*, without rows."""

    def fill(self, shape: Shape, rows: Iterable[Row]) -> tuple[Sum, int]:
        """
        Add rows to a table.

        Returns:
            The sum of what was put in, and how many rows had to lose a NUL for it.

        Raises:
            Unavailable: For rows that the table cannot have.
        """

    def index(self) -> None:
        """Make what is better made when all rows are there."""

    def open_at(self, step: str) -> None:
        """Say that it is at *step*: servers may start on it."""


class SqliteTarget:
    """See Target. A file that nobody else knows yet; it is put on disk by who closes it."""

    def __init__(self, path: Path, *, exists: bool = False) -> None:
        """
        Make the file *path*, for its owner alone; or go on with one that was made before.

        Raises:
            FileExistsError: If it is there, and should not be.
        """
        path.touch(mode=0o600, exist_ok=exists)
        # Counting may be done in a thread; nothing else is done meanwhile.
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.path = path
        self._indexes: list[str] = []
        for pragma in ("auto_vacuum=INCREMENTAL", "journal_mode=OFF", "synchronous=OFF"):
            self.connection.execute(f"PRAGMA {pragma}")

    @property
    def source(self) -> Source:
        return SqliteSource(self.connection)

    def make(self, step: str) -> None:
        if step != HEAD:
            engine = create_engine(f"sqlite:///{self.path}", poolclass=NullPool)
            with engine.connect() as connection:
                to_step(connection, step)
                connection.commit()
            engine.dispose()
            for shape in self.source.shapes():  # steps may have put rows in
                self.connection.execute(f'DELETE FROM "{shape.name}"')  # noqa: S608 -- a table of ours
            self.connection.execute("UPDATE alembic_version SET version_num = ?", (UNFINISHED,))
            return
        tables, self._indexes = _statements(sqlite.dialect())
        for statement in [*tables, _VERSION]:
            self.connection.execute(statement)
        self.connection.execute("INSERT INTO alembic_version VALUES (?)", (UNFINISHED,))

    def fill(self, shape: Shape, rows: Iterable[Row]) -> tuple[Sum, int]:
        total, line = Sum(), line_of(shape)

        def counted() -> Iterable[Row]:
            for row in rows:
                total.add(line(row))
                yield row

        try:
            if self.connection.in_transaction:
                self.connection.executemany(_insert(shape), counted())
                return total, 0
            with self.connection:
                self.connection.execute("BEGIN")
                self.connection.executemany(_insert(shape), counted())
        except (sqlite3.Error, OverflowError) as exc:
            raise Unavailable(f"the table {shape.name} cannot be filled: {exc}") from exc
        return total, 0

    def index(self) -> None:
        try:
            for statement in self._indexes:
                self.connection.execute(statement)
        except sqlite3.Error as exc:
            raise Unavailable(f"the database {self.path} cannot be made: {exc}") from exc

    def open_at(self, step: str) -> None:
        self.connection.execute("UPDATE alembic_version SET version_num = ?", (step,))

    def close(self) -> None:
        """Put all of it on disk, as a file that a server can open. Raises Unavailable."""
        try:
            self.connection.execute("PRAGMA journal_mode=DELETE")
            self.connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.Error as exc:
            raise Unavailable(f"the database {self.path} cannot be made: {exc}") from exc
        finally:
            self.connection.close()
        flush(self.path)


class PostgresTarget:
    """See Target. All of it in the transaction of *connection*, which others do not see."""

    def __init__(self, connection: Connection) -> None:
        self.connection = raw_of(connection)
        self._outer = connection
        self._indexes: list[str] = []

    @property
    def source(self) -> Source:
        return PostgresSource(self.connection)

    def make(self, step: str) -> None:
        if step != HEAD:
            to_step(self._outer, step)
            for shape in self.source.shapes():  # steps may have put rows in
                self.connection.execute(
                    sql.SQL("DELETE FROM {}").format(sql.Identifier(shape.name))
                )
            self.open_at(UNFINISHED)
            return
        tables, self._indexes = _statements(postgresql.dialect())  # type: ignore[no-untyped-call]  # has no types
        for statement in [*tables, _VERSION]:
            self.connection.execute(statement.encode())
        self.connection.execute("INSERT INTO alembic_version VALUES (%s)", (UNFINISHED,))

    def fill(self, shape: Shape, rows: Iterable[Row]) -> tuple[Sum, int]:
        total, line, changed = Sum(), line_of(shape), 0
        query = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(shape.name), sql.SQL(", ").join(map(sql.Identifier, shape.names))
        )
        with self.connection.cursor() as cursor, cursor.copy(query) as copy:
            for row in rows:
                text = line(row)
                kept = without_nul(text, row)
                if kept is not row and kept != row:
                    changed += 1
                    text = line(kept)
                total.add(text)
                copy.write_row(kept)
        return total, changed

    def index(self) -> None:
        for statement in self._indexes:
            self.connection.execute(statement.encode())
        for name in our_tables():
            # Not all there at an older step; of what is not ours nothing is touched.
            if self.connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() != (None,):
                self.connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(name)))

    def open_at(self, step: str) -> None:
        self.connection.execute("UPDATE alembic_version SET version_num = %s", (step,))

    def take_locks(self, place: Place) -> None:
        """Keep servers out until the end. Raises Conflict if one works on it."""
        self.connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        found = self.connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
            " AND starts_with(application_name, %s) AND pid <> pg_backend_pid() LIMIT 1",
            (APPLICATION,),
        )
        if found.fetchone() is not None:
            raise Conflict(f"A server or a command works on {place}: stop it first.")

    def drop(self) -> None:
        """Remove all tables of ours; they come back if the transaction is not committed."""
        for name in [*our_tables(), "alembic_version"]:
            statement = sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name))
            self.connection.execute(statement)


def flush(path: Path) -> None:
    """Put a file, and its name, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def _insert(shape: Shape) -> str:
    names = ", ".join(f'"{name}"' for name in shape.names)
    marks = ", ".join("?" * len(shape.columns))
    return f'INSERT INTO "{shape.name}" ({names}) VALUES ({marks})'  # noqa: S608 -- names of our own tables


def _statements(dialect: Dialect) -> tuple[list[str], list[str]]:
    """Return what makes the tables, and what makes their indexes: better when the rows are there."""
    tables, indexes = [], []
    for table in metadata.sorted_tables:
        tables.append(str(CreateTable(table).compile(dialect=dialect)))
        ordered = sorted(table.indexes, key=lambda one: str(one.name))
        indexes += [str(CreateIndex(index).compile(dialect=dialect)) for index in ordered]
    return tables, indexes
