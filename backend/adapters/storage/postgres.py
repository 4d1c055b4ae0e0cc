"""The database as one of PostgreSQL's: the same functions, in serializable transactions.

SQLite lets one writer in at a time, and the functions rely on it: what they have read is still so
when they write. Serializable transactions promise the same to any number of writers. PostgreSQL
keeps the promise by ending one that would break it; it is then begun anew.
"""

import asyncio
import random
import time
from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar

import psycopg
import structlog
from psycopg.types.string import StrDumper
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from backend.adapters.database_place import shown
from backend.adapters.storage.database import (
    BUSY_LIMIT_S,
    FIRST_PAUSE_S,
    LAST_PAUSE_S,
    Database,
    NothingKept,
    Work,
)
from backend.adapters.storage.postgres_refusals import check_parameters
from backend.core.errors import CannotStart, Unavailable

T = TypeVar("T")
log = structlog.get_logger(__name__)

_SCHEMES: Final = ("postgres", "postgresql", "postgresql+psycopg")
_REMEMBERED: Final = 1_000
_MEASURE_S: Final = 60.0
_CONNECT_PAUSE_S: Final = 0.1
_COMMIT: Final = "COMMIT"
#: Codes of SQLSTATE: it came between others, or two waited for each other. Nothing was changed.
_AGAIN: Final = frozenset({"40001", "40P01"})
#: As which PostgreSQL knows our sessions; those of an executor with its id behind it.
APPLICATION: Final = "agpt-server"
#: A regular expression of these.
SERVERS: Final = rf"^{APPLICATION}( [0-9a-f-]{{36}})?$"
#: As which the sessions of the doctor, who asks whether there are any of those.
DOCTOR: Final = f"{APPLICATION} doctor"
#: A side that has vanished without a word is missed after so long, by the other one: the machine
#: lost its power, or a network drops what is sent. Without it the system waits for 15 minutes for an
#: answer to what was sent, and a server for two hours for who is silent, with all that he locked.
MISSED_S: Final = 25
_KEEPALIVES: Final = {
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": MISSED_S * 1000,
}
#: A client that is silent for so long in the middle of a transaction is frozen, or gone.
STALLED_S: Final = 10
#: For each session. A transaction of ours takes milliseconds; one whose process is frozen must not
#: keep the others out (after, or in the middle of, a pipeline it has no such limit: stalled.py). What
#: takes longer on purpose (moves, upgrades, repairs) sets its own.
_SERVER: Final = {
    "idle_in_transaction_session_timeout": STALLED_S * 1000,
    "lock_timeout": 10_000,
    "statement_timeout": 120_000,
    **_KEEPALIVES,
}
_SESSION: Final = {
    "connect_timeout": 10,
    "options": " ".join(f"-c {name}={value}" for name, value in _SERVER.items()),
    **{name.replace("tcp_keepalives", "keepalives"): one for name, one in _KEEPALIVES.items()},
}

#: A transaction of an executor that is gone is ended if it is so old: who lives after all needs less.
_OLD_S: Final = 3
_FREE: Final = """
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name = ANY(%s)
AND xact_start < clock_timestamp() - make_interval(secs => %s)
"""


def application_of(owner: str) -> str:
    """Return as which PostgreSQL knows the sessions of an executor; an empty id: of all others."""
    return f"{APPLICATION} {owner}".rstrip()


def engine_for(url: str, *, application: str = APPLICATION) -> Engine:
    """
    Return an engine for a server's address, as people write it; it connects to nothing yet.

    Args:
        application: As which the server knows its sessions.

    Raises:
        CannotStart: If it is no address of PostgreSQL, or has parameters that are none.
    """
    scheme, found, rest = url.partition("://")
    if scheme not in _SCHEMES or not found:
        raise CannotStart("DATABASE_URL: an address of PostgreSQL begins with postgresql://")
    check_parameters(f"postgresql://{rest}")
    made = create_engine(
        f"postgresql+psycopg://{rest}",
        connect_args={**_SESSION, "application_name": application},
        # Positions, not names: what `Prepared` counts on.
        paramstyle="format",
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        # Of an INSERT too: it says whether the row was there already.
        execution_options={"preserve_rowcount": True},
        query_cache_size=_REMEMBERED,
    )
    event.listen(made, "connect", _prepare)
    return made


def reading_engine(url: str, *, application: str = APPLICATION) -> Engine:
    """Return an engine whose connections see one state of the database, and change nothing."""
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return engine_for(url, application=application).execution_options(**options)


