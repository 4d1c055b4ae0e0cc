"""Notes of which rows change while they are copied: by triggers, for whichever process writes.

A note is a table's name and the key of a row, in the transaction that changes the row: none is
missing, and none is of a change that was not kept.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import psycopg
from psycopg import sql

from backend.adapters.database_place import Place
from backend.adapters.moving.rows import Kind, Row, Shape
from backend.adapters.moving.sources import (
    PostgresSource,
    postgres_by_statement,
)
from backend.core.errors import Unavailable

NOTES: Final = "agpt_move_notes"
_TRIGGER: Final = "agpt_move"
_KEYS: Final = "agpt_move_keys"
_BUSY_S: Final = 10.0

#: JSON arrays of the values of keys, by table.
Keys: TypeAlias = dict[str, list[str]]


def begin_notes(place: Place) -> None:
    """
    Note from now on which rows change at *place*; what was noted before is forgotten.

    Raises:
        Unavailable: If the tables are locked for too long.
    """
    end_notes(place)
    if place.url:
        with postgres_by_statement(place) as raw:
            raw.execute(f"CREATE TABLE {NOTES} (tbl text NOT NULL, key jsonb NOT NULL)".encode())
            # Each in a transaction of its own: one that held all locks would wait for writers who
            # wait for it.
            for name in _tables():
                for statement in _postgres_trigger(name):
                    raw.execute(statement.encode())
        return
    with _sqlite(place.path) as connection:
        connection.execute(f"CREATE TABLE {NOTES} (tbl TEXT NOT NULL, key TEXT NOT NULL)")
        for name in _tables():
            for statement in _sqlite_triggers(name):
                connection.execute(statement)


def end_notes(place: Place) -> None:
    """Note nothing any more. Harmless where nothing is noted."""
    if place.url:
        with postgres_by_statement(place) as raw:
            for name in _tables():
                raw.execute(f"DROP FUNCTION IF EXISTS {_TRIGGER}_{name} CASCADE".encode())
            raw.execute(f"DROP TABLE IF EXISTS {NOTES}".encode())
        return
    with _sqlite(place.path) as connection:
        for name in _tables():
            for end in "iud":
                connection.execute(f'DROP TRIGGER IF EXISTS "{_TRIGGER}_{name}_{end}"')
        connection.execute(f"DROP TABLE IF EXISTS {NOTES}")


class Side(Protocol):
    """
    A database of which single rows are read, and changed, by keys that are put beside them.

    `begin` opens what sees one state of it; what is done until `keep` is kept or lost together.
    """

    def begin(self) -> None:
        """See from now on what is there at this moment."""

    def keep(self) -> None:
        """Keep what was done since `begin`; notes that were taken are forgotten."""

    def notes(self) -> Keys:
        """Take which rows were noted, those of before aside that were kept."""

    def choose(self, keys: Keys) -> None:
        """Put keys beside the tables, for this connection alone, in the place of those before."""

    def chosen(self, shape: Shape) -> Iterator[Row]:
        """Yield the rows with these keys that are there."""

    def delete_chosen(self, name: str) -> None:
        """Delete them."""

    def count(self, name: str) -> int:
        """Return how many rows a table has."""


class SqliteSide:
    """See Side. Of a connection whose transactions begin when they are told to."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        # Numbers of notes grow with the commits: one writes at a time, and none is deleted.
        self._taken = self._kept = 0
        connection.execute(f"CREATE TEMP TABLE {_KEYS} (tbl TEXT, key TEXT)")
        connection.execute(f"CREATE INDEX temp.{_KEYS}_tbl ON {_KEYS} (tbl, key)")

    def begin(self) -> None:
        self._connection.execute("BEGIN")
        self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()

    def keep(self) -> None:
        self._connection.execute("COMMIT")
        self._kept = self._taken

    def notes(self) -> Keys:
        found = self._connection.execute(f"SELECT max(rowid) FROM {NOTES}").fetchone()  # noqa: S608 -- a name of ours
        self._taken = max(self._kept, found[0] or 0)
        query = f"SELECT DISTINCT tbl, key FROM {NOTES} WHERE rowid > ? AND rowid <= ?"  # noqa: S608 -- the same
        return _grouped(self._connection.execute(query, (self._kept, self._taken)))

    def choose(self, keys: Keys) -> None:
        self._connection.execute(f"DELETE FROM temp.{_KEYS}")  # noqa: S608 -- a name of ours
        self._connection.executemany(f"INSERT INTO temp.{_KEYS} VALUES (?, ?)", _pairs(keys))  # noqa: S608 -- the same

    def chosen(self, shape: Shape) -> Iterator[Row]:
        names = ", ".join(f't."{name}"' for name in shape.names)
        where = " AND ".join(
            f"t.\"{name}\" = json_extract(k.key, '$[{place}]')"
            for place, name in enumerate(keys_of(shape.name))
        )
        query = (
            f"SELECT {names} FROM (SELECT key FROM temp.{_KEYS} WHERE tbl = ?) AS k"  # noqa: S608 -- the same
            f' CROSS JOIN "{shape.name}" AS t WHERE {where}'
        )
        yield from self._connection.execute(query, (shape.name,))

    def delete_chosen(self, name: str) -> None:
        columns = keys_of(name)
        names = ", ".join(f'"{column}"' for column in columns)
        values = ", ".join(f"json_extract(key, '$[{place}]')" for place in range(len(columns)))
        query = (
            f'DELETE FROM "{name}" WHERE ({names}) IN'  # noqa: S608 -- the same
            f" (SELECT {values} FROM temp.{_KEYS} WHERE tbl = ?)"
        )
        self._connection.execute(query, (name,))

    def count(self, name: str) -> int:
        found = self._connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()  # noqa: S608 -- the same
        return int(found[0])


