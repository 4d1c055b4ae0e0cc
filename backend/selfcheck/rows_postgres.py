"""The rows of a check that lie in PostgreSQL."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from backend.selfcheck.rows import Snapshot

#: As which PostgreSQL knows our sessions: a strike at all others spares them.
WITNESS: Final = "agpt-selfcheck"
#: Counters of transactions are told to PostgreSQL up to a second late, and count our own looks.
#: What every commit of a run that is under way changes are the numbers of those runs.
_TICK: Final = (
    "SELECT count(*), sum(revision::bigint) FROM executions WHERE status IN ('QUEUED', 'RUNNING')"
)
_OPEN: Final = r"""
SELECT concat_ws(', ', application_name, state, wait_event,
    'since ' || round(extract(epoch FROM clock_timestamp() - xact_start), 1) || ' s',
    'silent for ' || round(extract(epoch FROM clock_timestamp() - state_change), 1) || ' s',
    left(regexp_replace(query, '\s+', ' ', 'g'), 80))
FROM pg_stat_activity
WHERE datname = current_database() AND xact_start IS NOT NULL AND application_name <> %s
ORDER BY xact_start
"""
#: There are no numbers of rows, and ids of runs that were asked for with a key are in no order.
_NEWEST: Final = "WHERE ended_us IS NOT NULL ORDER BY ended_us DESC"
#: Each question is a round trip, and work for a server that has enough.
_TURN_S: Final = 0.002

Connection = psycopg.Connection[tuple[Any, ...]]


class PostgresRows:
    """See backend.selfcheck.rows.Rows. Threads may share it; sessions are used again."""

    def __init__(self, url: str) -> None:
        """Prepare to read the database at *url*."""
        self._url = url
        self._idle: list[Connection] = []
        self._lock = threading.Lock()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Open a transaction that reads, at REPEATABLE READ."""
        with self._session() as connection, connection.transaction():
            yield Snapshot(_asking(connection), joined="string_agg(o.items, ',')", newest=_NEWEST)

    @contextmanager
    def ticks(self) -> Iterator[Callable[[], object]]:
        """Ask for what changes with each commit of a run."""
        with self._session() as connection:

            def tick() -> object:
                time.sleep(_TURN_S)
                return connection.execute(_TICK).fetchone()

            yield tick

    def open_transactions(self) -> list[str]:
        """Return all of them but our own."""
        with self._session() as connection:
            return [row[0] for row in connection.execute(_OPEN, (WITNESS,))]

    def close(self) -> None:
        """End the sessions."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _session(self) -> Iterator[Connection]:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = psycopg.connect(self._url, application_name=WITNESS, autocommit=True)
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)


def _asking(connection: Connection) -> Callable[[str, Sequence[Any]], Iterable[tuple[Any, ...]]]:
    def ask(text: str, values: Sequence[Any]) -> Iterable[tuple[Any, ...]]:
        return connection.execute(text.replace("?", "%s").encode(), values)

    return ask
