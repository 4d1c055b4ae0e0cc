"""Runs: added, read, stopped, deleted. Functions over a connection; owners are always named."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    ClauseElement,
    Connection,
    Row,
    bindparam,
    exists,
    func,
    insert,
    select,
    update,
)

from backend.adapters.storage import rows, stops
from backend.adapters.storage.database import Prepared
from backend.adapters.storage.dialects import insert_for
from backend.adapters.storage.tables import (
    executions,
    graphs,
    is_unfinished,
    node_executions,
    node_outputs,
)
from backend.core import json
from backend.core.errors import NotFound
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.records import ExecutionRecord, NewExecution, NodeRecord
from backend.core.status import Status

_E: Final = executions.c
_N: Final = node_executions.c
_UNFINISHED: Final = ("QUEUED", "RUNNING")

_ADD_COLUMNS: Final = (
    "id",
    "user_id",
    "graph_id",
    "graph_version",
    "preset_id",
    "parent_id",
    "root_id",
    "depth",
    "trigger",
    "status",
    "attempt",
    "revision",
    "created_us",
    "updated_us",
    "inputs",
    "credential_inputs",
    "masks",
    "skipped",
)
_ADD: Final = Prepared(
    insert(executions).values({name: bindparam(name) for name in _ADD_COLUMNS}), *_ADD_COLUMNS
)


def _insert_if_owned(dialect: str) -> ClauseElement:
    """Add a run if its graph is its user's, and if it is not there yet: one statement a run."""
    owned = exists().where(
        graphs.c.id == bindparam("owned_graph"),
        graphs.c.version == bindparam("owned_version"),
        graphs.c.user_id == bindparam("owner_id"),
    )
    values = select(*(bindparam(name, type_=_E[name].type) for name in _ADD_COLUMNS)).where(owned)
    statement: ClauseElement = (
        insert_for(dialect, executions)
        .from_select(list(_ADD_COLUMNS), values)
        .on_conflict_do_nothing()
    )
    return statement


_SUBMIT: Final = Prepared(
    _insert_if_owned, *_ADD_COLUMNS, "owned_graph", "owned_version", "owner_id"
)


def submit(connection: Connection, run: NewExecution) -> ExecutionRecord:
    """Add *run*; see SystemStorage.submit."""
    owned = (run.graph_id, run.graph_version, run.user_id)
    if _SUBMIT.run(connection, [(*_new_row(run), *owned)]):
        return as_record(run)
    known = connection.execute(
        select(executions).where(_E.id == run.id, _E.user_id == run.user_id)
    ).one_or_none()
    if known is None:
        raise NotFound(f"Graph #{run.graph_id} version {run.graph_version} not found.")
    return rows.execution_record(known)


def add(connection: Connection, new: Sequence[NewExecution]) -> None:
    """Add runs, QUEUED."""
    _ADD.run(connection, [_new_row(run) for run in new])


def add_missing(connection: Connection, new: Sequence[NewExecution]) -> None:
    """Add those of *new* that are not there yet: a child run is asked for again after a crash."""
    for run in new:
        if connection.execute(select(_E.id).where(_E.id == run.id)).first() is None:
            add(connection, [run])


def _new_row(run: NewExecution) -> tuple[Any, ...]:
    return (
        run.id,
        run.user_id,
        run.graph_id,
        run.graph_version,
        run.preset_id,
        run.parent_id,
        run.root_id or run.id,
        run.depth,
        run.trigger,
        Status.QUEUED.value,
        0,
        1,
        run.created_us,
        run.created_us,
        json.text(run.inputs),
        rows.optional_json(run.credential_inputs),
        rows.optional_json(run.masks),
        rows.optional_json(run.skipped),
    )


def as_record(run: NewExecution) -> ExecutionRecord:
    """Return *run* as it is right after it was added."""
    return ExecutionRecord(
        id=run.id,
        user_id=run.user_id,
        graph_id=run.graph_id,
        graph_version=run.graph_version,
        status=Status.QUEUED,
        inputs=run.inputs,
        credential_inputs=run.credential_inputs,
        masks=run.masks,
        preset_id=run.preset_id,
        parent_id=run.parent_id,
        created_us=run.created_us,
        revision=1,
    )


