"""PostgreSQL's word that one executor works on a database, while there is no broker to share work."""

import asyncio
import time
from typing import Any, Final, Self

import psycopg
import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from backend.adapters.database_place import shown
from backend.adapters.storage.postgres import engine_for
from backend.core.errors import CannotStart

log = structlog.get_logger(__name__)

#: Any number that nobody else uses here; not that of the migrations.
_LOCK: Final = 0x61677065
#: A server that is started anew answers again by then; so does one that was asked too early.
_WAIT_S: Final = 60.0
#: An executor that was killed holds its lock until the server has seen it.
_TAKEN_WAIT_S: Final = 5.0
_LOOK_S: Final = 5.0


class PostgresExecutorLock:
    """
    Held by a session of the server: it ends with the process, however that ends.

    Who loses the session takes the lock again when the server is back. In between another executor
    may have taken it; then this one ends. Neither harms a run meanwhile: each is begun by
    compare-and-set.
    """

    def __init__(self, url: str, connection: Connection) -> None:
        self._url = url
        self._connection = connection

    @classmethod
    async def take(cls, url: str) -> Self:
        """
        Take the lock; waits a minute for a server that does not answer.

        Raises:
            CannotStart: If another executor holds it, or the server does not answer.
        """
        return cls(url, await asyncio.to_thread(_taken, url))

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
                log.warning("executor_lock_lost", error=str(exc.orig))
                await asyncio.to_thread(self._connection.close)
                self._connection = await asyncio.to_thread(_taken, self._url)
                log.info("executor_lock_taken_again")

    def _look(self) -> None:
        self._connection.exec_driver_sql("SELECT 1")

    def release(self) -> None:
        """Let go; twice is harmless."""
        self._connection.close()


def _taken(url: str) -> Connection:
    engine = engine_for(url)
    begun = time.monotonic()
    while True:
        try:
            connection = engine.connect()
        except DBAPIError as exc:
            if time.monotonic() - begun > _WAIT_S:
                raise CannotStart(f"{shown(url)} does not answer: {exc.orig}") from exc
            time.sleep(0.5)
            continue
        query = f"SELECT pg_try_advisory_lock({_LOCK})"
        if connection.exec_driver_sql(query).scalar():
            raw: Any = connection.connection.dbapi_connection
            _never_idle_out(raw)
            return connection
        connection.close()
        if time.monotonic() - begun > _TAKEN_WAIT_S:
            raise CannotStart(
                f"{shown(url)} is in use by another executor; without RABBITMQ_URL there is one"
            )
        time.sleep(0.1)


def _never_idle_out(raw: "psycopg.Connection[Any]") -> None:
    """Hold the lock though nothing is asked for long, whatever the server's own settings say."""
    raw.execute("SET idle_session_timeout = 0")
