"""Alerts on agents, and the runs that come before them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final, cast

from sqlalchemy import (
    Connection,
    Row,
    and_,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from backend.adapters.storage import graphs as graph_rows
from backend.adapters.storage import notices
from backend.adapters.storage.database import Database
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables import executions, graphs, node_executions
from backend.adapters.storage.tables_alerts import agent_alerts, alert_cursor, alert_runs
from backend.core import json
from backend.core.alerts import AlertKind, AlertRule, EndedRun, FailedStep, takes_failure
from backend.core.errors import BadRequest, Conflict, NotFound
from backend.core.execution import RunStats
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.status import Status
from backend.ports.alerts import Judged, Look

_A: Final = agent_alerts.c
_E: Final = executions.c
_N: Final = node_executions.c
_C: Final = alert_cursor.c
_ENDS: Final = (Status.COMPLETED.value, Status.FAILED.value)
_S_US: Final = 1_000_000
#: With one judgement at most so many judged runs are forgotten: the transaction must stay short.
_FORGET_AT_ONCE: Final = 2_000
_SILENT_AT_ONCE: Final = 500
#: Failed nodes of one run that are looked at; who has more of them than that will hear of one.
_FAILED_NODES: Final = 100


class SqlAlerts:
    """See backend.ports.alerts: both sides."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, rule: AlertRule, *, most: int) -> None:
        await self._database.write(lambda c: add(c, rule, most), about=rule.id)

    async def listed(self, user_id: UserId, graph_id: GraphId) -> list[AlertRule]:
        return await self._database.read(lambda c: listed(c, user_id, graph_id))

    async def get(self, user_id: UserId, graph_id: GraphId, alert_id: str) -> AlertRule | None:
        return await self._database.read(lambda c: get(c, user_id, graph_id, alert_id))

    async def change(self, rule: AlertRule) -> bool:
        return await self._database.write(lambda c: change(c, rule), about=rule.id)

    async def remove(self, user_id: UserId, graph_id: GraphId, alert_id: str) -> bool:
        return await self._database.write(lambda c: remove(c, user_id, graph_id, alert_id))

    async def look(self, *, now_us: int, back_us: int, limit: int) -> Look:
        return await self._database.read(lambda c: look(c, now_us, back_us, limit))

    async def failed_step(self, run_id: ExecutionId) -> FailedStep | None:
        return await self._database.read(lambda c: failed_step(c, run_id))

    async def save(self, judged: Judged) -> bool:
        try:
            await self._database.write(lambda c: save(c, judged))
        except Conflict:
            return False
        return True


def add(connection: Connection, rule: AlertRule, most: int) -> None:
    """Save a rule; see AgentAlerts.add."""
    is_theirs = exists().where(graphs.c.id == rule.graph_id, graphs.c.user_id == rule.user_id)
    if not connection.execute(select(is_theirs)).scalar():
        raise NotFound(f"Graph #{rule.graph_id} not found.")
    count = connection.execute(
        select(func.count())
        .select_from(agent_alerts)
        .where(_A.user_id == rule.user_id, _A.graph_id == rule.graph_id)
    ).scalar_one()
    if count >= most:
        raise BadRequest(f"the agent has {most} alerts already; delete some first")
    connection.execute(insert(agent_alerts).values(_values(rule)))


def listed(connection: Connection, user_id: UserId, graph_id: GraphId) -> list[AlertRule]:
    """Return the rules of an agent."""
    found = connection.execute(
        select(agent_alerts)
        .where(_A.user_id == user_id, _A.graph_id == graph_id)
        .order_by(_A.created_us, _A.id)
    )
    return [_rule(row) for row in found]


def get(
    connection: Connection, user_id: UserId, graph_id: GraphId, alert_id: str
) -> AlertRule | None:
    """Return a rule."""
    row = connection.execute(
        select(agent_alerts).where(
            _A.id == alert_id, _A.user_id == user_id, _A.graph_id == graph_id
        )
    ).first()
    return None if row is None else _rule(row)


def change(connection: Connection, rule: AlertRule) -> bool:
    """Save a rule as its next revision."""
    changed = connection.execute(
        update(agent_alerts)
        .where(_A.id == rule.id, _A.user_id == rule.user_id, _A.revision == rule.revision)
        .values({**_values(rule), "revision": rule.revision + 1})
    )
    return changed.rowcount > 0


