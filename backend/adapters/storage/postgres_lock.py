"""PostgreSQL's word that one process of a kind works on a database."""

import asyncio
import time
from enum import IntEnum
from typing import Any, Final, Self

import psycopg
import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from backend.adapters.database_place import shown
from backend.adapters.storage.postgres import engine_for
from backend.adapters.storage.postgres_refusals import is_refusal, why
from backend.core.errors import CannotStart

log = structlog.get_logger(__name__)


class Kind(IntEnum):
    """Of what there is one; each a number that nobody else uses here, nor the migrations."""

    EXECUTOR = 0x61677065  #: while there is no broker to share work
    NOTIFICATIONS = 0x6167706E  #: letters are sent by one; another stands by


#: A server that is started anew answers again by then; so does one that was asked too early.
_WAIT_S: Final = 60.0
#: An executor that was killed holds its lock until the server has seen it.
_TAKEN_WAIT_S: Final = 5.0
_LOOK_S: Final = 5.0
#: How often who stands by looks whether it is wanted.
_STANDBY_S: Final = 2.0


class PostgresLock:
    """
    Held by a session of the server: it ends with the process, however that ends.

    Who loses the session takes the lock again when the server is back. In between another process
    may have taken it; then this one ends. Neither harms a run meanwhile: each is begun by
    compare-and-set.
    """

    def __init__(self, url: str, kind: Kind, connection: Connection) -> None:
        self._url = url
        self._kind = kind
        self._connection = connection

    @classmethod
    async def take(cls, url: str, kind: Kind = Kind.EXECUTOR) -> Self:
        """
        Take the lock; waits a minute for a server that does not answer.

        Raises:
            CannotStart: If another process holds it, or the server does not answer.
        """
        connection = await asyncio.to_thread(_taken, url, kind, _TAKEN_WAIT_S)
        if connection is None:
            raise CannotStart(
                f"{shown(url)} is in use by another executor; without RABBITMQ_URL there is one"
            )
        return cls(url, kind, connection)

    @classmethod
    async def stand_by(cls, url: str, kind: Kind) -> Self:
        """
        Take the lock as soon as nobody else has it, however long that lasts.

        Raises:
            CannotStart: If the server does not answer for a minute.
        """
        while True:
            connection = await asyncio.to_thread(_taken, url, kind, 0.0)
            if connection is not None:
                return cls(url, kind, connection)
            await asyncio.sleep(_STANDBY_S)

    async def keep(self) -> None:
        """
        Hold it until cancelled.

        Raises:
            CannotStart: If it was lost, and another executor has it now.
        """
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                await asyncio.to_thread(self._look)
            except DBAPIError as exc:
                log.warning("lock_lost", kind=self._kind.name, error=str(exc.orig))
                await asyncio.to_thread(self._connection.close)
                again = await asyncio.to_thread(_taken, self._url, self._kind, _TAKEN_WAIT_S)
                if again is None:
                    raise CannotStart(f"{shown(self._url)} is in use by another process") from exc
                self._connection = again
                log.info("lock_taken_again", kind=self._kind.name)

    def _look(self) -> None:
        self._connection.exec_driver_sql("SELECT 1")

    def release(self) -> None:
        """Let go; twice is harmless."""
        self._connection.close()


def _taken(url: str, kind: Kind, wait_s: float) -> Connection | None:
    """Return the session that holds the lock; None if somebody else does, for *wait_s*."""
    engine = engine_for(url)
    begun = time.monotonic()
    while True:
        try:
            connection = engine.connect()
        except DBAPIError as exc:
            if is_refusal(exc) or time.monotonic() - begun > _WAIT_S:
                raise CannotStart(f"{shown(url)} cannot be used: {why(exc)}") from exc
            time.sleep(0.5)
            continue
        query = f"SELECT pg_try_advisory_lock({kind.value})"
        if connection.exec_driver_sql(query).scalar():
            raw: Any = connection.connection.dbapi_connection
            _never_idle_out(raw)
            return connection
        connection.close()
        if time.monotonic() - begun > wait_s:
            return None
        time.sleep(0.1)


def _never_idle_out(raw: "psycopg.Connection[Any]") -> None:
    """Hold the lock though nothing is asked for long, whatever the server's own settings say."""
    raw.execute("SET idle_session_timeout = 0")
