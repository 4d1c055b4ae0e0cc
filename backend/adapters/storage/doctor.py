"""What the doctor reads, from the SQLite file, opened so that nothing can be written to it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    create_engine,
    func,
    inspect,
    literal_column,
    select,
)
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from backend.adapters.database_place import Place, place_at
from backend.adapters.storage.accounts import owner_may_act
from backend.adapters.storage.doctor_more import MORE_LOOKS, MORE_QUERIES
from backend.adapters.storage.doctor_rules import LOOKS, QUERIES, stream
from backend.adapters.storage.doctor_values import FOLDER, STORE
from backend.adapters.storage.rows import timetable
from backend.adapters.storage.schedules import IS_FREE
from backend.adapters.storage.tables import (
    executions,
    graphs,
    node_executions,
    node_outputs,
    schedules,
    system_jobs,
    users,
)
from backend.adapters.storage.tables_jobs import system_job_runs
from backend.adapters.storage.tables_mail import mail_bounces, notices
from backend.adapters.storage.value_files import FILES
from backend.adapters.storage.why import SqlRunRows
from backend.core.errors import NotFound, Unavailable
from backend.core.ids import ExecutionId
from backend.core.preferences import MAX_BOUNCES
from backend.core.records import NoticeStatus, Timetable
from backend.core.status import FINAL, Status
from backend.ports.doctor import Broken, FailedNotices, Rule
from backend.ports.why import RunRows

_E: Final = executions.c
_N: Final = node_executions.c
_G: Final = graphs.c
_S: Final = schedules.c
_M: Final = notices.c
_J: Final = system_jobs.c
_R: Final = system_job_runs.c
_SCHEDULES: Final = select(
    _S.id, _S.cron, _S.timezone, _S.rules, _S.created_us, _S.next_us, _S.paused_because
)
_UNENDED: Final = tuple(status.value for status in Status if status not in FINAL)
_QUEUED: Final = Status.QUEUED.value
_RUNNING: Final = Status.RUNNING.value
_REVIEW: Final = Status.REVIEW.value
_BUSY_S: Final = 5.0
#: Nodes of a run that does not move that are named.
_NAMED: Final = 3


@contextmanager
def examine(where: Place | Path) -> Iterator["SqlRecords"]:
    """
    Open the database at *where* to look at it; nothing can be written.

    Raises:
        NotFound: If there is no such file.
        Unavailable: If it is no database that can be read, now or later in the `with`.
    """
    with reading(where) as connection:
        yield SqlRecords(connection)


@contextmanager
def reading(where: Place | Path) -> Iterator[Connection]:
    """Give a connection that only reads; see `examine`."""
    place = place_at(where)
    engine = _engine_for(place)
    try:
        with engine.connect() as connection:
            if place.url:
                connection.info[FOLDER] = place.path.parent / FILES
                # A look takes as long as there are rows, and files between them.
                for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
                    connection.exec_driver_sql(f"SET {limit} = 0")
            if place.values is not None:
                connection.info[STORE] = place.values
            yield connection
    except DatabaseError as exc:
        raise Unavailable(f"The database {place} cannot be read: {_why(place, exc)}.") from exc
    finally:
        engine.dispose()


def _why(place: Place, error: DatabaseError) -> str:
    if place.url:
        from backend.adapters.storage.postgres_refusals import why  # noqa: PLC0415 - see dialects.py

        return why(error)
    return str(error.orig)


def _engine_for(place: Place) -> Engine:
    if place.url:
        from backend.adapters.storage.postgres import DOCTOR, reading_engine  # noqa: PLC0415 - see dialects.py

        return reading_engine(place.url, application=DOCTOR)
    if not place.path.is_file():
        raise NotFound(f"There is no database at {place}: no server has been started on it yet.")
    return create_engine(
        f"sqlite:///file:{quote(str(place.path.absolute()))}?mode=ro&uri=true",
        poolclass=NullPool,
        # Each statement is a snapshot of its own: a long one would keep the WAL from shrinking.
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": _BUSY_S},
    )


@dataclass(frozen=True, kw_only=True)
class LastJob:
    """The last time of one of the server's own jobs."""

    name: str
    started_us: int
    ended_us: int
    result: str


def last_jobs(where: Place | Path) -> list[LastJob]:
    """Return the last time of each job; raises as `examine` does."""
    with reading(where) as connection:
        found = connection.execute(
            select(_J.name, _J.started_us, _J.ended_us, _J.result)
            .where(_J.ended_us > 0)  # one that was never run is only due
            .order_by(_J.name)
        ).all()
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

    def late_schedules(self, *, before_us: int) -> Iterator[Timetable]:
        late = _SCHEDULES.where(_S.next_us < before_us, owner_may_act(_S.user_id), IS_FREE)
        return self._timetables(late)

    def schedules(self) -> Iterator[Timetable]:
        return self._timetables(_SCHEDULES)

    def _timetables(self, query: Select[Any]) -> Iterator[Timetable]:
        for row in stream(self._connection, query):
            # Rules that cannot be read are found where all columns of JSON are looked at.
            with suppress(TypeError, ValueError):
                yield timetable(row)

    def still_runs(self, *, before_us: int, limit: int) -> list[ExecutionId]:
        found = self._connection.execute(
            select(_E.id)
            .where(_E.status.in_(_UNENDED), _E.updated_us <= before_us)
            .order_by(_E.updated_us)
            .limit(limit)
        )
        return [ExecutionId(row.id) for row in found]

    def overdue_notices(self, *, before_us: int) -> int:
        # One that is to leave at once is due since ever: it cannot be late before it was there.
        overdue = (
            _M.status == NoticeStatus.QUEUED.value,
            _M.next_us < before_us,
            _M.created_us < before_us,
        )
        return int(self._one(select(func.count()).select_from(notices).where(*overdue)) or 0)

    def failed_notices(self) -> FailedNotices:
        failed = _M.status == literal_column("'FAILED'")
        count = int(self._one(select(func.count()).select_from(notices).where(failed)) or 0)
        newest = select(_M.error).where(failed).order_by(_M.created_us.desc()).limit(1)
        refusing = (
            select(func.count())
            .select_from(users.join(mail_bounces, mail_bounces.c.address == users.c.email))
            .where(mail_bounces.c["count"] >= MAX_BOUNCES)
        )
        return FailedNotices(
            count=count,
            error=str(self._one(newest) or "") if count else "",
            addresses=int(self._one(refusing) or 0),
        )

    def failed_jobs(self) -> Iterator[Broken]:
        if not {system_jobs.name, system_job_runs.name} <= set(
            inspect(self._connection).get_table_names()
        ):
            return  # that is another rule's
        newest = (
            select(func.max(_R.started_us))
            .where(_R.job == _J.name)
            .correlate(system_jobs)
            .scalar_subquery()
        )
        failed = (
            select(_J.name, _R.error)
            .join(system_job_runs, _R.job == _J.name)
            .where(_J.every_us > 0, _R.started_us == newest, _R.ok.is_(False))
            .order_by(_J.name)
        )
        if not inspect(self._connection).has_table(system_jobs.name):
            return  # a rule of its own says so
        for row in self._connection.execute(failed):
            yield Broken(
                row=f"job {row.name}", detail=f"it failed the last time: {row.error}"[:400]
            )

    def _one(self, query: Select[Any]) -> Any:
        return self._connection.execute(query).scalar()