class _TextDumper(StrDumper):
    """Texts of PostgreSQL hold no NUL: the sign for what cannot be shown stands in its place."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\ufffd") if "\0" in obj else obj)


def _prepare(raw: Any, _: object) -> None:
    connection: psycopg.Connection[Any] = raw
    connection.adapters.register_dumper(str, _TextDumper)


class PostgresDatabase(Database):
    """One database of a PostgreSQL server."""

    def __init__(self, url: str, *, owner: str = "") -> None:
        """
        Take the address of a database that has its tables. Connects on first use.

        Args:
            owner: The executor whose sessions they are; empty: nobody's.

        Raises:
            CannotStart: If it is no address of PostgreSQL.
        """
        self._engine = engine_for(url, application=application_of(owner))
        self._is_down = False
        super().__init__(shown(url), open_writer=self._open, open_reader=self._open)

    async def free_rows(self, owners: Collection[str]) -> int:
        # Sessions without an id are everybody's.
        names = [application_of(owner) for owner in sorted(owners) if owner]

        def free(connection: Connection) -> int:
            return int(connection.exec_driver_sql(_FREE, (names, _OLD_S)).scalar_one())

        return await self.read(free)

    def _in_transaction(self, connection: Connection, work: Work[T]) -> T:
        return self._until_made(connection, "BEGIN ISOLATION LEVEL SERIALIZABLE", work)

    def _in_own_transaction(self, connection: Connection, work: Work[T]) -> T:
        # Serializable would keep apart what is apart: PostgreSQL notes what was read by pages of
        # an index, and two executors whose runs are neighbours there would end each other's work.
        return self._until_made(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ", work)

    def _until_made(self, connection: Connection, begin: str, work: Work[T]) -> T:
        limit = time.monotonic() + BUSY_LIMIT_S
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                result = _once(connection, begin, work, _COMMIT)
            except DBAPIError as exc:
                is_again = _state_of(exc) in _AGAIN
                if connection.invalidated and (is_again or not _is_commit(exc)):
                    raise NothingKept from exc
                if not is_again or time.monotonic() > limit:
                    raise _told(exc) from exc
                self.busy_waits += 1
                # Two that met would meet again if both waited the same.
                time.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 -- no secret
                pause_s = min(pause_s * 1.5, LAST_PAUSE_S)
            else:
                self.commits += 1
                return result

    def _in_snapshot(self, connection: Connection, work: Work[T]) -> T:
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        try:
            return _once(connection, begin, work, "ROLLBACK")
        except DBAPIError as exc:
            if connection.invalidated:
                raise NothingKept from exc
            raise _told(exc) from exc

    def _open(self) -> Connection:
        """Connect; a server that is started anew is waited for, by one caller at a time."""
        limit = time.monotonic() + (0 if self._is_down else BUSY_LIMIT_S)
        while True:
            try:
                connection = self._engine.connect()
            except OperationalError:
                if time.monotonic() > limit:
                    self._is_down = True  # whoever comes now is told at once
                    raise
                time.sleep(_CONNECT_PAUSE_S)
            else:
                self._is_down = False
                return connection


def _is_commit(error: DBAPIError) -> bool:
    """Say whether it was the commit that was not answered: it may have been made."""
    return error.statement == _COMMIT


def _once(connection: Connection, begin: str, work: Callable[[Connection], T], end: str) -> T:
    connection.exec_driver_sql(begin)
    try:
        result = work(connection)
        connection.exec_driver_sql(end)
    except BaseException:
        if not connection.invalidated:
            raw: Any = connection.connection.dbapi_connection
            try:
                raw.rollback()
            except psycopg.Error:
                connection.invalidate()  # the session has ended, and all that it did with it
        raise
    return result


def _state_of(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _told(error: DBAPIError) -> Exception:
    """Return what the callers know: that it cannot be had now, or the error itself."""
    # Those of the server, not of the statement: it stops, starts, is full, or others were quicker.
    if error.connection_invalidated or isinstance(error, OperationalError):
        return Unavailable(f"the database does not answer: {error.orig}")
    return error


async def measure(database: Database, gauge: Callable[..., Any]) -> None:
    """Tell how much room *database* takes, once a minute, until cancelled."""
    size = gauge("database_bytes", "Length of the database")
    query = "SELECT pg_database_size(current_database())"
    while True:
        try:
            size.set(await database.read(lambda c: c.exec_driver_sql(query).scalar_one()))
        except Unavailable as exc:
            log.warning("database_not_measured", error=str(exc))
        await asyncio.sleep(_MEASURE_S)
