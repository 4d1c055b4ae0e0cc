"""The engine's side: unfinished runs are loaded, and batches of their changes are committed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, Table, and_, bindparam, func, not_, or_, select, text, update
from sqlalchemy.sql.expression import ClauseElement

from backend.adapters.storage import executions as runs
from backend.adapters.storage import notices, reviews, rows, stops
from backend.adapters.storage.database import Prepared
from backend.adapters.storage.dialects import insert_for
from backend.adapters.storage.holds import is_held
from backend.adapters.storage.tables import (
    executions,
    graphs,
    is_unfinished,
    library_agents,
    node_executions,
    node_outputs,
    users,
)
from backend.core import json
from backend.core.errors import NotFound
from backend.core.execution import NodeExecution
from backend.core.graph import Graph
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.plan import NodePlan
from backend.core.records import ExecutionRecord, NewExecution, NoticeRecord
from backend.core.reviews import BROKEN, STOPPED, ReviewRecord
from backend.core.status import FINAL, Status
from backend.ports.storage import JournalBatch, RunChange, StoredRun

_E: Final = executions.c
_N: Final = node_executions.c
_UNFINISHED: Final = ("QUEUED", "RUNNING")
#: Of the runs that wait, the oldest so many take turns. Who has more of them is full soon, and is
#: then left out.
_MOST_LOOKED_AT: Final = 10_000

#: What of a run's row changes while it runs.
RUN_COLUMNS: Final = ("status", "revision", "updated_us", "started_us", "ended_us", "stats")
_NODE_COLUMNS: Final = tuple(column.name for column in node_executions.columns)
_OUTPUT_COLUMNS: Final = ("run_id", "ordinal", "first", "items")


def _run_update() -> ClauseElement:
    values: dict[str, Any] = {name: bindparam(name) for name in (*RUN_COLUMNS, "attempt", "owner")}
    return (
        update(executions)
        .where(
            _E.id == bindparam("run"),
            _E.attempt == bindparam("expected"),
            # Revisions only grow: a claim of what was read finds the revision that was read.
            _E.revision <= bindparam("read_at"),
        )
        .values(values)
    )


def _upsert(table: Table, *keys: str) -> Callable[[str], ClauseElement]:
    names = [column.name for column in table.columns]

    def make(dialect: str) -> ClauseElement:
        statement = insert_for(dialect, table).values({name: bindparam(name) for name in names})
        changed = {name: statement.excluded[name] for name in names if name not in keys}
        made: ClauseElement = statement.on_conflict_do_update(index_elements=keys, set_=changed)
        return made

    return make


_UPDATE_RUN: Final = Prepared(
    _run_update(), "status", "attempt", "owner", "revision", "updated_us", "started_us", "ended_us",
    "stats", "run", "expected", "read_at",
)  # fmt: skip
_ANY_REVISION: Final = 2**62
_CUT_SHORT: Final = (Status.FAILED.value, Status.TERMINATED.value)
#: A run whose graph is gone cannot be read node by node: what was open ends with it all the same.
_CLOSE_NODES: Final = Prepared(
    update(node_executions)
    .where(
        _N.run_id == bindparam("run"),
        text("status IN ('QUEUED', 'RUNNING', 'REVIEW')"),
    )
    .values(status=bindparam("status"), end_us=bindparam("end_us")),
    "status", "end_us", "run",
)  # fmt: skip
_NOTE_CLAIM: Final = Prepared(
    update(executions)
    .where(_E.id == bindparam("run"), _E.attempt == bindparam("now"))
    .values(claim_revision=bindparam("claim_revision"), stalls=bindparam("stalls")),
    "claim_revision", "stalls", "run", "now",
)  # fmt: skip
_SAVE_NODE: Final = Prepared(_upsert(node_executions, "run_id", "ordinal"), *_NODE_COLUMNS)
_ADD_OUTPUTS: Final = Prepared(
    _upsert(node_outputs, "run_id", "ordinal", "first"), *_OUTPUT_COLUMNS
)


def unfinished(
    connection: Connection,
    limit: int,
    exclude: Sequence[ExecutionId],
    full: Sequence[tuple[UserId, GraphId]] = (),
    full_users: Sequence[UserId] = (),
) -> list[ExecutionId]:
    """Return unfinished runs, users in turn; see EngineStorage.unfinished."""
    query = select(_E.id, _E.user_id, _E.created_us).where(is_unfinished, not_(is_held()))
    if exclude:
        query = query.where(_E.id.not_in(exclude))
    if full_users:
        query = query.where(or_(_E.user_id.not_in(full_users), _E.parent_id.is_not(None)))
    for user_id, graph_id in full:
        query = query.where(
            or_(_E.user_id != user_id, _E.graph_id != graph_id, _E.parent_id.is_not(None))
        )
    waiting = query.order_by(_E.created_us).limit(_MOST_LOOKED_AT).subquery().c
    turn = func.row_number().over(partition_by=waiting.user_id, order_by=waiting.created_us)
    found = connection.execute(select(waiting.id).order_by(turn, waiting.created_us).limit(limit))
    return [ExecutionId(row.id) for row in found]


def load_runs(connection: Connection, ids: Sequence[ExecutionId]) -> list[StoredRun]:
    """Return those of *ids* that are unfinished."""
    return [_stored_run(row) for row in connection.execute(_LOAD_RUNS, {"ids": ids})]


_ROOT: Final = executions.alias("root")
# Made once: to build a statement costs more than to run it.
_LOAD_RUNS: Final = (
    select(executions, users.c.timezone, library_agents.c.settings)
    .outerjoin(users, users.c.id == _E.user_id)
    # What its owner has set for the agent that was started holds for all that this one runs.
    .outerjoin(_ROOT, _ROOT.c.id == _E.root_id)
    .outerjoin(
        library_agents,
        and_(library_agents.c.user_id == _E.user_id, library_agents.c.graph_id == _ROOT.c.graph_id),
    )
    .where(_E.id.in_(bindparam("ids", expanding=True)), _E.status.in_(_UNFINISHED))
)


def _stored_run(row: Any) -> StoredRun:
    no_progress = row.claim_revision is not None and row.revision <= row.claim_revision
    settings = rows.loaded(row.settings) or {}
    return StoredRun(
        record=rows.execution_record(row),
        skipped=frozenset(rows.loaded(row.skipped) or ()),
        root_id=ExecutionId(row.root_id),
        depth=row.depth,
        trigger=row.trigger,
        timezone="UTC" if row.timezone in (None, "not-set") else row.timezone,
        asks_people=settings.get("human_in_the_loop_safe_mode") is not False,
        asks_before_sensitive=settings.get("sensitive_action_safe_mode") is True,
        stalls=row.stalls + 1 if no_progress else 0,
    )


def finished_run(connection: Connection, run_id: ExecutionId) -> ExecutionRecord | None:
    """Return a run that has ended."""
    row = connection.execute(
        select(executions).where(_E.id == run_id, _E.status.not_in(_UNFINISHED))
    ).one_or_none()
    return None if row is None else rows.execution_record(row)


def load_nodes(
    connection: Connection, run_id: ExecutionId, plans: Mapping[str, NodePlan]
) -> list[NodeExecution]:
    """Return all node executions of a run, as the engine left them."""
    found = list(
        connection.execute(select(node_executions).where(_N.run_id == run_id).order_by(_N.ordinal))
    )
    # Outputs matter only for what goes on: what runs, what is not routed yet, and what a run hands
    # to the run that started it.
    open_rows = [
        row
        for row in found
        if row.saved_outputs
        and (row.routed is not None or row.kind == "Output" or Status(row.status) not in FINAL)
    ]
    streamed = runs.streamed_outputs(connection, run_id, open_rows)
    return [_node_execution(row, plans, streamed.get(row.ordinal, [])) for row in found]


def _node_execution(row: Any, plans: Mapping[str, NodePlan], streamed: list[Any]) -> NodeExecution:
    node = plans.get(row.node_id)
    if node is None:
        raise NotFound(f"node #{row.node_id} of run #{row.run_id} is not in its graph")
    made = NodeExecution(row.ordinal, row.id, node, row.add_us)
    made.status = Status(row.status)
    made.received = rows.loaded(row.received) or {}
    made.input = rows.loaded(row.input)
    made.saved_outputs = row.saved_outputs
    made.outputs = [(pin, value) for pin, value in [*streamed, *(rows.loaded(row.outputs) or ())]]
    made.routed = len(made.outputs) if row.routed is None else row.routed
    made.queue_no, made.queue_us = row.queue_no, row.queue_us
    made.start_us, made.end_us = row.start_us, row.end_us
    made.error, made.revision, made.tries = row.error, row.revision, row.tries
    made.changed = False
    return made


def graph_for_run(connection: Connection, graph_id: GraphId, version: int) -> Graph | None:
    """Return a saved version of a graph, whoever owns it: its run has been admitted."""
    row = connection.execute(
        select(graphs).where(graphs.c.id == graph_id, graphs.c.version == version)
    ).one_or_none()
    return None if row is None else rows.graph_record(row)


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedRows:
    """A journal batch as rows. Made by `stage`."""

    owner: str
    runs: Sequence[tuple[ExecutionId, int]]  #: with the attempt of each
    run_rows: Sequence[tuple[Any, ...]]
    node_rows: Sequence[tuple[Any, ...]]
    output_rows: Sequence[tuple[Any, ...]]
    claim_rows: Sequence[tuple[Any, ...]]
    closing_rows: Sequence[tuple[Any, ...]]  #: runs that end before their time
    new_runs: Sequence[NewExecution]
    questions: Sequence[ReviewRecord]
    notices: Mapping[ExecutionId, NoticeRecord]
    held_up: Mapping[str, Sequence[ExecutionId]]  #: runs that wait, or were ended, by status
    at_us: int


#: What becomes of questions that are open when their run ends: only these ends leave any.
_UNANSWERED: Final = {Status.TERMINATED.value: STOPPED, Status.FAILED.value: BROKEN}
_HELD_UP: Final = {*_UNANSWERED, Status.REVIEW.value}


def stage(batch: JournalBatch) -> StagedRows:
    """Return the rows of *batch*; see EngineStorage.stage."""
    output_rows: list[tuple[Any, ...]] = []
    return StagedRows(
        owner=batch.owner,
        runs=[(change.run_id, change.attempt) for change in batch.changes],
        run_rows=[_run_row(change, batch.owner) for change in batch.changes],
        node_rows=[
            _node_row(change.run_id, execution, output_rows)
            for change in batch.changes
            for execution in change.nodes
        ],
        output_rows=output_rows,
        closing_rows=[
            (change.values["status"], change.values["ended_us"], change.run_id)
            for change in batch.changes
            if change.values["status"] in _CUT_SHORT
        ],
        claim_rows=[
            (change.values["revision"], change.stalls, change.run_id, change.attempt)
            for change in batch.changes
            if change.stalls is not None
        ],
        new_runs=batch.new_runs,
        questions=batch.questions,
        notices=batch.notices or {},
        held_up=_held_up(batch),
        at_us=batch.at_us,
    )


def _held_up(batch: JournalBatch) -> dict[str, list[ExecutionId]]:
    found: dict[str, list[ExecutionId]] = {}
    for change in batch.changes:
        if change.values["status"] in _HELD_UP:
            found.setdefault(change.values["status"], []).append(change.run_id)
    return found


def split(staged: StagedRows) -> list[StagedRows]:
    """Return the rows of each run apart; see EngineStorage.split."""
    return [
        replace(
            staged,
            runs=[(run_id, attempt)],
            run_rows=[run_row],
            node_rows=[row for row in staged.node_rows if row[0] == run_id],
            output_rows=[row for row in staged.output_rows if row[0] == run_id],
            claim_rows=[row for row in staged.claim_rows if run_id in row],
            closing_rows=[row for row in staged.closing_rows if run_id in row],
            new_runs=[run for run in staged.new_runs if run.parent_id == run_id],
            questions=[one for one in staged.questions if one.run_id == run_id],
            notices={run: one for run, one in staged.notices.items() if run == run_id},
            held_up={status: [run_id] for status, held in staged.held_up.items() if run_id in held},
        )
        for (run_id, attempt), run_row in zip(staged.runs, staged.run_rows, strict=True)
    ]


def commit(connection: Connection, staged: StagedRows) -> frozenset[ExecutionId]:
    """Save *staged*; see EngineStorage.commit."""
    refused = _update_runs(connection, staged)
    _NOTE_CLAIM.run(connection, staged.claim_rows)
    node_rows, output_rows = staged.node_rows, staged.output_rows
    if refused:
        node_rows = [row for row in node_rows if row[0] not in refused]
        output_rows = [row for row in output_rows if row[0] not in refused]
    _SAVE_NODE.run(connection, node_rows)
    _ADD_OUTPUTS.run(connection, output_rows)
    _CLOSE_NODES.run(connection, [row for row in staged.closing_rows if row[2] not in refused])
    if staged.new_runs:
        runs.add_missing(connection, [r for r in staged.new_runs if r.parent_id not in refused])
    if staged.questions:
        asked = [one for one in staged.questions if one.run_id not in refused]
        reviews.add(connection, asked)
    for status, found in staged.held_up.items():
        held = [run for run in found if run not in refused]
        if status in _UNANSWERED:
            reviews.reject_open(connection, held, _UNANSWERED[status], staged.at_us)
            # They end before it, unless nobody was there to stop them.
            stops.stop_children(connection, held, staged.at_us)
        else:
            # It may have been stopped before it came to wait, or be answered since a first try of
            # this very batch.
            stops.go_on_to_stop(connection, held, staged.at_us, asked=True)
            for run_id in held:
                reviews.release(connection, run_id, staged.at_us)
    if staged.notices:
        told = [notice for run, notice in staged.notices.items() if run not in refused]
        notices.add(connection, told)
    return refused


def _update_runs(connection: Connection, staged: StagedRows) -> frozenset[ExecutionId]:
    """Update the runs' rows; return those that have another owner."""
    if _UPDATE_RUN.run(connection, staged.run_rows) == len(staged.run_rows):
        return frozenset()
    # One of them was not as expected: somebody else's by now, or saved already by a try of this
    # very batch whose answer was lost. The owner's name tells which.
    refused = set()
    for run_id, attempt in staged.runs:
        row = connection.execute(select(_E.attempt, _E.owner).where(_E.id == run_id)).one_or_none()
        if row is None or (row.attempt, row.owner) != (attempt, staged.owner):
            refused.add(run_id)
    return frozenset(refused)


