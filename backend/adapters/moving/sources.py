"""Databases that are read whole, as they are at one moment, while others write to them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, cast
from urllib.parse import quote

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from backend.adapters.database_place import Place
from backend.adapters.moving.rows import Kind, Row, Shape
from backend.adapters.storage.restore_point import copy_sqlite
from backend.core.errors import Unavailable

#: What columns are declared as, in both kinds of database.
KINDS: Final = {
    "text": Kind.TEXT,
    "integer": Kind.INTEGER,
    "bigint": Kind.INTEGER,
    "boolean": Kind.BOOLEAN,
    "blob": Kind.BYTES,
    "bytea": Kind.BYTES,
    "float": Kind.FLOAT,
    "double precision": Kind.FLOAT,
}
#: As which type PostgreSQL's driver is to read each kind.
_TYPES: Final = {
    Kind.TEXT: "text",
    Kind.INTEGER: "int8",
    Kind.BOOLEAN: "bool",
    Kind.BYTES: "bytea",
    Kind.FLOAT: "float8",
}


class Source(Protocol):
    """A database at one moment."""

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""

    def step(self) -> str | None:
        """Return the step at which it is; None for one without tables."""

    def shapes(self) -> list[Shape]:
        """Return the tables of ours that it has, by name."""

    def rows(self, shape: Shape) -> Iterator[Row]:
        """Yield the rows of a table, in no order. Raises Unavailable if they cannot be read."""


class SqliteSource:
    """See Source. Of a connection that nobody else uses."""

    kind = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def step(self) -> str | None:
        named = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
        if self._connection.execute(named).fetchone() is None:
            return None
        found = self._connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if found is None else str(found[0])

    def shapes(self) -> list[Shape]:
        found = self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        there = {str(name) for (name,) in found}
        return [self._shape(name) for name in our_tables() if name in there]

    def _shape(self, name: str) -> Shape:
        columns = self._connection.execute(f'PRAGMA table_info("{name}")').fetchall()
        return _shape(name, [(str(column[1]), str(column[2])) for column in columns])

    def rows(self, shape: Shape) -> Iterator[Row]:
        names = ", ".join(f'"{name}"' for name in shape.names)
        try:
            yield from self._connection.execute(f'SELECT {names} FROM "{shape.name}"')  # noqa: S608 -- names of our own tables
        except sqlite3.DatabaseError as exc:
            raise Unavailable(f"the table {shape.name} cannot be read: {exc}") from exc


class PostgresSource:
    """See Source. Of a connection in whose transaction nothing of others appears."""

    kind = "postgresql"

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection

    def step(self) -> str | None:
        named = "SELECT to_regclass('alembic_version')"
        if self._connection.execute(named).fetchone() == (None,):
            return None
        found = self._connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if found is None else str(found[0])

    def shapes(self) -> list[Shape]:
        columns: dict[str, list[tuple[str, str]]] = {}
        for table, column, declared in self._connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = current_schema()"
        ):
            columns.setdefault(table, []).append((column, declared))
        return [_shape(name, columns[name]) for name in our_tables() if name in columns]

    def rows(self, shape: Shape) -> Iterator[Row]:
        names = sql.SQL(", ").join(map(sql.Identifier, shape.names))
        query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT")
        with (
            self._connection.cursor() as cursor,
            cursor.copy(query.format(names, sql.Identifier(shape.name))) as copy,
        ):
            copy.set_types([_TYPES[kind] for _, kind in shape.columns])
            yield from copy.rows()


@contextmanager
def frozen(place: Place, folder: Path) -> Iterator[Source]:
    """
    Give the database at *place* as it is now, while others go on writing to it.

    Args:
        folder: Where a copy of a SQLite file may lie meanwhile; it takes as much room.

    Raises:
        Unavailable: If it cannot be read, now or later.
    """
    if place.url:
        with postgres_errors(place), postgres_connection(place.url, writes=False) as connection:
            yield PostgresSource(raw_of(connection))
        return
    copy = folder / "rows.db"
    try:
        copy_sqlite(place.path, copy)
        with sqlite_reader(copy) as reader:
            yield SqliteSource(reader)
    finally:
        copy.unlink(missing_ok=True)


@contextmanager
def sqlite_reader(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file that nobody writes to."""
    address = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            yield connection
    except sqlite3.DatabaseError as exc:
        raise Unavailable(f"the database {path} cannot be read: {exc}") from exc


@contextmanager
def postgres_connection(
    url: str, *, writes: bool, isolation: str = "READ COMMITTED"
) -> Iterator[Connection]:
    """
    Connect to *url* for long work in one transaction, which is lost unless it is committed.

    Args:
        isolation: Of one that writes; others see one state of the database.

    Raises:
        CannotStart: If it is no address of PostgreSQL.
    """
    from backend.adapters.storage.postgres import (  # noqa: PLC0415 - SQLite does without
        engine_for,
        reading_engine,
    )

    engine: Engine = reading_engine(url)
    if writes:
        engine = engine_for(url).execution_options(isolation_level=isolation)
    with engine.connect() as connection:
        connection.begin()
        # The limits of a server's sessions are for work of milliseconds.
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            raw_of(connection).execute(sql.SQL("SET {} = 0").format(sql.Identifier(limit)))
        yield connection
    engine.dispose()


def raw_of(connection: Connection) -> "psycopg.Connection[Any]":
    """Return the driver's connection, which streams rows."""
    raw: Any = connection.connection.dbapi_connection
    return cast("psycopg.Connection[Any]", raw)


@contextmanager
def postgres_errors(place: Place) -> Iterator[None]:
    """Tell of what PostgreSQL refuses in a sentence: raises Unavailable."""
    try:
        yield
    except psycopg.Error as exc:
        raise Unavailable(f"the database {place} cannot be used: {_first_line(exc)}") from exc
    except DBAPIError as exc:
        raise Unavailable(f"the database {place} cannot be used: {_first_line(exc.orig)}") from exc


def our_tables() -> list[str]:
    """Return the names of all tables of this program, sorted."""
    from backend.adapters.storage.schema import metadata  # noqa: PLC0415 - help does without

    return sorted(metadata.tables)


def _shape(name: str, columns: list[tuple[str, str]]) -> Shape:
    return Shape(
        name, tuple((column, KINDS[declared.lower()]) for column, declared in sorted(columns))
    )


def _first_line(error: object) -> str:
    """Return what an error says, without the row that it shows: that may be private."""
    return str(error).partition("\n")[0]


@contextmanager
def postgres_by_statement(place: Place) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection on which each statement is kept at once."""
    with postgres_errors(place), postgres_connection(place.url, writes=True) as connection:
        raw = raw_of(connection)
        raw.commit()
        raw.autocommit = True
        try:
            yield raw
        finally:
            raw.autocommit = False