# Made once: to build a statement costs more than to run it.
_MINE: Final = (
    _E.id == bindparam("run"),
    _E.user_id == bindparam("user"),
    _E.is_deleted.is_(False),
)
_ONE: Final = select(executions).where(*_MINE)
_STATUS: Final = select(_E.status).where(*_MINE)
_OUTPUT_INPUTS: Final = (
    select(_N.input)
    .where(_N.run_id == bindparam("run"), _N.kind == "Output", _N.queue_us.is_not(None))
    .order_by(_N.queue_no)
)
_NODES: Final = select(node_executions).where(_N.run_id == bindparam("run"))
#: The newest, and then in the order people expect: by queueing, the unqueued last.
_NEWEST_NODES: Final = _NODES.order_by(_N.queue_no.desc().nulls_first(), _N.ordinal.desc()).limit(
    bindparam("most")
)
_CHANGED_NODES: Final = (
    _NODES.where(_N.revision > bindparam("after")).order_by(_N.revision).limit(bindparam("most"))
)
_STREAMED: Final = (
    select(node_outputs)
    .where(node_outputs.c.run_id == bindparam("run"))
    .order_by(node_outputs.c.ordinal, node_outputs.c.first)
)
_STREAMED_OF: Final = _STREAMED.where(
    node_outputs.c.ordinal.in_(bindparam("ordinals", expanding=True))
)
#: So many node executions are named in one query; for more, all of the run are read.
_MOST_NAMED: Final = 500


def get(
    connection: Connection, user_id: UserId, run_id: ExecutionId, *, with_outputs: bool
) -> ExecutionRecord | None:
    """Return a run of this user."""
    row = connection.execute(_ONE, {"run": run_id, "user": user_id}).one_or_none()
    if row is None:
        return None
    return rows.execution_record(row, outputs_of(connection, run_id) if with_outputs else None)


def get_with_nodes(
    connection: Connection, user_id: UserId, run_id: ExecutionId, limit: int
) -> tuple[ExecutionRecord, list[NodeRecord]] | None:
    """Return a run of this user with its outputs and its newest node executions."""
    record = get(connection, user_id, run_id, with_outputs=True)
    if record is None:
        return None
    found = list(connection.execute(_NEWEST_NODES, {"run": run_id, "most": limit}))[::-1]
    return record, _node_records(connection, run_id, found)


def outputs_of(connection: Connection, run_id: ExecutionId) -> dict[str, list[Any]]:
    """
    Return a run's outputs: what its output blocks were given, by their names, in order.

    The input value, before a block's `format` is applied (spec/semantics.md 3.13).
    """
    outputs: dict[str, list[Any]] = {}
    for (text,) in connection.execute(_OUTPUT_INPUTS, {"run": run_id}):
        data = json.loads(text)
        outputs.setdefault(str(data.get("name")), []).append(data.get("value"))
    return outputs


_NEWEST: Final = (
    select(executions)
    .where(_E.user_id == bindparam("user"), _E.is_deleted.is_(False), _E.parent_id.is_(None))
    .order_by(_E.created_us.desc(), _E.id.desc())
    .limit(bindparam("most"))
)
_OF_GRAPH: Final = (
    _E.graph_id == bindparam("graph"),
    _E.user_id == bindparam("user"),
    _E.is_deleted.is_(False),
)


def newest(connection: Connection, user_id: UserId, limit: int) -> list[ExecutionRecord]:
    """Return the newest runs of a user that no other run started."""
    found = connection.execute(_NEWEST, {"user": user_id, "most": limit})
    return [rows.execution_record(row) for row in found]


