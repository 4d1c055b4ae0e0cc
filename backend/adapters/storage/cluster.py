"""What only a cluster keeps in PostgreSQL: who it is, and the seats of runs that are under way.

None of it is a record of anything, so it is in no migration and no backup: a database that is
copied is another installation, and seats that are lost are taken again.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import psycopg
import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError

from backend.adapters.database_place import shown
from backend.adapters.storage.database import Database, DatabaseThread
from backend.adapters.storage.migrate import (
    HEAD,
    MOVED,
    UNFINISHED,
    current_version,
    needs_of,
    refuse_unknown,
)
from backend.adapters.storage.postgres import application_of, engine_for
from backend.adapters.storage.postgres_refusals import is_refusal, why
from backend.adapters.storage.steps import needed
from backend.core.errors import CannotStart, Unavailable
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.ports.seats import Key, Seat, Seated

T = TypeVar("T")
log = structlog.get_logger(__name__)

#: Which of several that start at once makes the tables. Any number that nobody else uses here.
LOCK: Final = 0x61677063
_ID_BYTES: Final = 6
_WAIT_S: Final = 60.0
_LOOK_S: Final = 0.2
_MEASURE_S: Final = 5.0

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS cluster (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    installation text COLLATE "C" NOT NULL,
    secrets text COLLATE "C" NOT NULL,
    sealed text COLLATE "C" NOT NULL
);
CREATE UNLOGGED TABLE IF NOT EXISTS cluster_seats (
    run_id text COLLATE "C" PRIMARY KEY,
    owner text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    graph_id text COLLATE "C" NOT NULL
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
"""
TABLES: Final = ("cluster_seats", "cluster")


def join(url: str, *, secret: str, keys: Sequence[str]) -> str:
    """
    Make this installation's tables, if they are not there, and return its id.

    Waits a minute for a database that does not answer, or has not all tables yet: some member
    brings it up to date. One that is newer is fine if its steps leave room for this program.

    Args:
        secret: What its members must share, as one text; only a hash of it is kept.
        keys: Those that secrets are encrypted with, the newest first. Members may have different
            ones, while they are changed, but must be able to read what others wrote.

    Raises:
        CannotStart: If the database does not answer, its tables are unknown here, or its members
            have other keys.
    """
    begun = time.monotonic()
    engine = engine_for(url).execution_options(isolation_level="READ COMMITTED")
    try:
        while True:
            try:
                return _joined(engine, shown(url), secret, keys)
            except (DBAPIError, _NotYet) as exc:
                is_vain = isinstance(exc, DBAPIError) and is_refusal(exc)
                if is_vain or time.monotonic() - begun > _WAIT_S:
                    reason = why(exc) if isinstance(exc, DBAPIError) else exc
                    raise CannotStart(
                        f"the database {shown(url)} cannot be used: {reason}"
                    ) from exc
            time.sleep(_LOOK_S)
    finally:
        engine.dispose()


def forget(url: str) -> None:
    """
    Forget who this installation is: whoever joins next gives it another name, and sets the keys.

    Raises:
        CannotStart: If the database does not answer.
    """
    engine = engine_for(url)
    try:
        with engine.begin() as connection:
            for table in TABLES:
                connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table}")
    except DBAPIError as exc:
        raise CannotStart(f"the database {shown(url)} cannot be used: {why(exc)}") from exc
    finally:
        engine.dispose()


def installation_at(url: str) -> str | None:
    """
    Return the id of the installation at *url*; None if no cluster was ever there.

    Raises:
        CannotStart: If the database does not answer.
    """
    engine = engine_for(url)
    try:
        with engine.begin() as connection:
            if not inspect(connection).has_table("cluster"):
                return None
            found = connection.exec_driver_sql("SELECT installation FROM cluster").scalar()
            return None if found is None else str(found)
    except DBAPIError as exc:
        raise CannotStart(f"the database {shown(url)} cannot be used: {why(exc)}") from exc
    finally:
        engine.dispose()