def _run_row(change: RunChange, owner: str) -> tuple[Any, ...]:
    values = change.values
    return (
        values["status"],
        change.attempt,
        owner,
        values["revision"],
        values["updated_us"],
        values["started_us"],
        values["ended_us"],
        rows.stats_text(values["stats"]),
        change.run_id,
        change.attempt - 1 if change.claim else change.attempt,
        change.read_at if change.claim and change.read_at is not None else _ANY_REVISION,
    )


def _node_row(
    run_id: ExecutionId, execution: NodeExecution, output_rows: list[tuple[Any, ...]]
) -> tuple[Any, ...]:
    first = execution.saved_outputs
    fresh = execution.outputs[first:]
    ended = execution.status in FINAL
    if fresh and not ended:
        output_rows.append((run_id, execution.ordinal, first, json.text(fresh)))
        execution.saved_outputs = len(execution.outputs)
        fresh = []
    node = execution.node
    return (
        run_id,
        execution.ordinal,
        execution.id,
        node.id,
        node.block_id,
        node.block.block_type.value,
        execution.status.value,
        json.text(execution.received) if execution.input is None else None,
        None if execution.input is None else json.text(execution.input),
        json.text(fresh) if fresh else None,
        execution.saved_outputs,
        None if execution.routed == len(execution.outputs) else execution.routed,
        execution.queue_no,
        execution.add_us,
        execution.queue_us,
        execution.start_us,
        execution.end_us,
        int(execution.cpu_s * 1e6),
        execution.error,
        execution.revision,
        execution.tries,
    )