_PAGE_COUNT: Final = select(func.count()).select_from(executions).where(*_OF_GRAPH)
_PAGE: Final = (
    select(executions)
    .where(*_OF_GRAPH)
    .order_by(_E.created_us.desc(), _E.id.desc())
    .offset(bindparam("skipped"))
    .limit(bindparam("most"))
)
_PAGE_FROM_END: Final = (
    select(executions)
    .where(*_OF_GRAPH)
    .order_by(_E.created_us, _E.id)
    .offset(bindparam("skipped"))
    .limit(bindparam("most"))
)


def page(
    connection: Connection, user_id: UserId, graph_id: GraphId, number: int, size: int
) -> tuple[list[ExecutionRecord], int]:
    """Return a page of a graph's runs, and how many there are."""
    mine = {"graph": graph_id, "user": user_id}
    total = int(connection.execute(_PAGE_COUNT, mine).scalar() or 0)
    skipped = (number - 1) * size
    most = min(size, total - skipped)
    if most <= 0:
        return [], total
    # What is skipped is walked over, in the index alone: so from the end that is nearer.
    after = total - skipped - most
    if skipped <= after:
        found = list(connection.execute(_PAGE, {**mine, "skipped": skipped, "most": most}))
    else:
        wanted = {**mine, "skipped": after, "most": most}
        found = list(connection.execute(_PAGE_FROM_END, wanted))[::-1]
    return [rows.execution_record(row) for row in found], total


def newest_of_graph(
    connection: Connection, user_id: UserId, graph_id: GraphId, limit: int
) -> list[ExecutionRecord]:
    """Return the newest runs of a graph; unlike a page, without counting all of them."""
    wanted = {"graph": graph_id, "user": user_id, "skipped": 0, "most": limit}
    return [rows.execution_record(row) for row in connection.execute(_PAGE, wanted)]


def nodes(
    connection: Connection,
    user_id: UserId,
    run_id: ExecutionId,
    *,
    limit: int,
    after_revision: int,
) -> list[NodeRecord]:
    """Return node executions; see UserStorage.node_executions."""
    if connection.execute(_STATUS, {"run": run_id, "user": user_id}).first() is None:
        return []
    wanted = {"run": run_id, "most": limit}
    if after_revision:
        wanted["after"] = after_revision
        found = list(connection.execute(_CHANGED_NODES, wanted))
    else:
        found = list(connection.execute(_NEWEST_NODES, wanted))[::-1]
    return _node_records(connection, run_id, found)


def _node_records(
    connection: Connection, run_id: ExecutionId, found: Sequence[Row[Any]]
) -> list[NodeRecord]:
    streamed = streamed_outputs(connection, run_id, [row for row in found if row.saved_outputs])
    return [rows.node_record(row, streamed.get(row.ordinal, ())) for row in found]


def streamed_outputs(
    connection: Connection, run_id: ExecutionId, found: Sequence[Row[Any]]
) -> dict[int, list[Any]]:
    """Return the outputs in node_outputs of the node executions *found*, by ordinal."""
    outputs: dict[int, list[Any]] = {}
    if not found:
        return outputs
    wanted: dict[str, Any] = {"run": run_id}
    query = _STREAMED
    if len(found) <= _MOST_NAMED:
        query, wanted["ordinals"] = _STREAMED_OF, [row.ordinal for row in found]
    for chunk in connection.execute(query, wanted):
        outputs.setdefault(chunk.ordinal, []).extend(json.loads(chunk.items))
    return outputs


def hide(connection: Connection, user_id: UserId, run_id: ExecutionId, now_us: int) -> bool:
    """Hide a run for ever; what is unfinished is stopped."""
    stops.ask_stop(connection, user_id, run_id, now_us)
    result = connection.execute(
        update(executions)
        .where(_E.id == run_id, _E.user_id == user_id, _E.is_deleted.is_(False))
        .values(is_deleted=True)
    )
    return result.rowcount > 0


def stuck(connection: Connection, before_us: int, limit: int) -> list[ExecutionRecord]:
    """Return unfinished runs that have not changed since *before_us*."""
    found = connection.execute(
        select(executions)
        .where(is_unfinished, _E.updated_us < before_us)
        .order_by(_E.created_us)
        .limit(limit)
    )
    return [rows.execution_record(row) for row in found]
