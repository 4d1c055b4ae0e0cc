"""Runs: read, hidden. Functions over a connection; owners are always named."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Row,
    bindparam,
    func,
    select,
    update,
)

from backend.adapters.storage import model_answers, rows, stops
from backend.adapters.storage.tables import (
    executions,
    is_unfinished,
    node_executions,
    node_outputs,
)
from backend.adapters.storage.values import Reader
from backend.core.alone import HIDDEN
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.records import ExecutionRecord, NodeRecord

_E: Final = executions.c
_N: Final = node_executions.c
_UNFINISHED: Final = ("QUEUED", "RUNNING")

# Made once: to build a statement costs more than to run it.
_MINE: Final = (
    _E.id == bindparam("run"),
    _E.user_id == bindparam("user"),
    _E.is_deleted.is_(False),
)
_ONE: Final = select(executions).where(*_MINE)
_STATUS: Final = select(_E.status).where(*_MINE)
OUTPUT_INPUTS: Final = (
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
    connection: Connection,
    reader: Reader,
    user_id: UserId,
    run_id: ExecutionId,
    *,
    with_outputs: bool,
) -> ExecutionRecord | None:
    """Return a run of this user."""
    row = connection.execute(_ONE, {"run": run_id, "user": user_id}).one_or_none()
    if row is None:
        return None
    outputs = outputs_of(connection, reader, run_id) if with_outputs else None
    return rows.execution_record(row, reader, outputs)


def get_with_nodes(
    connection: Connection, reader: Reader, user_id: UserId, run_id: ExecutionId, limit: int
) -> tuple[ExecutionRecord, list[NodeRecord]] | None:
    """Return a run of this user with its outputs and its newest node executions."""
    record = get(connection, reader, user_id, run_id, with_outputs=True)
    if record is None:
        return None
    found = list(connection.execute(_NEWEST_NODES, {"run": run_id, "most": limit}))[::-1]
    return record, _node_records(connection, reader, run_id, found)


def outputs_of(connection: Connection, reader: Reader, run_id: ExecutionId) -> dict[str, list[Any]]:
    """
    Return a run's outputs: what its output blocks were given, by their names, in order.

    The input value, before a block's `format` is applied (spec/semantics.md 3.13).
    """
    outputs: dict[str, list[Any]] = {}
    for (text,) in connection.execute(OUTPUT_INPUTS, {"run": run_id}):
        data = reader.loaded(text)
        outputs.setdefault(str(data.get("name")), []).append(data.get("value"))
    return outputs


_NEWEST: Final = (
    select(executions)
    .where(
        _E.user_id == bindparam("user"),
        _E.is_deleted.is_(False),
        _E.parent_id.is_(None),
        _E.graph_id.not_in(HIDDEN),
    )
    .order_by(_E.created_us.desc(), _E.id.desc())
    .limit(bindparam("most"))
)
_OF_GRAPH: Final = (
    _E.graph_id == bindparam("graph"),
    _E.user_id == bindparam("user"),
    _E.is_deleted.is_(False),
)


def newest(
    connection: Connection, reader: Reader, user_id: UserId, limit: int
) -> list[ExecutionRecord]:
    """Return the newest runs of a user that no other run started."""
    found = connection.execute(_NEWEST, {"user": user_id, "most": limit})
    return [rows.execution_record(row, reader) for row in found]


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
    connection: Connection,
    reader: Reader,
    user_id: UserId,
    graph_id: GraphId,
    number: int,
    size: int,
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
    return [rows.execution_record(row, reader) for row in found], total


def newest_of_graph(
    connection: Connection, reader: Reader, user_id: UserId, graph_id: GraphId, limit: int
) -> list[ExecutionRecord]:
    """Return the newest runs of a graph; unlike a page, without counting all of them."""
    wanted = {"graph": graph_id, "user": user_id, "skipped": 0, "most": limit}
    found = connection.execute(_PAGE, wanted)
    return [rows.execution_record(row, reader) for row in found]


def nodes(
    connection: Connection,
    reader: Reader,
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
    return _node_records(connection, reader, run_id, found)


def _node_records(
    connection: Connection, reader: Reader, run_id: ExecutionId, found: Sequence[Row[Any]]
) -> list[NodeRecord]:
    saved = [row for row in found if row.saved_outputs]
    streamed = streamed_outputs(connection, reader, run_id, saved)
    return [rows.node_record(row, reader, streamed.get(row.ordinal, ())) for row in found]


def streamed_outputs(
    connection: Connection, reader: Reader, run_id: ExecutionId, found: Sequence[Row[Any]]
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
        outputs.setdefault(chunk.ordinal, []).extend(reader.loaded(chunk.items))
    return outputs


def hide(connection: Connection, user_id: UserId, run_id: ExecutionId, now_us: int) -> bool:
    """Hide a run for ever; what is unfinished is stopped."""
    stops.ask_stop(connection, user_id, run_id, now_us)
    result = connection.execute(
        update(executions)
        .where(_E.id == run_id, _E.user_id == user_id, _E.is_deleted.is_(False))
        .values(is_deleted=True)
    )
    if not result.rowcount:
        return False
    model_answers.forget(connection, user_id, run_id)
    return True


def stuck(
    connection: Connection, reader: Reader, before_us: int, limit: int
) -> list[ExecutionRecord]:
    """Return unfinished runs that have not changed since *before_us*."""
    found = connection.execute(
        select(executions)
        .where(is_unfinished, _E.updated_us < before_us)
        .order_by(_E.created_us)
        .limit(limit)
    )
    return [rows.execution_record(row, reader) for row in found]