class PostgresSide:
    """See Side. Of a connection whose transactions begin with their first statement."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection
        self._kinds = {
            (shape.name, column): kind
            for shape in PostgresSource(connection).shapes()
            for column, kind in shape.columns
        }
        # Keys come in a table of which the planner knows nothing: else it would read all of ours.
        for way in ("hashjoin", "mergejoin"):
            connection.execute(f"SET enable_{way} = off".encode())
        connection.execute(f"CREATE TEMP TABLE {_KEYS} (tbl text, key jsonb)".encode())

    def begin(self) -> None:
        """See Side. The transaction itself begins with what is asked first."""

    def keep(self) -> None:
        self._connection.commit()

    def notes(self) -> Keys:
        # By taking them away: transactions do not end in the order of numbers that they drew. What
        # ends later than this one began is not seen, neither the row nor its note.
        query = f"DELETE FROM {NOTES} RETURNING tbl, key::text"  # noqa: S608 -- a name of ours
        return _grouped(set(self._connection.execute(query.encode())))

    def choose(self, keys: Keys) -> None:
        self._connection.execute(f"TRUNCATE pg_temp.{_KEYS}".encode())
        query = f"COPY pg_temp.{_KEYS} FROM STDIN".encode()
        with self._connection.cursor() as cursor, cursor.copy(query) as copy:
            for pair in _pairs(keys):
                copy.write_row(pair)

    def chosen(self, shape: Shape) -> Iterator[Row]:
        names = sql.SQL(", ").join(sql.Identifier("t", name) for name in shape.names)
        query = sql.SQL("SELECT {} FROM {} AS t, {} AS k WHERE k.tbl = %(tbl)s AND {}").format(
            names, sql.Identifier(shape.name), sql.Identifier(_KEYS), self._match(shape.name)
        )
        yield from self._connection.execute(query, {"tbl": shape.name})

    def delete_chosen(self, name: str) -> None:
        query = sql.SQL("DELETE FROM {} AS t USING {} AS k WHERE k.tbl = %(tbl)s AND {}").format(
            sql.Identifier(name), sql.Identifier(_KEYS), self._match(name)
        )
        self._connection.execute(query, {"tbl": name})

    def count(self, name: str) -> int:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))
        found = self._connection.execute(query).fetchone()
        assert found is not None
        return int(found[0])

    def _match(self, name: str) -> sql.Composable:
        is_number = [self._kinds[name, column] is Kind.INTEGER for column in keys_of(name)]
        return sql.SQL(" AND ").join(
            sql.SQL("{} = (k.key ->> {}){}").format(
                sql.Identifier("t", column),
                sql.Literal(place),
                sql.SQL("::bigint" if number else ""),
            )
            for place, (column, number) in enumerate(zip(keys_of(name), is_number, strict=True))
        )


def keys_of(name: str) -> list[str]:
    """Return the columns of a table's key."""
    from backend.adapters.storage.schema import metadata  # noqa: PLC0415 - help does without

    return [column.name for column in metadata.tables[name].primary_key.columns]


def _pairs(keys: Keys) -> Iterator[tuple[str, str]]:
    return ((name, key) for name, some in keys.items() for key in some)


def _grouped(found: Iterable[tuple[Any, ...]]) -> Keys:
    keys: Keys = {}
    for name, key in found:
        keys.setdefault(name, []).append(key)
    return keys


def _tables() -> list[str]:
    from backend.adapters.moving.sources import our_tables  # noqa: PLC0415 - the same

    return our_tables()


def _sqlite_triggers(name: str) -> Iterator[str]:
    def key(row: str) -> str:
        return "json_array(" + ", ".join(f'{row}."{one}"' for one in keys_of(name)) + ")"

    for end, event, rows in (
        ("i", "INSERT", ("NEW",)),
        ("u", "UPDATE", ("OLD", "NEW")),
        ("d", "DELETE", ("OLD",)),
    ):
        notes = " ".join(f"INSERT INTO {NOTES} VALUES ('{name}', {key(row)});" for row in rows)  # noqa: S608 -- names of ours
        yield f'CREATE TRIGGER "{_TRIGGER}_{name}_{end}" AFTER {event} ON "{name}" BEGIN {notes} END'


def _postgres_trigger(name: str) -> Iterator[str]:
    def note(row: str) -> str:
        key = ", ".join(f'{row}."{one}"' for one in keys_of(name))
        return f"INSERT INTO {NOTES} VALUES ('{name}', jsonb_build_array({key}));"  # noqa: S608 -- names of ours

    yield (
        f"CREATE FUNCTION {_TRIGGER}_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF TG_OP <> 'INSERT' THEN {note('OLD')} END IF;"
        f" IF TG_OP <> 'DELETE' THEN {note('NEW')} END IF;"
        " RETURN NULL; END $$"
    )
    yield (
        f'CREATE TRIGGER {_TRIGGER} AFTER INSERT OR UPDATE OR DELETE ON "{name}"'
        f" FOR EACH ROW EXECUTE FUNCTION {_TRIGGER}_{name}()"
    )


@contextmanager
def _sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a transaction: all that is done is kept, or nothing."""
    try:
        with (
            closing(sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)) as connection,
            connection,
        ):
            connection.execute("BEGIN IMMEDIATE")
            yield connection
    except sqlite3.DatabaseError as exc:
        raise Unavailable(f"the database {path} does not answer: {exc}") from exc