async def measure_backlog(
    database: Database, gauge: Callable[..., Any], now_us: Callable[[], int]
) -> None:
    """Tell how many runs wait and how long the oldest has, until cancelled: what a cluster grows by."""
    waiting = gauge("runs_waiting", "Runs that no executor has begun")
    oldest = gauge("runs_oldest_wait_seconds", "How long the oldest of them has waited")
    query = "SELECT count(*), min(created_us) FROM executions WHERE status = 'QUEUED'"
    while True:
        try:
            count, since_us = await database.read(lambda c: c.exec_driver_sql(query).one())
            waiting.set(count)
            oldest.set(0 if since_us is None else max(0, now_us() - since_us) / 1e6)
        except Unavailable as exc:
            log.warning("backlog_not_measured", error=str(exc))
        await asyncio.sleep(_MEASURE_S)


class _NotYet(Exception):
    """The database lacks tables that another member is about to make."""


def _joined(engine: Engine, where: str, secret: str, keys: Sequence[str]) -> str:
    mark = hashlib.sha256(f"agpt cluster\0{secret}".encode()).hexdigest()
    fernet = MultiFernet([Fernet(key.encode()) for key in keys])
    with engine.begin() as connection:
        version = current_version(connection)
        if version is None or (version != HEAD and version < needed()):
            raise _NotYet(f"it is at step {version}, and this program needs step {needed()}")
        if version != HEAD:
            needs = None if version in (UNFINISHED, MOVED) else needs_of(connection)
            refuse_unknown(version, where, needs=needs)
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        connection.exec_driver_sql(_TABLES)
        connection.exec_driver_sql(
            "INSERT INTO cluster (installation, secrets, sealed) VALUES (%s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            (secrets.token_hex(_ID_BYTES), mark, fernet.encrypt(mark.encode()).decode()),
        )
        row = connection.exec_driver_sql("SELECT installation, secrets, sealed FROM cluster").one()
        if row.secrets != mark:
            raise CannotStart(_OTHER_KEYS.format(where=where, which="JWT_VERIFY_KEY"))
        try:
            sealed = fernet.rotate(row.sealed.encode())
        except InvalidToken:
            raise CannotStart(_OTHER_KEYS.format(where=where, which="ENCRYPTION_KEY")) from None
        connection.exec_driver_sql("UPDATE cluster SET sealed = %s", (sealed.decode(),))
    return str(row.installation)


_OTHER_KEYS: Final = (
    "the cluster at {where} has other keys than this machine ({which} at least): give all its"
    " machines the same ENCRYPTION_KEY, JWT_VERIFY_KEY and UNSUBSCRIBE_SECRET_KEY; when you have"
    " changed them on all, `agpt db drop --broker` makes them the ones that count"
)


