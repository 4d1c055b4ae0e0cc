"""What idle services ask of their database again and again, asked once before they are forked.

SQLAlchemy then knows the statements. To learn them costs each service some megabytes.
"""

import sqlite3
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from sqlalchemy import Connection

from backend.adapters.storage import (
    alerts,
    engine,
    executions,
    holds,
    notices,
    reservations,
    schedules,
    stops,
    unfinished,
    users,
    watches,
    webhooks,
)
from backend.adapters.storage.account_storage import SqlAccounts
from backend.adapters.storage.audit_log import SqlAuditLog
from backend.adapters.storage.chats import SqlChatRetention
from backend.adapters.storage.database import Database, Work
from backend.adapters.storage.deliveries import SqlDeliveries
from backend.adapters.storage.jobs import SqlJobs
from backend.adapters.storage.migrate import create
from backend.adapters.storage.notice_queue import SqlNoticeQueue
from backend.adapters.storage.notice_sends import SqlSendQueue
from backend.adapters.storage.oauth import SqlOAuth
from backend.adapters.storage.preferences import SqlPreferences
from backend.adapters.storage.retention import SqlRetention
from backend.adapters.storage.summaries import SqlSummaryFacts
from backend.adapters.storage.value_files import ValueFiles
from backend.adapters.storage.values import Values
from backend.core.ids import DEFAULT_USER_ID
from backend.ports.jobs import JobRun

T = TypeVar("T")
Asked: TypeAlias = Coroutine[Any, Any, object]

_JOB: Final = "warm"


def warm() -> None:
    """Ask it of an empty database in memory. Leaves no connection and no thread behind."""
    with engine.connect(_empty) as connection:
        _sweeps(connection)
        for asked in _asked(_Direct(connection)):
            _at_once(asked)


def _sweeps(connection: Connection) -> None:
    connection.exec_driver_sql("SELECT 1").scalar()
    users.get(connection, DEFAULT_USER_ID)
    unfinished.unfinished(connection, 1, ())
    stops.stops_asked(connection)
    holds.listed(connection)
    schedules.due(connection, 0, 1)
    schedules.next_fire(connection)
    notices.due(connection, 0, 1)
    alerts.look(connection, 0, 0, 1)
    watches.next_us(connection)
    executions.stuck(connection, _values().brief(), 0, 1)
    reservations.free(connection, 0)
    webhooks.due(connection, 0, 1)


def _asked(database: "_Direct") -> Iterator[Asked]:
    yield from _jobs(SqlJobs(database))
    yield from _notices(database)
    yield SqlAccounts(database).ensure_owner(DEFAULT_USER_ID, now_us=0)
    yield SqlOAuth(database).forget(now_us=0)
    facts = SqlSummaryFacts(database)
    yield facts.people(after=None, limit=1)
    yield facts.people(after=DEFAULT_USER_ID, limit=1)
    yield facts.known([_JOB])
    yield facts.totals(DEFAULT_USER_ID, start_us=0, end_us=0, agents=1)
    yield from _retention(SqlRetention(database))
    yield from _deliveries(database)
    yield SqlAuditLog(database).expire(before_us=0, now_us=0, limit=1)
    yield SqlChatRetention(database).delete_old(0, limit=1)


def _jobs(jobs: SqlJobs) -> Iterator[Asked]:
    run = JobRun(job=_JOB, started_us=0, ended_us=0, ok=True, result="", error="")
    yield jobs.declare({_JOB: 1})
    yield jobs.states()
    yield jobs.claim(_JOB, now_us=0, held_until_us=0)
    yield jobs.hold(_JOB, held_until_us=0, until_us=0)
    yield jobs.finish(run, held_until_us=0)
    yield jobs.blocks(since_us=0, runs=1)
    yield jobs.agents(since_us=0, until_us=0, runs=1)


def _notices(database: "_Direct") -> Iterator[Asked]:
    yield SqlNoticeQueue(database).failed()
    sends = SqlSendQueue(database)
    yield sends.unrouted(1)
    yield sends.release(now_us=0, limit=1)
    yield sends.due(now_us=0, limit=1, but=())
    yield SqlPreferences(database).some([DEFAULT_USER_ID], now_us=0)


def _retention(rows: SqlRetention) -> Iterator[Asked]:
    yield rows.not_before_us()
    yield rows.runs_ended_before(0, after=None, limit=1)
    yield rows.clear(rows=1)
    yield rows.delete_notices(0, limit=1)
    yield rows.delete_fires(0, limit=1)
    yield rows.delete_answers(0, limit=1)
    yield rows.fold_usage("", limit=1)
    yield rows.delete_usage("", limit=1)


def _deliveries(database: "_Direct") -> Iterator[Asked]:
    rows = SqlDeliveries(database, _values(), days=1, kept=1, key_days=1, keys=1)
    yield rows.waiting(now_us=0, limit=1)
    yield rows.expire(now_us=0, limit=1)


def _values() -> Values:
    return Values(ValueFiles(Path(), durable=False))


class _Direct(Database):
    """A database without threads: no event loop may exist before the fork."""

    def __init__(self, connection: Connection) -> None:
        super().__init__("", open_writer=lambda: connection, open_reader=lambda: connection)
        self._connection = connection

    async def read(self, work: Work[T]) -> T:
        return work(self._connection)

    async def write(self, work: Work[T], *, about: str = "", incidental: bool = False) -> T:
        del about, incidental
        return work(self._connection)

    def _in_transaction(self, connection: Connection, work: Work[T]) -> T:
        return work(connection)

    def _in_snapshot(self, connection: Connection, work: Work[T]) -> T:
        return work(connection)


def _at_once(asked: Asked) -> None:
    """Run what waits for nothing to its end."""
    try:
        asked.send(None)
    except StopIteration:
        return
    asked.close()
    raise AssertionError("what is asked of a database without threads waits for something")


def _empty() -> sqlite3.Connection:
    raw = sqlite3.connect(":memory:", isolation_level=None)
    create(raw)
    return raw
