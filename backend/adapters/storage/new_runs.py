"""Runs that are added: their rows, made before the transaction, and the two ways into the table."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import ClauseElement, Connection, bindparam, exists, insert, select

from backend.adapters.storage import rows
from backend.adapters.storage.database import Prepared
from backend.adapters.storage.dialects import insert_for
from backend.adapters.storage.tables import executions, graphs, library_agents
from backend.adapters.storage.values import Reader, Staging
from backend.core.errors import NotAllowed, NotFound
from backend.core.records import ExecutionRecord, NewExecution
from backend.core.status import Status

_E: Final = executions.c

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
    """Add a run if its user may run the graph, and if it is not there yet: one statement a run."""
    owned = exists().where(
        graphs.c.id == bindparam("owned_graph"),
        graphs.c.version == bindparam("owned_version"),
        graphs.c.user_id == bindparam("owner_id"),
        library_agents.c.graph_id == graphs.c.id,
        library_agents.c.user_id == graphs.c.user_id,
        library_agents.c.is_deleted.is_(False),
        library_agents.c.is_archived.is_(False),
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


#: Values of `_ADD_COLUMNS`.
NewRow: TypeAlias = tuple[Any, ...]


def submit(
    connection: Connection, run: NewExecution, row: NewRow, reader: Reader
) -> ExecutionRecord:
    """Add *run*, whose row is *row*; see SystemStorage.submit."""
    owned = (run.graph_id, run.graph_version, run.user_id)
    if _SUBMIT.run(connection, [(*row, *owned)]):
        return as_record(run)
    known = connection.execute(
        select(executions).where(_E.id == run.id, _E.user_id == run.user_id)
    ).one_or_none()
    if known is None:
        raise _why_not(connection, run)
    return rows.execution_record(known, reader)


def _why_not(connection: Connection, run: NewExecution) -> NotFound | NotAllowed:
    graph = connection.execute(
        select(graphs.c.id).where(
            graphs.c.id == run.graph_id,
            graphs.c.version == run.graph_version,
            graphs.c.user_id == run.user_id,
        )
    ).first()
    if graph is None:
        return NotFound(f"Graph #{run.graph_id} version {run.graph_version} not found.")
    return NotAllowed(f"Graph #{run.graph_id} is archived, or not in your library any more.")


def add_missing(connection: Connection, new: Sequence[NewRow]) -> None:
    """Add those of *new* that are not there yet: a child run is asked for again after a crash."""
    for row in new:
        if connection.execute(select(_E.id).where(_E.id == row[0])).first() is None:
            _ADD.run(connection, [row])


def new_row(run: NewExecution, staging: Staging, *, limited: bool = False) -> NewRow:
    """
    Return the row of *run*, QUEUED; its large values go to *staging*.

    Raises:
        TooLarge: If it is *limited* and one of its inputs is over the limit.
    """
    root = run.root_id or run.id
    return (
        run.id,
        run.user_id,
        run.graph_id,
        run.graph_version,
        run.preset_id,
        run.parent_id,
        root,
        run.depth,
        run.trigger,
        Status.QUEUED.value,
        0,
        1,
        run.created_us,
        run.created_us,
        staging.inputs(root, run.inputs) if limited else staging.text(root, run.inputs),
        rows.optional_json(run.credential_inputs),
        staging.inputs(root, run.masks)
        if limited and run.masks
        else staging.optional(root, run.masks),
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
