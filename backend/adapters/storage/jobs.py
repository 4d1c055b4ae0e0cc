"""The server's own jobs in rows: due times, claims, histories."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, case, delete, func, or_, select, update

from backend.adapters.storage import notices
from backend.adapters.storage.database import Database
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables import executions, node_executions, system_jobs
from backend.adapters.storage.tables_accounts import accounts
from backend.adapters.storage.tables_jobs import system_job_runs
from backend.core.accounts import Role
from backend.core.ids import UserId
from backend.core.notices import About, agent_failed
from backend.core.status import Status
from backend.ports.jobs import JobRun, JobState, Outcomes

_J: Final = system_jobs.c
_R: Final = system_job_runs.c
_E: Final = executions.c
_N: Final = node_executions.c
_HOUR_US: Final = 3600 * 1_000_000
#: The same alert comes again after an hour, two, four, … and at last once a day.
_PAUSE_US: Final = (_HOUR_US, 24 * _HOUR_US)
#: A moment later than this cannot be a lease's end: the clock was set back.
_LONGEST_LEASE_US: Final = _HOUR_US
_FAILED: Final = Status.FAILED.value


class SqlJobs:
    """See backend.ports.jobs: SystemJobs and JobReports."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def declare(self, jobs: Mapping[str, int]) -> None:
        await self._database.write(lambda c: declare(c, jobs))

    async def states(self) -> list[JobState]:
        return await self._database.read(states)

    async def claim(self, name: str, *, now_us: int, held_until_us: int) -> bool:
        return await self._database.write(lambda c: claim(c, name, now_us, held_until_us))

    async def hold(self, name: str, *, held_until_us: int, until_us: int) -> bool:
        def write(connection: Connection) -> bool:
            held = connection.execute(
                update(system_jobs)
                .where(_J.name == name, _J.held_until_us == held_until_us)
                .values(held_until_us=until_us)
            )
            return held.rowcount > 0

        return await self._database.write(write)

    async def finish(
        self, run: JobRun, *, held_until_us: int, alert: str = "", keep: int = 100
    ) -> bool:
        return await self._database.write(lambda c: finish(c, run, held_until_us, alert, keep))

    async def ask(self, name: str, *, now_us: int) -> JobState | None:
        return await self._database.write(lambda c: ask(c, name, now_us), about=name)

    async def runs(self, name: str, *, limit: int) -> list[JobRun]:
        return await self._database.read(lambda c: runs(c, name, limit))

    async def blocks(self, *, since_us: int, runs: int) -> list[Outcomes]:
        return await self._database.read(lambda c: blocks(c, since_us, runs))

    async def agents(self, *, since_us: int, until_us: int, runs: int) -> list[Outcomes]:
        return await self._database.read(lambda c: agents(c, since_us, until_us, runs))


def declare(connection: Connection, jobs: Mapping[str, int]) -> None:
    """Note which jobs there are."""
    connection.execute(update(system_jobs).where(_J.name.not_in(list(jobs))).values(every_us=0))
    for name, every_us in jobs.items():
        connection.execute(
            insert_on(connection, system_jobs)
            .values(name=name, started_us=0, ended_us=0, result="", every_us=every_us)
            .on_conflict_do_update(index_elements=["name"], set_={"every_us": every_us})
        )


def states(connection: Connection) -> list[JobState]:
    """Return how declared jobs stand."""
    found = connection.execute(select(system_jobs).where(_J.every_us > 0).order_by(_J.name))
    return [_state(row) for row in found]


def claim(connection: Connection, name: str, now_us: int, held_until_us: int) -> bool:
    """Begin a job; see SystemJobs.claim."""
    claimed = connection.execute(
        update(system_jobs)
        .where(
            _J.name == name,
            _J.every_us > 0,
            or_(
                _J.due_us <= now_us,
                _J.requested_us.is_not(None),
                2 * (_J.due_us - now_us) > 3 * _J.every_us,  # the clock was set back
            ),
            or_(_J.held_until_us <= now_us, _J.held_until_us > now_us + _LONGEST_LEASE_US),
        )
        .values(due_us=now_us + _J.every_us, requested_us=None, held_until_us=held_until_us)
    )
    return claimed.rowcount > 0


