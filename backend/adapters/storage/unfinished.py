"""The engine's side of reading: runs that have not ended, and all it needs to go on with them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    exists,
    func,
    not_,
    or_,
    select,
)

from backend.adapters.storage import executions as runs
from backend.adapters.storage import packed, rows
from backend.adapters.storage.holds import is_held
from backend.adapters.storage.tables import (
    executions,
    graphs,
    is_unfinished,
    library_agents,
    node_executions,
    users,
)
from backend.adapters.storage.values import Reader, Values
from backend.core.block import BlockType
from backend.core.errors import NotFound, ValueLost
from backend.core.execution import NodeExecution
from backend.core.graph import Graph
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.json import NotJson
from backend.core.plan import NodePlan
from backend.core.records import ExecutionRecord
from backend.core.status import FINAL, Status
from backend.ports.storage import StoredRun

_E: Final = executions.c
_N: Final = node_executions.c
_UNFINISHED: Final = ("QUEUED", "RUNNING")
_ROOT: Final = executions.alias("root")
#: Of the runs that wait, the oldest so many take turns. Who has more of them is full soon, and is
#: then left out.
_MOST_LOOKED_AT: Final = 10_000


def unfinished(
    connection: Connection,
    limit: int,
    exclude: Sequence[ExecutionId],
    full: Sequence[tuple[UserId, GraphId]] = (),
    full_users: Sequence[UserId] = (),
    takeable: Sequence[str] | None = None,
) -> list[ExecutionId]:
    """Return unfinished runs, users in turn; see EngineStorage.unfinished."""
    query = select(_E.id, _E.user_id, _E.created_us).where(is_unfinished, not_(is_held()))
    if takeable is not None:
        query = query.where(_is_takeable(takeable))
    if exclude:
        query = query.where(_E.id.not_in(exclude))
    # Who is told of what was under way with somebody who is gone can begin it before all others.
    always = or_(_E.parent_id.is_not(None), _E.owner.in_((takeable or ())[1:]))
    if full_users:
        query = query.where(or_(_E.user_id.not_in(full_users), always))
    for user_id, graph_id in full:
        query = query.where(or_(_E.user_id != user_id, _E.graph_id != graph_id, always))
    waiting = query.order_by(_E.created_us).limit(_MOST_LOOKED_AT).subquery().c
    turn = func.row_number().over(partition_by=waiting.user_id, order_by=waiting.created_us)
    found = connection.execute(select(waiting.id).order_by(turn, waiting.created_us).limit(limit))
    return [ExecutionId(row.id) for row in found]


def _is_takeable(owners: Sequence[str]) -> ColumnElement[bool]:
    """
    Return the condition that the first of *owners*, who asks, may take a run.

    Nobody but *owners* has it; what is nested waits until he has what it is nested in.
    """
    is_over = _ROOT.c.status.not_in(_UNFINISHED)
    free = or_(_ROOT.c.owner.is_(None), and_(_ROOT.c.owner.in_(owners), is_over))
    above = exists().where(_ROOT.c.id == _E.root_id, or_(_ROOT.c.owner == owners[0], free))
    return or_(
        and_(_E.parent_id.is_(None), or_(_E.status == "QUEUED", _E.owner.in_(owners))),
        and_(_E.parent_id.is_not(None), above),
    )


def owners(connection: Connection) -> frozenset[str]:
    """Return the executors that runs under way belong to; see EngineStorage.owners."""
    query = select(_E.owner).where(is_unfinished, _E.owner.is_not(None)).distinct()
    return frozenset(row.owner for row in connection.execute(query))


def load_runs(
    connection: Connection, values: Values, ids: Sequence[ExecutionId]
) -> list[StoredRun]:
    """Return those of *ids* that are unfinished, in that order."""
    found = {
        ExecutionId(row.id): _stored_run(row, values)
        for row in connection.execute(_LOAD_RUNS, {"ids": ids})
    }
    return [found[run_id] for run_id in dict.fromkeys(ids) if run_id in found]


# Made once: to build a statement costs more than to run it.
_LOAD_RUNS: Final = (
    select(
        executions,
        users.c.timezone,
        library_agents.c.settings,
        _ROOT.c.stop_us.label("root_stop_us"),
        _ROOT.c.owner.label("root_owner"),
        _ROOT.c.status.label("root_status"),
    )
    .outerjoin(users, users.c.id == _E.user_id)
    # What its owner has set for the agent that was started holds for all that this one runs.
    .outerjoin(_ROOT, _ROOT.c.id == _E.root_id)
    .outerjoin(
        library_agents,
        and_(library_agents.c.user_id == _E.user_id, library_agents.c.graph_id == _ROOT.c.graph_id),
    )
    .where(_E.id.in_(bindparam("ids", expanding=True)), _E.status.in_(_UNFINISHED))
)


_UNREADABLE: Final = "what the database holds of this run cannot be read; `agpt doctor` says more"


def _stored_run(row: Any, values: Values) -> StoredRun:
    problem: str | None = None
    try:
        record = rows.execution_record(row, values.strict())
    except ValueLost as exc:
        # The others that are asked for with it go on.
        problem = f"ValueLost: {exc}"
        record = rows.execution_record(row, values.shown())
    except (ValueError, TypeError, NotJson):
        problem = _UNREADABLE
        record = rows.unreadable_execution(row)
    if not isinstance(record.inputs, dict):
        problem, record = _UNREADABLE, rows.unreadable_execution(row)
    if record.stop_us is None and row.root_stop_us is not None:
        # Added while the stop was being noted, or read after a crash: it ends with its root.
        record = replace(record, stop_us=row.root_stop_us)
    no_progress = row.claim_revision is not None and row.revision <= row.claim_revision
    settings = rows.loaded(row.settings) or {}
    return StoredRun(
        record=record,
        problem=problem,
        skipped=frozenset((rows.loaded(row.skipped) if problem is None else None) or ()),
        root_id=ExecutionId(row.root_id),
        depth=row.depth,
        trigger=row.trigger,
        timezone="UTC" if row.timezone in (None, "not-set") else row.timezone,
        asks_people=settings.get("human_in_the_loop_safe_mode") is not False,
        asks_before_sensitive=settings.get("sensitive_action_safe_mode") is True,
        stalls=row.stalls + 1 if no_progress else 0,
        owner=row.owner,
        root_owner=row.root_owner,
        root_is_open=row.root_status in _UNFINISHED,
    )


def finished_run(
    connection: Connection, reader: Reader, run_id: ExecutionId
) -> ExecutionRecord | None:
    """Return a run that has ended."""
    row = connection.execute(
        select(executions).where(_E.id == run_id, _E.status.not_in(_UNFINISHED))
    ).one_or_none()
    return None if row is None else rows.execution_record(row, reader)


def load_nodes(
    connection: Connection, reader: Reader, run_id: ExecutionId, plans: Mapping[str, NodePlan]
) -> list[NodeExecution]:
    """
    Return all node executions of a run, as the engine left them.

    Raises:
        ValueLost: If a large value that the run still needs is not there any more.
    """
    found = list(
        connection.execute(select(node_executions).where(_N.run_id == run_id).order_by(_N.ordinal))
    )
    # Outputs matter only for what goes on: what runs, what is not routed yet, what a run hands to
    # the run that started it, and what tools gave to those who call them.
    open_rows = [
        row
        for row in found
        if row.saved_outputs
        and (
            row.routed is not None
            or row.kind == "Output"
            or Status(row.status) not in FINAL
            or _is_tool(plans, row.node_id)
        )
    ]
    streamed = runs.streamed_outputs(connection, reader, run_id, open_rows)
    return [_node_execution(row, reader, plans, streamed.get(row.ordinal, [])) for row in found]


def _is_tool(plans: Mapping[str, NodePlan], node_id: str) -> bool:
    node = plans.get(node_id)
    return node is not None and node.is_tool


def _node_execution(
    row: Any, reader: Reader, plans: Mapping[str, NodePlan], streamed: list[Any]
) -> NodeExecution:
    node = plans.get(row.node_id)
    if node is None:
        raise NotFound(f"node #{row.node_id} of run #{row.run_id} is not in its graph")
    made = NodeExecution(row.ordinal, row.id, node, row.add_us)
    made.status = Status(row.status)
    if _is_past(row, node):
        made.input, own_outputs = {}, packed.shape_of(row.outputs) if row.outputs else ()
    else:
        made.received = reader.loaded(row.received) or {}
        made.input = reader.loaded(row.input)
        own_outputs = reader.loaded(row.outputs) or ()
    made.saved_outputs = row.saved_outputs
    made.outputs = [(pin, value) for pin, value in [*streamed, *own_outputs]]
    made.routed = len(made.outputs) if row.routed is None else row.routed
    made.queue_no, made.queue_us = row.queue_no, row.queue_us
    made.start_us, made.end_us = row.start_us, row.end_us
    made.error, made.revision, made.tries = row.error, row.revision, row.tries
    made.changed = False
    return made


def _is_past(row: Any, node: NodePlan) -> bool:
    """
    Say whether nobody asks again for the values of a node execution, which are in files.

    So a run that has used many large values comes back without all of them.
    """
    return (
        Status(row.status) in FINAL
        and row.routed is None
        and row.kind != BlockType.OUTPUT.value
        and not node.static
        and not node.is_tool  # whoever has called it asks again
        and row.input is not None
        and any(text and packed.is_packed(text) for text in (row.input, row.outputs))
    )


def graph_for_run(
    connection: Connection, user_id: UserId, graph_id: GraphId, version: int
) -> Graph | None:
    """
    Return a saved version of a graph of the user whose run it is.

    Nobody has asked for a run that another run starts: a node names its graph, whosever it is.
    """
    row = connection.execute(
        select(graphs).where(
            graphs.c.id == graph_id, graphs.c.version == version, graphs.c.user_id == user_id
        )
    ).one_or_none()
    return None if row is None else rows.graph_record(row)
