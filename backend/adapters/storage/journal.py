"""The engine's side of writing: batches of its changes become rows, and are committed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, select, text, update
from sqlalchemy.sql.expression import ClauseElement

from backend.adapters.storage import new_runs, notices, packed, parking, reviews, rows, stops
from backend.adapters.storage.database import Prepared
from backend.adapters.storage.dialects import insert_for
from backend.adapters.storage.new_runs import NewRow as NewRunRow
from backend.adapters.storage.tables import (
    executions,
    node_executions,
    node_outputs,
)
from backend.adapters.storage.values import Staging
from backend.core.execution import NodeExecution
from backend.core.ids import ExecutionId
from backend.core.records import NoticeRecord
from backend.core.reviews import BROKEN, STOPPED
from backend.core.status import FINAL, Status
from backend.ports.storage import JournalBatch, RunChange

_E: Final = executions.c
_N: Final = node_executions.c

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
_ANY_REVISION: Final = 2**31 - 1
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
    new_runs: Sequence[tuple[ExecutionId | None, NewRunRow]]  #: with the parent of each
    questions: Sequence[reviews.NewRow]
    notices: Mapping[ExecutionId, NoticeRecord]
    held_up: Mapping[str, Sequence[ExecutionId]]  #: runs that wait, or were ended, by status
    parked: Mapping[ExecutionId, Mapping[int, Status]]  #: what was open of runs that are parked
    at_us: int
    staging: Staging  #: the files that must be there before these rows
    ended: frozenset[ExecutionId]

    @property
    def is_own(self) -> bool:
        """
        Whether it decides by nothing but the rows of its runs, which have this owner or are refused.

        Who asks a person, waits for one, ends before its time or starts another run also looks at
        what others write: answers, stops, graphs.
        """
        return not (self.questions or self.held_up or self.parked or self.new_runs)


#: What becomes of questions that are open when their run ends: only these ends leave any.
_UNANSWERED: Final = {Status.TERMINATED.value: STOPPED, Status.FAILED.value: BROKEN}
_HELD_UP: Final = {*_UNANSWERED, Status.REVIEW.value}


def stage(batch: JournalBatch, staging: Staging) -> StagedRows:
    """Return the rows of *batch*, whose large values are in *staging*; see EngineStorage.stage."""
    output_rows: list[tuple[Any, ...]] = []
    roots = {change.run_id: change.root_id or change.run_id for change in batch.changes}
    return StagedRows(
        owner=batch.owner,
        runs=[(change.run_id, change.attempt) for change in batch.changes],
        run_rows=[_run_row(change, batch.owner) for change in batch.changes],
        node_rows=[
            _node_row(change.run_id, execution, output_rows, text_of)
            for change in batch.changes
            for text_of in (staging.below(roots[change.run_id]),)
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
        new_runs=[(run.parent_id, new_runs.new_row(run, staging)) for run in batch.new_runs],
        questions=[
            reviews.new_row(one, roots.get(one.run_id, one.run_id), staging)
            for one in batch.questions
        ],
        notices=batch.notices or {},
        held_up=_held_up(batch),
        parked={
            change.run_id: change.parked for change in batch.changes if change.parked is not None
        },
        at_us=batch.at_us,
        staging=staging,
        ended=frozenset(
            change.run_id for change in batch.changes if change.values["ended_us"] is not None
        ),
    )


def _held_up(batch: JournalBatch) -> dict[str, list[ExecutionId]]:
    found: dict[str, list[ExecutionId]] = {}
    for change in batch.changes:
        if change.parked is None and change.values["status"] in _HELD_UP:
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
            new_runs=[one for one in staged.new_runs if one[0] == run_id],
            questions=[one for one in staged.questions if one[reviews.RUN_ID] == run_id],
            notices={run: one for run, one in staged.notices.items() if run == run_id},
            held_up={status: [run_id] for status, held in staged.held_up.items() if run_id in held},
            parked={run: one for run, one in staged.parked.items() if run == run_id},
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
        new_runs.add_missing(connection, [row for up, row in staged.new_runs if up not in refused])
    if staged.questions:
        asked = [one for one in staged.questions if one[reviews.RUN_ID] not in refused]
        reviews.add(connection, asked)
    if staged.held_up or staged.parked:
        _hold_up(connection, staged, refused)
    if staged.notices:
        told = [notice for run, notice in staged.notices.items() if run not in refused]
        notices.add(connection, told)
    return refused


def _hold_up(connection: Connection, staged: StagedRows, refused: frozenset[ExecutionId]) -> None:
    """See to what waits for runs that wait, or were ended, and to what is nested in them."""
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
    for run_id, nodes in staged.parked.items():
        if run_id not in refused:
            parking.park(connection, run_id, nodes, staged.at_us)


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
    run_id: ExecutionId,
    execution: NodeExecution,
    output_rows: list[tuple[Any, ...]],
    text_of: Callable[..., str],
) -> tuple[Any, ...]:
    first = execution.saved_outputs
    fresh = execution.outputs[first:]
    ended = execution.status in FINAL
    if fresh and not ended:
        text_of_fresh = text_of(fresh, packed.outputs)
        output_rows.append((run_id, execution.ordinal, first, text_of_fresh))
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
        text_of(execution.received) if execution.input is None else None,
        None if execution.input is None else text_of(execution.input),
        text_of(fresh, packed.outputs) if fresh else None,
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
