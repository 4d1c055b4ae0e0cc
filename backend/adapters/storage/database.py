"""A database, two threads: one that writes, one that reads. Functions go in, rows come out.

A function takes a SQLAlchemy Connection and runs in a transaction of its own; a call costs one
hop to the thread and back. The same functions serve SQLite (sqlite.py) and PostgreSQL
(postgres.py).
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.sql.expression import ClauseElement

from backend.adapters.storage import audit
from backend.core.errors import Unavailable
from backend.ports.audit import Recording, current, made_id

T = TypeVar("T")
_Outcome = tuple[Any, BaseException | None]
Work = Callable[[Connection], T]

#: How long a writer waits for the other writers before it gives up.
BUSY_LIMIT_S: Final = 10.0
#: Its first pause; each is longer than the one before, up to the last.
FIRST_PAUSE_S: Final = 0.0002
LAST_PAUSE_S: Final = 0.005
#: Works that are committed together at most: a transaction must stay short.
GROUP_LIMIT: Final = 64


class Prepared:
    """A statement, compiled once; runs with dictionaries of its parameters, past all overhead."""

    def __init__(
        self, statement: ClauseElement | Callable[[str], ClauseElement], *columns: str
    ) -> None:
        """
        Take the statement, or a function that makes it for a dialect.

        Args:
            columns: The parameters, in the order in which rows give them.
        """
        self._statement = statement
        self._columns = columns
        self._sql: dict[str, str] = {}

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> int:
        """Run once for each of *rows*; return how many rows of the table were touched."""
        if not rows:
            return 0
        dialect = connection.dialect
        sql = self._sql.get(dialect.name)
        if sql is None:
            made = self._statement
            statement = made(dialect.name) if callable(made) else made
            compiled = statement.compile(dialect=dialect, column_keys=list(self._columns))
            order = tuple(getattr(compiled, "positiontup", None) or ())
            if order != self._columns:
                raise AssertionError(f"parameters come as {order}, not as {self._columns}")
            sql = self._sql[dialect.name] = str(compiled)
        return connection.exec_driver_sql(sql, [tuple(row) for row in rows]).rowcount


class Database(ABC):
    """
    The database of one process, whichever it is: one thread that writes, one that reads.

    Attributes:
        path: Of SQLite its file, else its address, without a password.
        busy_waits: How often a writer found another writer's lock, or had to begin anew for it.
    """

    def __init__(
        self,
        path: str,
        *,
        open_writer: Callable[[], Connection],
        open_reader: Callable[[], Connection],
    ) -> None:
        self.path = path
        self._writer = DatabaseThread(open_writer, "agpt-db-write")
        self._reader = DatabaseThread(open_reader, "agpt-db-read")
        self._queue: list[tuple[Work[Any], asyncio.Future[Any]]] = []
        self._committer: asyncio.Task[None] | None = None
        self.busy_waits = 0
        self.commits = 0
        self.grouped = 0
        self._closed = False

    async def read(self, work: Work[T]) -> T:
        """Run *work* against a consistent snapshot."""
        return await self._reader.call(lambda connection: self._in_snapshot(connection, work))

    async def write(self, work: Work[T], *, about: str = "", incidental: bool = False) -> T:
        """
        Run *work* in a transaction; commit it, or roll it back when it raises.

        What is being recorded for the audit log gets its row in the same transaction, with the
        first work that changes something.

        Args:
            about: The id of what is changed, where neither a request nor the result tells it.
            incidental: It is not what somebody asked for.
        """
        recording = None if incidental else current()
        if recording is not None and recording.is_wanted:
            return await self._write_recorded(work, recording, about)
        return await self._writer.call(lambda connection: self._in_transaction(connection, work))

    async def write_own(self, work: Work[T]) -> T:
        """
        Like `write`, for *work* that decides by nothing but rows that it changes itself.

        Where several may write at once, it need not be kept apart from those who change others.
        """
        return await self._writer.call(
            lambda connection: self._in_own_transaction(connection, work)
        )

    async def _write_recorded(self, work: Work[T], recording: Recording, about: str) -> T:
        def change(connection: Connection) -> tuple[T, bool]:
            result = work(connection)
            # These say that nothing was there to be changed.
            is_change = not (result is False or (isinstance(result, int) and result == 0))
            is_first = is_change and recording.is_wanted
            if is_first:
                audit.append(connection, recording.entry(object_id=about or made_id(result)))
            return result, is_first

        def write(connection: Connection) -> T:
            result, is_first = self._in_transaction(connection, change)
            # Here, after the commit, and in the one thread that writes: of works that were asked
            # for at once, one has the row.
            recording.is_saved = recording.is_saved or is_first
            return result

        return await self._writer.call(write)

    async def write_grouped(self, work: Work[T]) -> T:
        """
        Like `write`, but committed together with what others ask for at the same time.

        A work that raises harms only itself. Order among works of one group is the order of the
        calls.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append((work, future))
        if self._committer is None:
            self._committer = asyncio.create_task(self._commit_groups())
        return await future

    async def free_rows(self, owners: Collection[str]) -> int:
        """See backend.ports.node_steps.NodeSteps. Of SQLite the system ends them: it has one executor."""
        del owners
        return 0

    async def close(self) -> None:
        """Wait for what is under way, then close both connections; twice is harmless."""
        if self._closed:
            return
        self._closed = True
        while self._committer is not None:
            await asyncio.wait([self._committer])
        await self._writer.close()
        await self._reader.close()

    async def _commit_groups(self) -> None:
        try:
            while self._queue:
                group, self._queue = self._queue[:GROUP_LIMIT], self._queue[GROUP_LIMIT:]
                works = [work for work, _ in group]
                outcomes: list[_Outcome] = []
                try:
                    await self._writer.call(
                        partial(self._run_group, works=works, outcomes=outcomes)
                    )
                except Exception as exc:  # noqa: BLE001 - border: every caller waits for an answer
                    outcomes += [(None, exc)] * (len(group) - len(outcomes))
                self.grouped += len(group)
                for (_, future), (result, error) in zip(group, outcomes, strict=True):
                    if future.done():
                        continue  # its caller was cancelled; the row is there all the same
                    if error is not None:
                        future.set_exception(error)
                    else:
                        future.set_result(result)
        finally:
            self._committer = None

    def _run_group(
        self, connection: Connection, works: Sequence[Work[Any]], outcomes: list[_Outcome]
    ) -> None:
        """Add what became of *works*; after a lost connection, of those that are not done yet."""
        if not outcomes and len(works) > 1:
            results, error = self._tried(connection, lambda c: [work(c) for work in works])
            if error is None:
                outcomes += [(result, None) for result in results]
            elif connection.invalidated and isinstance(error, Unavailable):
                # The commit of all was not answered: it may have been made, and none is done anew.
                outcomes += [(None, error)] * len(works)
        for work in works[len(outcomes) :]:
            if connection.invalidated:
                raise NothingKept  # of those that are left
            outcomes.append(self._tried(connection, work))

    def _tried(self, connection: Connection, work: Work[Any]) -> _Outcome:
        try:
            return self._in_transaction(connection, work), None
        except NothingKept:
            raise  # what is not done yet is done anew, on another connection
        except Exception as exc:  # noqa: BLE001 - border: one work's error is not another's
            return None, exc

    @abstractmethod
    def _in_transaction(self, connection: Connection, work: Work[T]) -> T:
        """Run *work* in a transaction that nobody else's comes between."""

    def _in_own_transaction(self, connection: Connection, work: Work[T]) -> T:
        """Run *work* in a transaction; whoever changes the same rows comes before or after it."""
        return self._in_transaction(connection, work)

    @abstractmethod
    def _in_snapshot(self, connection: Connection, work: Work[T]) -> T:
        """Run *work*, which changes nothing, against one state of the database."""


class NothingKept(Exception):
    """The connection ended before a commit was asked for: another one may do the work anew."""


class DatabaseThread:
    """One thread with one connection, opened on first use."""

    def __init__(self, connect: Callable[[], Connection], name: str) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def call(self, work: Work[T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._run, work)

    def _run(self, work: Work[T]) -> T:
        limit = time.monotonic() + BUSY_LIMIT_S
        while True:
            connection = self._opened()
            try:
                return work(connection)
            except NothingKept as exc:
                if time.monotonic() > limit:
                    why = exc.__cause__ or "connections to it end"
                    raise Unavailable(f"the database does not answer: {why}") from exc
            finally:
                # What has broken is not used again: the next one who asks opens another.
                if connection.invalidated:
                    self._shut()

    def _opened(self) -> Connection:
        if self._connection is None:
            try:
                self._connection = self._connect()
            except OperationalError as exc:
                raise Unavailable(f"the database cannot be opened: {exc.orig}") from exc
        return self._connection

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._pool, self._shut)
        self._pool.shutdown(wait=False)

    def _shut(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
