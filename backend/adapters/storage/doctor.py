"""What the doctor reads, from the SQLite file, opened so that nothing can be written to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Select, create_engine, func, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from backend.adapters.storage.doctor_more import MORE_LOOKS, MORE_QUERIES
from backend.adapters.storage.doctor_rules import LOOKS, QUERIES, stream
from backend.adapters.storage.tables import (
    executions,
    graphs,
    node_executions,
    node_outputs,
    notices,
    schedules,
    system_jobs,
)
from backend.adapters.storage.why import SqlRunRows
from backend.core.errors import NotFound, Unavailable
from backend.core.ids import ExecutionId, ScheduleId
from backend.core.records import NoticeStatus
from backend.core.status import FINAL, Status
from backend.ports.doctor import Broken, Rule, ScheduleRow
from backend.ports.why import RunRows

_E: Final = executions.c
_N: Final = node_executions.c
_G: Final = graphs.c
_S: Final = schedules.c
_M: Final = notices.c
_SCHEDULES: Final = select(_S.id, _S.cron, _S.timezone, _S.next_us, _S.paused_because)
_UNENDED: Final = tuple(status.value for status in Status if status not in FINAL)
_QUEUED: Final = Status.QUEUED.value
_RUNNING: Final = Status.RUNNING.value
_REVIEW: Final = Status.REVIEW.value
_BUSY_S: Final = 5.0
#: Nodes of a run that does not move that are named.
_NAMED: Final = 3


@contextmanager
def examine(path: Path) -> Iterator["SqlRecords"]:
    """
    Open the SQLite file at *path* to look at it; nothing can be written.

    Raises:
        NotFound: If there is no such file.
        Unavailable: If it is no database that can be read, now or later in the `with`.
    """
    with reading(path) as connection:
        yield SqlRecords(connection)


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """Give a connection that only reads; see `examine`."""
    if not path.is_file():
        raise NotFound(f"There is no database at {path}: no server has been started on it yet.")
    engine = create_engine(
        f"sqlite:///file:{quote(str(path.absolute()))}?mode=ro&uri=true",
        poolclass=NullPool,
        # Each statement is a snapshot of its own: a long one would keep the WAL from shrinking.
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": _BUSY_S},
    )
    try:
        with engine.connect() as connection:
            yield connection
    except DatabaseError as exc:
        raise Unavailable(f"The database {path} cannot be read: {exc.orig}.") from exc
    finally:
        engine.dispose()


@dataclass(frozen=True, kw_only=True)
class LastJob:
    """The last time of one of the server's own jobs."""

    name: str
    started_us: int
    ended_us: int
    result: str


def last_jobs(path: Path) -> list[LastJob]:
    """Return the last time of each job; raises as `examine` does."""
    with reading(path) as connection:
        found = connection.execute(select(system_jobs).order_by(system_jobs.c.name)).all()
    return [LastJob(**row._mapping) for row in found]  # noqa: SLF001 -- its public name


class SqlRecords:
    """See backend.ports.doctor.Records."""

    def __init__(self, connection: Connection) -> None:
        self.runs: RunRows = SqlRunRows(connection)
        self._connection = connection

    def rows(self) -> int:
        total = 0
        for table in (executions, node_executions, node_outputs):
            total += int(self._one(select(func.count()).select_from(table)) or 0)
        return total

    def broken(self, rule: Rule) -> Iterator[Broken]:
        look = {**LOOKS, **MORE_LOOKS}.get(rule)
        if look is not None:
            yield from look(self._connection)
        for query, name, detail in {**QUERIES, **MORE_QUERIES}.get(rule, ()):
            for row in stream(self._connection, query):
                said = dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for it
                yield Broken(row=name.format(**said), detail=detail.format(**said))

    def schedules(self) -> Iterator[ScheduleRow]:
        for row in stream(self._connection, _SCHEDULES):
            yield ScheduleRow(
                id=ScheduleId(row.id),
                cron=row.cron,
                timezone=row.timezone,
                next_us=row.next_us,
                is_paused=row.paused_because is not None,
            )

    def still_runs(self, *, before_us: int, limit: int) -> list[ExecutionId]:
        found = self._connection.execute(
            select(_E.id)
            .where(_E.status.in_(_UNENDED), _E.updated_us <= before_us)
            .order_by(_E.updated_us)
            .limit(limit)
        )
        return [ExecutionId(row.id) for row in found]

    def overdue_notices(self, *, before_us: int) -> int:
        overdue = (_M.status == NoticeStatus.QUEUED.value, _M.next_us < before_us)
        return int(self._one(select(func.count()).select_from(notices).where(*overdue)) or 0)

    def _one(self, query: Select[Any]) -> Any:
        return self._connection.execute(query).scalar()
