"""Parked runs: ended for whoever looks, with what they need to go on where somebody retries them.

A run is parked with all that is nested in it, and goes on with all of it.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, and_, case, func, select, update

from backend.adapters.storage import reviews as questions
from backend.adapters.storage import rows
from backend.adapters.storage.tables import executions, graphs, node_executions, reviews
from backend.core import json
from backend.core.errors import Conflict, NotFound
from backend.core.execution import RunStats
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.records import ParkedRun
from backend.core.reviews import PARKED, ReviewStatus
from backend.core.status import FINAL, Status, advance

_E: Final = executions.c
_N: Final = node_executions.c
_R: Final = reviews.c
_OPEN: Final = ("QUEUED", "RUNNING", "REVIEW")
_ENDED: Final = tuple(status.value for status in FINAL)
_PARKED: Final = Status.TERMINATED.value
#: All of them have ended; that says it to the index, which is small.
_IS_PARKED: Final = and_(_E.parked.is_not(None), _E.ended_us > 0)


def park(
    connection: Connection, run_id: ExecutionId, nodes: Mapping[int, Status], now_us: int
) -> None:
    """
    Park a run whose end is in this transaction, and what is nested in it.

    Args:
        nodes: How its node executions stood that ended with it, by ordinal.
    """
    connection.execute(
        update(executions)
        .where(_E.id == run_id)
        .values(parked=_kept(Status.QUEUED, {key: one.value for key, one in nodes.items()}))
    )
    questions.reject_open(connection, [run_id], PARKED, now_us)
    for row in _nested(connection, run_id):
        _park_nested(connection, row, now_us)


def _nested(connection: Connection, run_id: str) -> list[Any]:
    """Return the runs below a run that have not ended."""
    found: list[Any] = []
    above = [run_id]
    while above:
        below = connection.execute(
            select(_E.id, _E.status, _E.revision, _E.stats).where(_E.parent_id.in_(above))
        ).all()
        found += [row for row in below if row.status not in _ENDED]
        above = [row.id for row in below]
    return found


def _park_nested(connection: Connection, row: Any, now_us: int) -> None:
    nodes = {
        node.ordinal: node.status
        for node in connection.execute(
            select(_N.ordinal, _N.status)
            .where(_N.run_id == row.id, _N.status.in_(_OPEN))
            .order_by(_N.ordinal)
        )
    }
    revision = row.revision
    for ordinal in nodes:
        revision += 1
        connection.execute(
            update(node_executions)
            .where(_N.run_id == row.id, _N.ordinal == ordinal)
            .values(status=_PARKED, end_us=now_us, revision=revision)
        )
    connection.execute(
        update(executions)
        .where(_E.id == row.id)
        .values(
            status=advance(Status(row.status), Status.TERMINATED).value,
            # Who has it is refused from now on; who has only read it, by the revision.
            attempt=case((_E.attempt > 0, _E.attempt + 1), else_=0),
            revision=revision + 1,
            updated_us=now_us,
            ended_us=now_us,
            stats=row.stats or rows.stats_text(RunStats()),
            parked=_kept(Status(row.status), nodes),
        )
    )
    questions.reject_open(connection, [ExecutionId(row.id)], PARKED, now_us)


def _kept(status: Status, nodes: Mapping[int, str]) -> str:
    # One that was taken is taken again, by whoever is there then.
    again = Status.REVIEW if status is Status.REVIEW else Status.QUEUED
    return json.text({"status": again.value, "nodes": {str(key): nodes[key] for key in nodes}})


def retry(
    connection: Connection,
    run_id: ExecutionId,
    now_us: int,
    *,
    of: tuple[UserId, GraphId] | None = None,
) -> UserId:
    """
    Queue a parked run again, with all that is nested in it; return whose it is.

    Args:
        of: Its owner and its graph; None: whoever has it, an administrator asks.

    Raises:
        NotFound: If there is no such run.
        Conflict: If it is not parked.
    """
    query = select(_E.id, _E.user_id, _E.graph_id, _E.status, _E.parked, _E.parent_id).where(
        _E.id == run_id, _E.is_deleted.is_(False)
    )
    if of is not None:
        query = query.where(_E.user_id == of[0], _E.graph_id == of[1])
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"Graph execution #{run_id} not found.")
    if row.parked is None:
        raise Conflict(f"Graph execution #{run_id} is {row.status}, not parked; nothing to retry.")
    if row.parent_id is not None:
        raise Conflict(f"Graph execution #{run_id} is nested; retry the run that started it.")
    parked = select(_E.id, _E.status, _E.revision, _E.stats, _E.parked).where(
        _IS_PARKED, _E.root_id == run_id
    )
    for one in connection.execute(parked).all():
        _go_on(connection, one, now_us)
    return UserId(row.user_id)


def _go_on(connection: Connection, row: Any, now_us: int) -> None:
    kept = json.loads(row.parked)
    revision = row.revision
    for ordinal, status in kept["nodes"].items():
        revision += 1
        connection.execute(
            update(node_executions)
            .where(_N.run_id == row.id, _N.ordinal == int(ordinal), _N.status == _PARKED)
            .values(status=status, end_us=None, revision=revision)
        )
    stats = RunStats.of(json.loads(row.stats)) if row.stats else RunStats()
    stats.error = None
    connection.execute(
        update(executions)
        .where(_E.id == row.id)
        .values(
            status=_again(Status(row.status), kept["status"]).value,
            revision=revision + 1,
            updated_us=now_us,
            ended_us=None,
            stats=rows.stats_text(stats),
            parked=None,
            # Its attempts are counted anew.
            stalls=0,
            claim_revision=None,
        )
    )
    connection.execute(
        update(reviews)
        .where(
            _R.run_id == row.id,
            _R.status == ReviewStatus.REJECTED.value,
            _R.processed.is_(True),
            _R.message == PARKED,
        )
        .values(
            status=ReviewStatus.WAITING.value,
            message=None,
            processed=False,
            reviewed_us=None,
            updated_us=None,
        )
    )
    if kept["status"] == Status.REVIEW.value:
        # What it waited for, a budget's room, may have come meanwhile.
        questions.release(connection, row.id, now_us)


def _again(now: Status, kept: str) -> Status:
    queued = advance(now, Status.QUEUED)
    # A nested one that waited for people waits on: nobody has answered meanwhile.
    return Status.REVIEW if kept == Status.REVIEW.value else queued


def listed(connection: Connection, limit: int) -> list[ParkedRun]:
    """Return parked runs that no other started, the last parked first."""
    name = (
        select(graphs.c.name)
        .where(
            graphs.c.id == _E.graph_id,
            graphs.c.version == _E.graph_version,
            graphs.c.user_id == _E.user_id,
        )
        .scalar_subquery()
    )
    found = connection.execute(
        select(
            _E.id,
            _E.user_id,
            _E.graph_id,
            _E.graph_version,
            _E.ended_us,
            _E.created_us,
            _E.stats,
            func.coalesce(name, "").label("name"),
        )
        .where(
            _IS_PARKED,
            _E.parent_id.is_(None),
            _E.is_deleted.is_(False),
        )
        .order_by(_E.ended_us.desc())
        .limit(limit)
    )
    return [
        ParkedRun(
            id=ExecutionId(row.id),
            user_id=UserId(row.user_id),
            graph_id=GraphId(row.graph_id),
            graph_version=row.graph_version,
            graph_name=row.name,
            created_us=row.created_us,
            parked_us=row.ended_us,
            reason=(RunStats.of(json.loads(row.stats)) if row.stats else RunStats()).error or "",
        )
        for row in found
    ]
