"""Where the rows of a whole server are: in a file of its own, or, in a cluster, in PostgreSQL.

With ``AGPT_TEST_STORE=cluster`` (`make test-clustered`) each data directory of a test is given an
empty database of its own and RabbitMQ, by the `config.json` in it, as an operator does it: so the
commands beside a server find them too. Both are removed after the test. A pytest plugin; markers:

- ``both_stores``: the test runs on both, wherever there are the services; a few do, in `make test`;
- ``embedded("why")``: it is about the file, or about what a cluster has not; skipped in a cluster.
"""

import asyncio
import contextlib
import itertools
import json
import os
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import aiormq
import psycopg
import pytest

from backend.adapters.broker.names import Names
from backend.adapters.broker.tidy import drop
from backend.adapters.database_place import shown
from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.cluster import installation_at
from backend.adapters.storage.schema import metadata
from tests.databases import migrated
from tests.services import require_service

KINDS: Final = ("embedded", "cluster")
Rows = list[tuple[Any, ...]]


class Store:
    """The rows of one server, for a test that looks at them, or changes them behind its back."""

    def __init__(self, data_dir: Path, url: str = "") -> None:
        self._data_dir = data_dir
        self.url = url  #: of PostgreSQL; empty: it is a file

    @property
    def shown(self) -> str:
        """What it is called."""
        return shown(self.url) if self.url else f"{self._data_dir}/agpt.db"

    def rows(self, query: str, *values: Any) -> Rows:
        """Return what a query finds; each of *values* stands for a question mark."""
        if self.url:
            with psycopg.connect(self.url, autocommit=True) as connection:
                return connection.execute(_for_postgres(query), values or None).fetchall()
        place = f"file:{self._data_dir}/agpt.db?mode=ro"
        with contextlib.closing(sqlite3.connect(place, uri=True)) as found:
            return found.execute(query, values).fetchall()

    def change(self, *changes: tuple[str, Sequence[Any]]) -> None:
        """Make changes, each a statement with its values, in one transaction."""
        if self.url:
            with psycopg.connect(self.url) as connection:
                for statement, values in changes:
                    connection.execute(_for_postgres(statement), values)
            return
        path = self._data_dir / "agpt.db"
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as database, database:
            for statement, values in changes:
                database.execute(statement, values)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Let nobody else read or write anything."""
        if self.url:
            names = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
            with psycopg.connect(self.url) as connection:
                connection.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE".encode())
                yield
            return
        path = self._data_dir / "agpt.db"
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield
            other.execute("ROLLBACK")

    def wait_settled(self, limit_s: float = 60.0) -> None:
        """
        Wait until an executor says at once which others are gone.

        At first it may be its broker that was started anew: for ten seconds it says nothing.
        """
        installation = installation_at(self.url) if self.url else None
        if installation is not None:
            asyncio.run(_settled(Names(installation).settled, limit_s))

    def everything(self) -> dict[str, Rows]:
        """Return all rows, by table."""
        return {
            table.name: sorted(self.rows(f'SELECT * FROM "{table.name}"'), key=repr)
            for table in metadata.sorted_tables
        }

    def text(self) -> str:
        """Return all that is kept, as text; of a file also what has been deleted and is still there."""
        if self.url:
            return repr(self.everything())
        files = (self._data_dir / "agpt.db", self._data_dir / "agpt.db-wal")
        return "".join(file.read_bytes().decode("latin-1") for file in files if file.exists())

    def storage(self) -> SqlStorage:
        """Open it once more, as another process does. The caller closes it."""
        return open_storage(self._data_dir / "agpt.db", url=self.url)

    def size_bytes(self) -> int:
        """Return the room that the database takes on its disk."""
        if self.url:
            [(size,)] = self.rows("SELECT pg_database_size(current_database())")
            return int(size)
        return sum(path.stat().st_size for path in self._data_dir.glob("agpt.db*"))


def _for_postgres(query: str) -> bytes:
    return query.replace("?", "%s").encode()


class Stores:
    """Those of this process. A data directory keeps its own, however often a server starts in it."""

    def __init__(self, kind: str) -> None:
        assert kind in KINDS, f"AGPT_TEST_STORE is one of {KINDS}"
        self.kind = kind
        self._made: dict[Path, Store] = {}

    def at(self, data_dir: Path, *, url: str | None = None, tables: bool = True) -> Store:
        """
        Return the store of *data_dir*, made if there is none.

        Args:
            url: The database there instead; empty: the file.
            tables: Whether a new database has them already: to make them takes a server a while.
        """
        if url is not None or self.kind == "embedded":
            return Store(data_dir, url or "")
        if data_dir not in self._made:
            broker = require_service("rabbitmq")
            server = require_service("postgres")
            self._made[data_dir] = Store(data_dir, _new_database(server, tables=tables))
            _configure(data_dir, DATABASE_URL=self._made[data_dir].url, RABBITMQ_URL=broker)
        return self._made[data_dir]

    @property
    def places(self) -> frozenset[Path]:
        """The data directories that have been given one."""
        return frozenset(self._made)

    def drop(self, *, keep: Collection[Path] = ()) -> None:
        """Remove the databases, and what their servers have at the broker."""
        for place in self.places.difference(keep):
            _remove(self._made.pop(place).url)


STORES: Final = Stores(os.environ.get("AGPT_TEST_STORE", "") or "embedded")


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    config.addinivalue_line("markers", "both_stores: runs embedded and in a cluster")
    config.addinivalue_line("markers", "embedded(why): not in a cluster; see tests/stores.py")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let those that are marked run on both."""
    if STORES.kind == "embedded" and metafunc.definition.get_closest_marker("both_stores"):
        metafunc.parametrize("store_kind", KINDS, indirect=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot be in a cluster."""
    for marker in item.iter_markers("embedded"):
        if STORES.kind == "cluster":
            pytest.skip(f"not in a cluster: {marker.args[0]}")


@pytest.fixture
def store_kind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where the servers of a test keep their rows; what is there is removed at its end."""
    usual, before = STORES.kind, STORES.places
    STORES.kind = getattr(request, "param", usual)
    yield
    STORES.kind = usual
    STORES.drop(keep=before)


@pytest.fixture(scope="session", autouse=True)
def _no_store_stays() -> Iterator[None]:
    yield
    STORES.drop()


_numbers: Final = itertools.count()


def _new_database(server: str, *, tables: bool) -> str:
    """Make a database without rows, by a copy, which is quick; return its address."""
    mine = f"agpt_test_{os.getpid()}"
    if tables:
        migrated(server, f"{mine}_empty")
    name, model = f"{mine}_{next(_numbers)}", f"{mine}_empty" if tables else "template0"
    _execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{model}"')
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


def _execute(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.encode())


def _remove(url: str) -> None:
    installation = installation_at(url)
    if installation is not None:
        asyncio.run(drop(require_service("rabbitmq"), Names(installation)))
    name = urlsplit(url).path.removeprefix("/")
    _execute(require_service("postgres"), f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def _settled(exchange: str, limit_s: float) -> None:
    connection = await aiormq.connect(require_service("rabbitmq"))
    try:
        async with asyncio.timeout(limit_s):
            while True:
                channel = await connection.channel()
                try:
                    await channel.exchange_declare(exchange, passive=True)
                except aiormq.ChannelNotFoundEntity:
                    await asyncio.sleep(0.2)
                else:
                    return
    finally:
        await connection.close()


def _configure(data_dir: Path, **settings: str) -> None:
    """Write settings into the `config.json` of a data directory."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data_dir / "config.json"
    path.write_text(json.dumps(settings), encoding="utf-8")
    path.chmod(0o600)
