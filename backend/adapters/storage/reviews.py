"""Questions to people and their answers."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from backend.adapters.storage import packed
from backend.adapters.storage.database import Prepared
from backend.adapters.storage.dialects import insert_for, insert_on
from backend.adapters.storage.tables import approved_nodes, executions, reviews
from backend.adapters.storage.tables_budgets import budget_waits, budgets
from backend.adapters.storage.values import Reader, Staging
from backend.core.budgets import BudgetScope
from backend.core.errors import BadRequest, Conflict, NotFound
from backend.core.ids import ExecutionId, GraphId, NodeExecutionId, NodeId, UserId
from backend.core.reviews import Answer, Decision, Decisions, ReviewRecord, ReviewStatus, same
from backend.core.status import Status

_R: Final = reviews.c
_W: Final = budget_waits.c
_COLUMNS: Final = (
    "node_exec_id",
    "node_id",
    "user_id",
    "run_id",
    "graph_id",
    "graph_version",
    "payload",
    "instructions",
    "editable",
    "status",
    "created_us",
)
#: The same question asked again, after a crash, is the same row.
_ADD: Final = Prepared(
    lambda dialect: (
        insert_for(dialect, reviews)
        .values({name: bindparam(name) for name in _COLUMNS})
        .on_conflict_do_nothing()
    ),
    *_COLUMNS,
)


#: Values of `_COLUMNS`.
NewRow: TypeAlias = tuple[Any, ...]
#: Of a question's row, which value is its run's id.
RUN_ID: Final = _COLUMNS.index("run_id")


def new_row(review: ReviewRecord, root: str, staging: Staging) -> NewRow:
    """Return the row of a question of a run below *root*."""
    return (
        review.node_exec_id,
        review.node_id,
        review.user_id,
        review.run_id,
        review.graph_id,
        review.graph_version,
        staging.text(root, review.payload, packed.whole),
        review.instructions,
        review.editable,
        review.status.value,
        review.created_us,
    )


def add(connection: Connection, new: Sequence[NewRow]) -> None:
    """Save questions."""
    _ADD.run(connection, new)


def root_of(connection: Connection, user_id: UserId, node_exec_id: str) -> str | None:
    """Return the root of the run that asks; None if this user has no such question."""
    found = connection.execute(
        select(executions.c.root_id)
        .join(reviews, executions.c.id == _R.run_id)
        .where(_R.node_exec_id == node_exec_id, _R.user_id == user_id)
    ).scalar()
    return None if found is None else str(found)


def decided(connection: Connection, reader: Reader, run_id: ExecutionId) -> Decisions:
    """Return what was decided in a run."""
    found = connection.execute(
        select(reviews).where(_R.run_id == run_id, _R.status != ReviewStatus.WAITING.value)
    )
    answers = {
        row.node_exec_id: Decision(
            approved=row.status == ReviewStatus.APPROVED.value,
            payload=reader.loaded(row.payload),
            message=row.message,
        )
        for row in found
    }
    nodes = connection.execute(
        select(approved_nodes.c.node_id).where(approved_nodes.c.run_id == run_id)
    )
    open_ones = select(_R.node_exec_id).where(
        _R.run_id == run_id, _R.status == ReviewStatus.WAITING.value
    )
    waits = select(_W.node_exec_id).where(_W.run_id == run_id)
    still = [*connection.execute(open_ones), *connection.execute(waits)]
    return Decisions(
        by_execution=answers,
        approved_nodes=frozenset(row.node_id for row in nodes),
        open=frozenset(row.node_exec_id for row in still),
    )


def waiting(
    connection: Connection, reader: Reader, user_id: UserId, number: int, size: int
) -> list[ReviewRecord]:
    """Return a page of a user's open questions, newest first."""
    found = connection.execute(
        select(reviews)
        .where(_R.user_id == user_id, _R.status == ReviewStatus.WAITING.value)
        .order_by(_R.created_us.desc(), _R.node_exec_id)
        .offset((number - 1) * size)
        .limit(size)
    )
    return [_record(row, reader) for row in found]


def of_run(
    connection: Connection, reader: Reader, user_id: UserId, run_id: ExecutionId
) -> list[ReviewRecord]:
    """Return the open questions of a run, oldest first."""
    found = connection.execute(
        select(reviews)
        .where(
            _R.run_id == run_id,
            _R.user_id == user_id,
            _R.status == ReviewStatus.WAITING.value,
        )
        .order_by(_R.created_us, _R.node_exec_id)
    )
    return [_record(row, reader) for row in found]


