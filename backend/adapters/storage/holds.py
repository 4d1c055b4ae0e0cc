"""What an operator has paused, in rows."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, delete, exists, or_, select
from sqlalchemy.sql.expression import ColumnElement

from backend.adapters.storage.dialects import insert_for
from backend.adapters.storage.tables import executions, graphs, holds
from backend.core.errors import NotFound
from backend.core.records import Hold, HoldKind

_H = holds.c
_E = executions.c
_WORDS = {HoldKind.RUN: "Graph execution", HoldKind.GRAPH: "Graph"}


def add(connection: Connection, new: Hold) -> bool:
    """Add a pause; see SystemStorage.hold."""
    if not _is_there(connection, new):
        raise NotFound(f"{_WORDS[new.kind]} #{new.id} not found.")
    made = connection.execute(
        insert_for(connection.dialect.name, holds)
        .values(kind=new.kind.value, id=new.id, reason=new.reason, created_us=new.created_us)
        .on_conflict_do_nothing()
    )
    return bool(made.rowcount)


def _is_there(connection: Connection, new: Hold) -> bool:
    if new.kind is HoldKind.SERVER:
        return True
    table = executions if new.kind is HoldKind.RUN else graphs
    return connection.execute(select(table.c.id).where(table.c.id == new.id)).first() is not None


def remove(connection: Connection, kind: HoldKind, id_: str) -> bool:
    """Take a pause back; say whether there was one."""
    gone = connection.execute(delete(holds).where(_H.kind == kind.value, _H.id == id_))
    return bool(gone.rowcount)


def forget(connection: Connection, kind: HoldKind, ids: Sequence[str]) -> None:
    """Take back the pauses of what is deleted."""
    connection.execute(delete(holds).where(_H.kind == kind.value, _H.id.in_(ids)))


def listed(connection: Connection) -> list[Hold]:
    """Return all pauses, oldest first."""
    found = connection.execute(select(holds).order_by(_H.created_us, _H.kind, _H.id))
    return [
        Hold(kind=HoldKind(row.kind), id=row.id, reason=row.reason, created_us=row.created_us)
        for row in found
    ]


def is_held() -> ColumnElement[bool]:
    """Return the condition that a row of `executions` is paused; see engine.holds.Holds.cover."""
    return exists().where(
        or_(
            _H.kind == HoldKind.SERVER.value,
            and_(_H.kind == HoldKind.RUN.value, or_(_H.id == _E.id, _H.id == _E.root_id)),
            and_(_H.kind == HoldKind.GRAPH.value, _H.id == _E.graph_id),
        )
    )