class PostgresSeats:
    """
    See backend.ports.seats.Seats. One lock on the table, held for a millisecond or two.

    Read committed, not serializable as all else: it waits for the lock and then sees what those
    before it did.
    """

    def __init__(self, url: str, me: str, *, per_graph: int, per_user: int) -> None:
        """
        Take seats as the executor *me*.

        Args:
            per_graph: Runs at once of one user and graph.
            per_user: Runs at once of one user; 0: as many as there are.
        """
        self._me = me
        self._per_graph = per_graph
        self._per_user = per_user
        self._engine = engine_for(url, application=application_of(me))
        self._thread = DatabaseThread(self._engine.connect, "agpt-db-seats")
        self._is_closed = False

    async def exchange(
        self, wanted: Sequence[Seat], *, left: Collection[ExecutionId], gone: Collection[str]
    ) -> Seated:
        return await self._do(partial(self._exchange, wanted=wanted, left=left, gone=gone))

    async def owners(self) -> frozenset[str]:
        def work(connection: Connection) -> frozenset[str]:
            rows = connection.exec_driver_sql("SELECT DISTINCT owner FROM cluster_seats")
            return frozenset(row.owner for row in rows)

        return await self._do(work)

    async def hold(self, held: Sequence[Seat]) -> None:
        def work(connection: Connection) -> None:
            connection.exec_driver_sql("LOCK TABLE cluster_seats IN EXCLUSIVE MODE")
            connection.exec_driver_sql(
                "DELETE FROM cluster_seats WHERE owner = %s AND NOT run_id = ANY(%s)",
                (self._me, [seat.run_id for seat in held]),
            )
            self._add(connection, held)

        await self._do(work)

    async def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            await self._thread.close()

    def _exchange(
        self,
        connection: Connection,
        *,
        wanted: Sequence[Seat],
        left: Collection[ExecutionId],
        gone: Collection[str],
    ) -> Seated:
        connection.exec_driver_sql("LOCK TABLE cluster_seats IN EXCLUSIVE MODE")
        connection.exec_driver_sql(
            "DELETE FROM cluster_seats WHERE owner = %s AND run_id = ANY(%s) OR owner = ANY(%s)",
            (self._me, list(left), list(gone)),
        )
        rows = connection.exec_driver_sql(
            "SELECT run_id, owner, user_id, graph_id FROM cluster_seats"
        ).all()
        count = _Count(self._per_graph, self._per_user)
        owners: dict[str, str] = {}
        for row in rows:
            owners[row.run_id] = row.owner
            count.add(UserId(row.user_id), GraphId(row.graph_id))
        new = [seat for seat in wanted if seat.run_id not in owners and count.takes(seat)]
        self._add(connection, new)
        mine = {seat.run_id for seat in wanted if owners.get(seat.run_id) == self._me}
        return Seated(
            taken=frozenset({*mine, *(seat.run_id for seat in new)}),
            full_graphs=frozenset(count.full_graphs),
            full_users=frozenset(count.full_users),
        )

    def _add(self, connection: Connection, seats: Sequence[Seat]) -> None:
        if seats:
            connection.exec_driver_sql(
                "INSERT INTO cluster_seats (run_id, owner, user_id, graph_id)"
                " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])"
                " ON CONFLICT DO NOTHING",
                (
                    [seat.run_id for seat in seats],
                    [self._me] * len(seats),
                    [seat.user_id for seat in seats],
                    [seat.graph_id for seat in seats],
                ),
            )

    async def _do(self, work: Callable[[Connection], T]) -> T:
        try:
            return await self._thread.call(partial(_in_transaction, work=work))
        except DBAPIError as exc:
            raise Unavailable(f"the database does not answer: {exc.orig}") from exc


class _Count:
    """Runs by user and graph, and who came to a limit."""

    def __init__(self, per_graph: int, per_user: int) -> None:
        self._per_graph = per_graph
        self._per_user = per_user
        self._graphs: dict[Key, int] = {}
        self._users: dict[UserId, int] = {}
        self.full_graphs: set[Key] = set()
        self.full_users: set[UserId] = set()

    def add(self, user_id: UserId, graph_id: GraphId) -> None:
        """Count a run."""
        key = (user_id, graph_id)
        self._graphs[key] = self._graphs.get(key, 0) + 1
        self._users[user_id] = self._users.get(user_id, 0) + 1

    def takes(self, seat: Seat) -> bool:
        """Count *seat* if there is room for it; say so."""
        key = (seat.user_id, seat.graph_id)
        if self._graphs.get(key, 0) >= self._per_graph:
            self.full_graphs.add(key)
            return False
        if self._per_user and self._users.get(seat.user_id, 0) >= self._per_user:
            self.full_users.add(seat.user_id)
            return False
        self.add(*key)
        return True


def _in_transaction(connection: Connection, work: Callable[[Connection], T]) -> T:
    connection.exec_driver_sql("BEGIN ISOLATION LEVEL READ COMMITTED")
    try:
        # They need not survive a power cut: who took them does not either, or takes them again.
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        result = work(connection)
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        if not connection.invalidated:
            raw: psycopg.Connection[Any] | Any = connection.connection.dbapi_connection
            raw.rollback()
        raise
    return result