def finish(connection: Connection, run: JobRun, held_until_us: int, alert: str, keep: int) -> bool:
    """Note what a job did; see SystemJobs.finish."""
    said = run.result if run.ok else f"failed: {run.error}"
    connection.execute(
        update(system_jobs)
        .where(_J.name == run.job)
        .values(started_us=run.started_us, ended_us=run.ended_us, result=said)
    )
    connection.execute(
        update(system_jobs)
        .where(_J.name == run.job, _J.held_until_us == held_until_us)
        .values(held_until_us=0)
    )
    connection.execute(
        insert_on(connection, system_job_runs)
        .values(
            job=run.job,
            started_us=run.started_us,
            ended_us=run.ended_us,
            ok=run.ok,
            result=run.result,
            error=run.error,
        )
        .on_conflict_do_nothing()
    )
    newest = (
        select(_R.started_us)
        .where(_R.job == run.job)
        .order_by(_R.started_us.desc())
        .limit(keep)
        .subquery()
    )
    oldest_kept = select(func.min(newest.c.started_us)).scalar_subquery()
    connection.execute(
        delete(system_job_runs).where(_R.job == run.job, _R.started_us < oldest_kept)
    )
    return _alert(connection, run, alert)


def _alert(connection: Connection, run: JobRun, alert: str) -> bool:
    row = connection.execute(select(_J.alerted_us, _J.alerts).where(_J.name == run.job)).one()
    if not alert:
        if row.alerts:
            connection.execute(update(system_jobs).where(_J.name == run.job).values(alerts=0))
        return False
    first_us, most_us = _PAUSE_US
    pause_us = min(first_us * 2 ** max(row.alerts - 1, 0), most_us)
    if row.alerts and 0 <= run.ended_us - row.alerted_us < pause_us:
        return False
    connection.execute(
        update(system_jobs)
        .where(_J.name == run.job)
        .values(alerted_us=run.ended_us, alerts=min(row.alerts + 1, 20))
    )
    administrators = connection.execute(
        select(accounts.c.user_id).where(
            accounts.c.role.in_((Role.OWNER.value, Role.ADMIN.value)),
            accounts.c.is_disabled.is_(False),
        )
    ).scalars()
    told = [
        agent_failed(
            About(
                user_id=UserId(user_id), agent_name="agpt-server", graph_id="", now_us=run.ended_us
            ),
            key=f"job:{run.job}:{run.started_us}:{user_id}",
            rule=f"the server's job {run.job}",
            error=alert,
            cause=f"job:{run.job}",
        )
        for user_id in administrators
    ]
    notices.add(connection, told)
    return True


def ask(connection: Connection, name: str, now_us: int) -> JobState | None:
    """Ask for a job to be run at once."""
    asked = connection.execute(
        update(system_jobs).where(_J.name == name, _J.every_us > 0).values(requested_us=now_us)
    )
    if not asked.rowcount:
        return None
    return _state(connection.execute(select(system_jobs).where(_J.name == name)).one())


def runs(connection: Connection, name: str, limit: int) -> list[JobRun]:
    """Return the newest runs of a job."""
    found = connection.execute(
        select(system_job_runs).where(_R.job == name).order_by(_R.started_us.desc()).limit(limit)
    )
    return [
        JobRun(
            job=row.job,
            started_us=row.started_us,
            ended_us=row.ended_us,
            ok=bool(row.ok),
            result=row.result,
            error=row.error,
        )
        for row in found
    ]


def blocks(connection: Connection, since_us: int, limit: int) -> list[Outcomes]:
    """Return how steps of recent runs ended, by block."""
    recent = (
        select(_E.id)
        .where(_E.ended_us >= since_us, _E.ended_us.is_not(None))
        .order_by(_E.ended_us.desc())
        .limit(limit)
        .subquery()
    )
    failed = func.sum(case((_N.status == _FAILED, 1), else_=0)).label("failed")
    found = connection.execute(
        select(_N.block_id.label("id"), func.count().label("number"), failed)
        .select_from(recent)
        .join(node_executions, _N.run_id == recent.c.id)
        .group_by(_N.block_id)
    )
    return [Outcomes(id=row.id, count=row.number, failed=row.failed) for row in found]


def agents(connection: Connection, since_us: int, until_us: int, limit: int) -> list[Outcomes]:
    """Return how recent runs ended, by graph; those that were stopped do not count."""
    recent = (
        select(_E.graph_id, _E.status)
        .where(
            _E.ended_us >= since_us,
            _E.ended_us < until_us,
            _E.ended_us.is_not(None),
            _E.parent_id.is_(None),
            _E.status.in_((Status.COMPLETED.value, _FAILED)),
        )
        .order_by(_E.ended_us.desc())
        .limit(limit)
        .subquery()
    )
    failed = func.sum(case((recent.c.status == _FAILED, 1), else_=0)).label("failed")
    found = connection.execute(
        select(recent.c.graph_id.label("id"), func.count().label("number"), failed).group_by(
            recent.c.graph_id
        )
    )
    return [Outcomes(id=row.id, count=row.number, failed=row.failed) for row in found]


def _state(row: Row[Any]) -> JobState:
    return JobState(
        name=row.name,
        every_us=row.every_us,
        due_us=row.due_us,
        requested_us=row.requested_us,
        held_until_us=row.held_until_us,
        started_us=row.started_us,
        ended_us=row.ended_us,
        result=row.result,
    )