def remove(connection: Connection, user_id: UserId, graph_id: GraphId, alert_id: str) -> bool:
    """Delete a rule."""
    gone = connection.execute(
        delete(agent_alerts).where(
            _A.id == alert_id, _A.user_id == user_id, _A.graph_id == graph_id
        )
    )
    return gone.rowcount > 0


def look(connection: Connection, now_us: int, back_us: int, limit: int) -> Look:
    """Return what is to be judged; see AlertLooks.look."""
    cursor = connection.execute(select(alert_cursor)).first()
    first_us = connection.execute(select(func.min(_A.since_us))).scalar()
    known_us, revision = (None, 0) if cursor is None else (cursor.ended_us, cursor.revision)
    if first_us is None:
        return Look(
            runs=(), rules=(), silent=(), cursor_us=known_us, revision=revision, has_rules=False
        )
    # A clock that was set back ends runs before those that were judged.
    start_us = min(now_us, now_us if known_us is None else known_us) - back_us
    runs = _runs(connection, max(start_us, first_us), limit)
    return Look(
        runs=runs,
        rules=_rules_of(connection, runs),
        silent=_silent(connection, now_us),
        cursor_us=known_us,
        revision=revision,
        has_rules=True,
    )


def _runs(connection: Connection, start_us: int, limit: int) -> list[EndedRun]:
    name = (
        select(graphs.c.name)
        .where(graphs.c.id == _E.graph_id, graphs.c.version == _E.graph_version)
        .scalar_subquery()
    )
    found = connection.execute(
        select(
            _E.id,
            _E.user_id,
            _E.graph_id,
            _E.graph_version,
            _E.status,
            _E.ended_us,
            _E.stats,
            _E.parked,
            name.label("name"),
        )
        .where(
            _E.ended_us >= start_us,
            _E.ended_us.is_not(None),
            _E.parent_id.is_(None),
            or_(_E.status.in_(_ENDS), _E.parked.is_not(None)),
            exists().where(_A.user_id == _E.user_id, _A.graph_id == _E.graph_id),
            ~exists().where(alert_runs.c.run_id == _E.id),
        )
        .order_by(_E.ended_us)
        .limit(limit)
    )
    runs = [_ended(connection, cast("Row[Any]", row)) for row in found.all()]
    return sorted(runs, key=lambda run: (run.ended_us, run.id))


def _ended(connection: Connection, row: Row[Any]) -> EndedRun:
    stats = RunStats.of(json.loads(row.stats)) if row.stats else RunStats()
    has_errors = row.status == Status.COMPLETED.value and stats.node_error_count > 0
    return EndedRun(
        id=ExecutionId(row.id),
        user_id=UserId(row.user_id),
        graph_id=GraphId(row.graph_id),
        agent_name=row.name or "an agent",
        # A parked one has gone wrong, until somebody retries it.
        status=Status(row.status) if row.parked is None else Status.FAILED,
        ended_us=row.ended_us,
        duration_s=stats.duration_s,
        credits=stats.cost,
        model_micro_usd=stats.models.cost_micro_usd,
        error=stats.error or "",
        broken_step=_broken_step(connection, row) if has_errors else None,
    )


def _broken_step(connection: Connection, run: Row[Any]) -> FailedStep | None:
    """Return the first failed step of a run whose error its graph does not take."""
    # One step of each node: a node may have failed for each of a hundred thousand items.
    first = (
        select(func.min(_N.ordinal).label("ordinal"))
        .where(_N.run_id == run.id, _N.status == Status.FAILED.value)
        .group_by(_N.node_id)
        .order_by(literal_column("ordinal"))
        .limit(_FAILED_NODES)
    ).subquery()
    found = connection.execute(
        select(_N.id, _N.node_id, _N.block_id, _N.error)
        .where(_N.run_id == run.id, _N.ordinal.in_(select(first.c.ordinal)))
        .order_by(_N.ordinal)
    ).all()
    graph = graph_rows.get(
        connection, UserId(run.user_id), GraphId(run.graph_id), run.graph_version
    )
    for row in found:
        if graph is None or not takes_failure(graph, row.node_id):
            return _step(cast("Row[Any]", row))
    return None


