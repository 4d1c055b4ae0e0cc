"""The transaction of a repair, in either kind of database: all of it, or none; and who else is there."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.pool import NullPool

from backend.adapters.database_place import Place
from backend.core.errors import Conflict, Unavailable

T = TypeVar("T")

_BUSY_S: Final = 10.0
_FIRST_PAUSE_S: Final = 0.02
#: Codes of SQLSTATE, see postgres.py: others were quicker, and nothing was changed.
_AGAIN: Final = frozenset({"40001", "40P01"})


class Aside:
    """
    The file to which rows go before they are deleted, for its owner alone.

    It may hold rows that are still in the database: of a program that was killed before its commit.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[bytes] = []
        self._before: int | None = None

    def add(self, lines: list[bytes]) -> None:
        """Remember lines until `write`."""
        self._lines += lines

    def write(self) -> None:
        """Put what was remembered on disk."""
        if not self._lines:
            return
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        with os.fdopen(os.open(self._path, flags, 0o600), "wb") as file:
            self._before = file.seek(0, os.SEEK_END)
            file.writelines(line + b"\n" for line in self._lines)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def forget(self) -> None:
        """Take back what was remembered and written: its rows stay where they are."""
        self._lines = []
        if self._before is not None:
            os.truncate(self._path, self._before)
            self._before = None


@contextmanager
def told(place: Place, what: str = "mended") -> Iterator[None]:
    """Say in a sentence what the database refuses: raises Unavailable."""
    try:
        yield
    except DatabaseError as exc:
        first = str(exc.orig).partition("\n")[0]
        raise Unavailable(f"The database {place} cannot be {what}: {first}.") from exc


def in_sqlite(path: Path, work: Callable[[Connection], T], aside: Aside, *, is_trial: bool) -> T:
    """Return what *work* did in a transaction of its own; a trial keeps nothing of it."""
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",  # begun and ended by hand, below
        connect_args={"timeout": _BUSY_S},
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA synchronous=FULL")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                result = work(connection)
                if not is_trial:
                    aside.write()
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                aside.forget()
                raise
            connection.exec_driver_sql("ROLLBACK" if is_trial else "COMMIT")
            return result
    finally:
        engine.dispose()


def in_postgres(
    url: str, work: Callable[[Connection], T], aside: Aside, *, is_trial: bool, alone: bool
) -> T:
    """
    Do *work* in a serializable transaction, and begin anew when it came between others.

    Args:
        alone: It is refused where anybody else works on the database, and nobody comes meanwhile.

    Raises:
        Conflict: If somebody else does.
    """
    from backend.adapters.storage.postgres import DOCTOR, engine_for  # noqa: PLC0415 - see dialects.py

    limit, pause_s = time.monotonic() + _BUSY_S, _FIRST_PAUSE_S
    engine = engine_for(url, application=DOCTOR)
    try:
        with engine.connect() as connection:
            # That is for work of milliseconds; a table may be long.
            connection.exec_driver_sql("SET statement_timeout = 0")
            while True:
                try:
                    return _once(connection, work, aside, is_trial=is_trial, alone=alone)
                except DBAPIError as exc:
                    state = getattr(exc.orig, "sqlstate", None)
                    if state not in _AGAIN or time.monotonic() > limit:
                        raise
                time.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 -- no secret
                pause_s *= 1.5
    finally:
        engine.dispose()


def _once(
    connection: Connection,
    work: Callable[[Connection], T],
    aside: Aside,
    *,
    is_trial: bool,
    alone: bool,
) -> T:
    connection.exec_driver_sql("BEGIN ISOLATION LEVEL SERIALIZABLE")
    try:
        if alone:
            _require_alone(connection)
        result = work(connection)
        if not is_trial:
            aside.write()
        connection.exec_driver_sql("ROLLBACK" if is_trial else "COMMIT")
    except BaseException:
        # Of a connection that broke at the commit nobody knows whether that was made: what was
        # set aside stays.
        if not connection.invalidated:
            raw: Any = connection.connection.dbapi_connection
            raw.rollback()
            aside.forget()
        raise
    return result


def _require_alone(connection: Connection) -> None:
    """Let nobody begin to work on the database until the end. Raises Conflict if one does already."""
    from backend.adapters.storage.cluster import LOCK as JOIN  # noqa: PLC0415 - see dialects.py
    from backend.adapters.storage.migrate_postgres import LOCK as MIGRATION  # noqa: PLC0415 - the same
    from backend.adapters.storage.postgres_lock import Kind  # noqa: PLC0415 - the same

    # Members wait for the first two when they start, executors without a broker for the third.
    for lock in (MIGRATION, JOIN):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")
    query = f"SELECT pg_try_advisory_xact_lock({Kind.EXECUTOR.value})"
    is_free = connection.exec_driver_sql(query).scalar()
    found = _sessions(connection)
    if found or not is_free:
        raise Conflict(
            "it is mended only while nothing works on the database: stop all services, on every"
            f" machine, first ({found or 'an executor is there'})"
        )


def sessions_at(url: str) -> str:
    """
    Say how many sessions of services and commands of ours there are, and from where; nothing if none.

    Raises:
        Unavailable: If the database does not answer.
    """
    from backend.adapters.storage.postgres import DOCTOR, engine_for  # noqa: PLC0415 - see dialects.py

    engine = engine_for(url, application=DOCTOR)
    try:
        with told(Place(Path(), url), "read"), engine.connect() as connection:
            return _sessions(connection)
    finally:
        engine.dispose()


def _sessions(connection: Connection) -> str:
    from backend.adapters.storage.postgres import SERVERS  # noqa: PLC0415 - see dialects.py

    found = connection.exec_driver_sql(
        "SELECT count(*) AS sessions, string_agg(DISTINCT host(client_addr), ', ') AS machines"
        " FROM pg_stat_activity WHERE datname = current_database() AND application_name ~ %s"
        " AND pid <> pg_backend_pid()",
        (SERVERS,),
    ).one()
    if not found.sessions:
        return ""
    machines = f" from {found.machines}" if found.machines else ""
    return f"sessions there{machines}: {found.sessions}"
