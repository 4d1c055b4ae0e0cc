"""Databases of every kind for tests: an empty SQLite file, an empty database of PostgreSQL.

A test that takes the fixture `rows` runs once on each; without PostgreSQL it says that it skips.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from backend.adapters.database_place import Place
from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.database import Database
from backend.adapters.storage.migrate import HEAD, migrate
from backend.adapters.storage.migrate_postgres import migrate_postgres
from backend.adapters.storage.postgres import PostgresDatabase
from backend.adapters.storage.schema import metadata
from backend.adapters.storage.sqlite import SqliteDatabase
from tests.services import require_service

KINDS = ("sqlite", "postgres")


class Rows:
    """Opens one database as often as a test asks; all of them are closed at its end."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self._folder = folder
        self._path = folder / "agpt.db"
        self._url = ""
        self._opened: list[Database] = []
        if kind == "postgres":
            self._url = emptied(require_service("postgres"))
        else:
            migrate(self._path)

    @property
    def place(self) -> Place:
        """Where the database is."""
        return Place(self._path, self._url)

    def database(self) -> Database:
        """Return one more way into the database."""
        made: Database
        if self.kind == "postgres":
            made = PostgresDatabase(self._url)
        else:
            made = SqliteDatabase(self._path, synchronous="OFF")
        self._opened.append(made)
        return made

    def storage(self, **options: Any) -> SqlStorage:
        """Return a storage in it, with options of `open_storage`; files lie in the test's folder."""
        made = open_storage(self._path, url=self._url, synchronous="OFF", **options)
        self._opened.append(made.database)
        return made

    async def close(self) -> None:
        """Close all ways into it."""
        for database in self._opened:
            await database.close()


@pytest.fixture(params=KINDS)
async def rows(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rows]:
    """An empty database with all tables, of each kind."""
    made = await asyncio.to_thread(Rows, request.param, tmp_path)
    yield made
    await made.close()


def emptied(server: str) -> str:
    """Return the address of this process's own database at *server*, with tables, without rows."""
    url = migrated(server, f"agpt_test_{os.getpid()}")
    _empty(url)
    return url


@contextlib.contextmanager
def lent(server: str) -> Iterator[str]:
    """Give the address of a database, as `emptied` does, that nobody else of this process has."""
    url = _free.pop() if _free else migrated(server, f"agpt_test_{os.getpid()}_{len(_made)}_lent")
    _empty(url)
    yield url
    _free.append(url)


def _empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        # DELETE: to truncate makes new files, of every table and index.
        tables = [table.name for table in reversed(metadata.sorted_tables)]
        connection.execute(";".join(f'DELETE FROM "{name}"' for name in tables).encode())
        # A move may have left it, or not have ended: no server would start on it.
        connection.execute("UPDATE alembic_version SET version_num = %s", (HEAD,))


@cache
def migrated(server: str, name: str) -> str:
    """Make a database with tables, without rows, and return its address; it goes with this process."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
    _made.append((server, name))
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    migrate_postgres(url)
    return url


_made: list[tuple[str, str]] = []
_free: list[str] = []  # of those that are lent


@pytest.fixture(scope="session", autouse=True)
def _no_database_stays() -> Iterator[None]:
    yield
    for server, name in _made:
        with (
            contextlib.suppress(psycopg.OperationalError),
            psycopg.connect(server, autocommit=True) as connection,
        ):
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