def answer(
    connection: Connection,
    reader: Reader,
    user_id: UserId,
    answers: Sequence[Answer],
    payloads: Mapping[str, str],
    now_us: int,
) -> tuple[ExecutionId, bool]:
    """
    Save *answers*, all or none; return their run, and whether it may go on now.

    Args:
        payloads: The text of what stands in place of what was asked, by node execution.

    Raises:
        NotFound: If there is no such question of this user's.
        Conflict: If they are of several runs, or of one that does not wait.
        BadRequest: If a decision is turned round, or what is not editable is changed.
    """
    found = {
        row.node_exec_id: row
        for row in connection.execute(
            select(reviews).where(
                _R.node_exec_id.in_([one.node_exec_id for one in answers]),
                _R.user_id == user_id,
            )
        )
    }
    for one in answers:
        if one.node_exec_id not in found:
            raise NotFound(f"Review of node execution #{one.node_exec_id} not found")
    runs = {row.run_id for row in found.values()}
    if len(runs) > 1:
        raise Conflict("All reviews of one request must be of the same run")
    run_id = ExecutionId(runs.pop())
    _require_waiting(connection, run_id, found, answers)
    for one in answers:
        row = found[one.node_exec_id]
        _answer_one(connection, reader, row, one, payloads, now_us)
    return run_id, release(connection, run_id, now_us)


def _require_waiting(
    connection: Connection,
    run_id: ExecutionId,
    found: Mapping[str, Any],
    answers: Sequence[Answer],
) -> None:
    if all(found[one.node_exec_id].status == _wanted(one).value for one in answers):
        return  # said again what was said before
    status = connection.execute(
        select(executions.c.status).where(executions.c.id == run_id)
    ).scalar()
    if status not in (Status.REVIEW.value, Status.INCOMPLETE.value):
        raise Conflict(f"The run is {status}; reviews are taken while it is REVIEW")


def _wanted(given: Answer) -> ReviewStatus:
    return ReviewStatus.APPROVED if given.approved else ReviewStatus.REJECTED


def _answer_one(
    connection: Connection,
    reader: Reader,
    row: Row[Any],
    given: Answer,
    payloads: Mapping[str, str],
    now_us: int,
) -> None:
    wanted = _wanted(given)
    if row.status != ReviewStatus.WAITING.value:
        if row.status != wanted.value:
            raise BadRequest(f"Review of #{row.node_exec_id} was {row.status} already")
        return
    edited = (
        given.edited
        and given.approved
        and not given.approve_further
        and not same(given.payload, reader.loaded(row.payload))
    )
    if edited and not row.editable:
        raise BadRequest(f"Review of #{row.node_exec_id} is not editable")
    connection.execute(
        update(reviews)
        .where(_R.node_exec_id == row.node_exec_id)
        .values(
            status=wanted.value,
            message=given.message,
            payload=payloads[row.node_exec_id] if edited else row.payload,
            was_edited=edited,
            reviewed_us=now_us,
            updated_us=now_us,
        )
    )
    if given.approve_further and given.approved:
        # Twice is harmless: a run of several questions may have several of one node.
        connection.execute(
            insert_on(connection, approved_nodes)
            .values(run_id=row.run_id, node_id=row.node_id)
            .on_conflict_do_nothing()
        )


def release(connection: Connection, run_id: ExecutionId, now_us: int) -> bool:
    """Queue the run again if nothing of it waits for anybody any more."""
    open_ones = connection.execute(
        select(_R.node_exec_id).where(_R.run_id == run_id, _R.status == ReviewStatus.WAITING.value)
    ).first()
    waits = connection.execute(select(_W.run_id).where(_W.run_id == run_id).limit(1)).first()
    if open_ones is not None or waits is not None:
        return False
    result = connection.execute(
        update(executions)
        .where(executions.c.id == run_id, executions.c.status == Status.REVIEW.value)
        .values(
            status=Status.QUEUED.value,
            revision=executions.c.revision + 1,
            updated_us=now_us,
        )
    )
    return result.rowcount > 0


def reject_open(
    connection: Connection, run_ids: Sequence[ExecutionId], message: str, now_us: int
) -> None:
    """Close the open questions of runs that have ended without an answer."""
    connection.execute(
        update(reviews)
        .where(_R.run_id.in_(run_ids), _R.status == ReviewStatus.WAITING.value)
        .values(
            status=ReviewStatus.REJECTED.value,
            message=message,
            processed=True,
            reviewed_us=now_us,
            updated_us=now_us,
        )
    )


def delete_of(connection: Connection, run_ids: Sequence[ExecutionId]) -> None:
    """Delete all questions and answers of runs, and their budgets."""
    connection.execute(delete(reviews).where(_R.run_id.in_(run_ids)))
    connection.execute(delete(budget_waits).where(_W.run_id.in_(run_ids)))
    of_runs = (budgets.c.scope == BudgetScope.RUN.value, budgets.c.scope_id.in_(run_ids))
    connection.execute(delete(budgets).where(*of_runs))
    connection.execute(delete(approved_nodes).where(approved_nodes.c.run_id.in_(run_ids)))


def _record(row: Row[Any], reader: Reader) -> ReviewRecord:
    return ReviewRecord(
        node_exec_id=NodeExecutionId(row.node_exec_id),
        node_id=NodeId(row.node_id),
        user_id=UserId(row.user_id),
        run_id=ExecutionId(row.run_id),
        graph_id=GraphId(row.graph_id),
        graph_version=row.graph_version,
        payload=reader.loaded(row.payload),
        instructions=row.instructions,
        editable=bool(row.editable),
        status=ReviewStatus(row.status),
        message=row.message,
        was_edited=row.was_edited,
        processed=bool(row.processed),
        created_us=row.created_us,
        updated_us=row.updated_us,
        reviewed_us=row.reviewed_us,
    )
