"""The database as one SQLite file."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from backend.adapters.storage import engine
from backend.adapters.storage.database import (
    BUSY_LIMIT_S,
    FIRST_PAUSE_S,
    LAST_PAUSE_S,
    Database,
    Work,
)
from backend.core.errors import Unavailable

T = TypeVar("T")


class SqliteDatabase(Database):
    """One SQLite file."""

    def __init__(self, path: Path | str, *, synchronous: str = "FULL") -> None:
        self._synchronous = synchronous
        super().__init__(
            str(path), open_writer=self._open(write=True), open_reader=self._open(write=False)
        )

    def _in_transaction(self, connection: Connection, work: Work[T]) -> T:
        self._begin(connection)
        try:
            result = work(connection)
            connection.exec_driver_sql("COMMIT")
        except BaseException as exc:
            _roll_back(connection)
            if isinstance(exc, OperationalError):
                raise Unavailable(f"the database does not answer: {exc.orig}") from exc
            raise
        self.commits += 1
        return result

    def _begin(self, connection: Connection) -> None:
        """Take the write lock, waiting for other processes in short sleeps, not SQLite's long."""
        limit = time.monotonic() + BUSY_LIMIT_S
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except OperationalError as exc:
                if not _is_busy(exc) or time.monotonic() > limit:
                    raise Unavailable(f"the database does not answer: {exc.orig}") from exc
                self.busy_waits += 1
                time.sleep(pause_s)
                pause_s = min(pause_s * 1.5, LAST_PAUSE_S)
            else:
                return

    def _in_snapshot(self, connection: Connection, work: Work[T]) -> T:
        try:
            connection.exec_driver_sql("BEGIN")
            try:
                return work(connection)
            finally:
                _roll_back(connection)
        except OperationalError as exc:
            raise Unavailable(f"the database does not answer: {exc.orig}") from exc

    def _open(self, *, write: bool) -> Callable[[], Connection]:
        pragmas = (
            "journal_mode=WAL",
            f"synchronous={self._synchronous}",
            "wal_autocheckpoint=0",  # the DatabaseManager checkpoints
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "cache_size=-4096",
            f"busy_timeout={0 if write else 2000}",
        )

        def open_raw() -> sqlite3.Connection:
            # While it is opened it may meet others that open it too; afterwards see _begin.
            raw = sqlite3.connect(self.path, timeout=BUSY_LIMIT_S, check_same_thread=False)
            try:
                for pragma in pragmas:
                    raw.execute(f"PRAGMA {pragma}")
            except BaseException:
                raw.close()
                raise
            return raw

        return lambda: engine.connect(open_raw)


def _roll_back(connection: Connection) -> None:
    raw: Any = connection.connection.dbapi_connection
    if raw.in_transaction:
        raw.rollback()


def _is_busy(error: OperationalError) -> bool:
    return isinstance(error.orig, sqlite3.OperationalError) and (
        error.orig.sqlite_errorcode & 0xFF
    ) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