def _step(row: Row[Any]) -> FailedStep:
    return FailedStep(id=row.id, node_id=row.node_id, block_id=row.block_id, error=row.error or "")


def _rules_of(connection: Connection, runs: Sequence[EndedRun]) -> list[AlertRule]:
    if not runs:
        return []
    found = connection.execute(
        select(agent_alerts)
        .where(
            # A graph is its owner's; the owners are for the index.
            _A.user_id.in_({run.user_id for run in runs}),
            _A.graph_id.in_({run.graph_id for run in runs}),
        )
        .order_by(_A.created_us, _A.id)
    )
    return [_rule(row) for row in found]


def _silent(connection: Connection, now_us: int) -> list[tuple[AlertRule, str, int | None]]:
    last = (
        select(_E.created_us)
        .where(_E.graph_id == _A.graph_id, _E.user_id == _A.user_id, _E.is_deleted.is_(False))
        .order_by(_E.created_us.desc())
        .limit(1)
        .scalar_subquery()
    )
    name = (
        select(graphs.c.name)
        .where(graphs.c.id == _A.graph_id, graphs.c.user_id == _A.user_id)
        .order_by(graphs.c.version.desc())
        .limit(1)
        .scalar_subquery()
    )
    for_us = _A.threshold * _S_US
    begun_us = func.coalesce(_A.last_run_us, 0)
    found = connection.execute(
        select(agent_alerts, last.label("last"), name.label("name"))
        .where(
            # As the index names them: a value that is bound would not choose it.
            _A.kind == literal_column(f"'{AlertKind.NO_RUN_FOR.value}'"),
            _A.is_active.is_(True),
            _A.since_us + for_us < now_us,
            begun_us + for_us < now_us,
            # Told already: unless a run was started since, there is nothing new.
            or_(_A.silence_us.is_(None), and_(last.is_not(None), last > _A.silence_us)),
        )
        .limit(_SILENT_AT_ONCE)
    )
    return [(_rule(row), row.name or "an agent", row.last) for row in found]


def failed_step(connection: Connection, run_id: ExecutionId) -> FailedStep | None:
    """Return the step of a run that failed first."""
    row = connection.execute(
        select(_N.id, _N.node_id, _N.block_id, _N.error)
        .where(_N.run_id == run_id, _N.status == Status.FAILED.value)
        .order_by(_N.ordinal)
        .limit(1)
    ).first()
    return None if row is None else _step(cast("Row[Any]", row))


def save(connection: Connection, judged: Judged) -> None:
    """Save what came of a look; raises Conflict if it was not the newest, with nothing done."""
    seen = judged.look
    moved = {"ended_us": judged.cursor_us, "revision": seen.revision + 1}
    if seen.cursor_us is None:
        made = connection.execute(
            insert_on(connection, alert_cursor).values(id=1, **moved).on_conflict_do_nothing()
        )
    else:
        made = connection.execute(
            update(alert_cursor).where(_C.id == 1, _C.revision == seen.revision).values(moved)
        )
    if not made.rowcount:
        raise Conflict("somebody else has judged these runs")
    for rule in judged.rules:
        if not change(connection, rule):
            raise Conflict("a rule was changed meanwhile")
    if seen.runs:
        connection.execute(
            insert_on(connection, alert_runs).on_conflict_do_nothing(),
            [{"run_id": run.id, "ended_us": run.ended_us} for run in seen.runs],
        )
    notices.add(connection, judged.notices)
    old = (
        select(alert_runs.c.run_id)
        .where(alert_runs.c.ended_us < judged.forget_before_us)
        .order_by(alert_runs.c.ended_us)
        .limit(_FORGET_AT_ONCE)
    )
    connection.execute(delete(alert_runs).where(alert_runs.c.run_id.in_(old)))


def _values(rule: AlertRule) -> dict[str, Any]:
    return {**asdict(rule), "kind": rule.kind.value}


def _rule(row: Row[Any]) -> AlertRule:
    return AlertRule(
        **{column.name: getattr(row, column.name) for column in agent_alerts.columns}
        | {
            "user_id": UserId(row.user_id),
            "graph_id": GraphId(row.graph_id),
            "kind": AlertKind(row.kind),
            "names_block": bool(row.names_block),
            "is_active": bool(row.is_active),
        }
    )
