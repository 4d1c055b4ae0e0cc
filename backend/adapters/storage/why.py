"""The rows that say why a run does not move. Functions over a connection that only reads."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, case, func, or_, select

from backend.adapters.storage import packed, reservations, unfinished
from backend.adapters.storage.tables import executions, holds, node_executions, reviews
from backend.core import json
from backend.core.block import BlockType
from backend.core.graph import Graph
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.reviews import ReviewStatus
from backend.core.status import FINAL, Status
from backend.ports.why import Hold, OpenNode, RunRow

_E: Final = executions.c
_N: Final = node_executions.c
_R: Final = reviews.c
_H: Final = holds.c
_FINAL: Final = tuple(sorted(status.value for status in FINAL))


class SqlRunRows:
    """See backend.ports.why.RunRows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def run(self, run_id: ExecutionId) -> RunRow | None:
        row = self._connection.execute(select(executions).where(_E.id == run_id)).one_or_none()
        return None if row is None else _run_row(row)

    def family(self, run_id: ExecutionId) -> Sequence[ExecutionId]:
        found, ahead = [run_id], [run_id]
        while ahead:
            below = select(_E.id).where(_E.parent_id.in_(ahead), _E.status.not_in(_FINAL))
            ahead = [ExecutionId(row.id) for row in self._connection.execute(below)]
            found += ahead
        return found

    def open_nodes(self, run_id: ExecutionId, *, limit: int) -> Sequence[OpenNode]:
        question = and_(_R.node_exec_id == _N.id, _R.status == ReviewStatus.WAITING.value)
        found = self._connection.execute(
            select(node_executions, _R.created_us.label("asked_us"))
            .outerjoin(reviews, question)
            .where(_N.run_id == run_id, _N.status.not_in(_FINAL))
            .order_by(
                case((_N.status == Status.INCOMPLETE.value, 1), else_=0), _N.start_us, _N.ordinal
            )
            .limit(limit)
        )
        nodes = [_open_node(row) for row in found]
        waits = reservations.waits_of(self._connection, run_id)
        if not waits:
            return nodes
        return [replace(node, budget=waits.get(node.id)) for node in nodes]

    def ran(self, run_id: ExecutionId) -> frozenset[str]:
        found = self._connection.execute(
            select(_N.node_id).where(_N.run_id == run_id, _N.queue_us.is_not(None)).distinct()
        )
        return frozenset(row.node_id for row in found)

    def graph(self, run: RunRow) -> Graph | None:
        return unfinished.graph_for_run(
            self._connection, run.user_id, run.graph_id, run.graph_version
        )

    def holds(self, run: RunRow) -> Sequence[Hold]:
        # What is started is paused with what started it.
        root = select(_E.root_id).where(_E.id == run.id)
        found = self._connection.execute(
            select(holds)
            .where(
                or_(
                    and_(_H.kind == "run", or_(_H.id == run.id, _H.id.in_(root))),
                    and_(_H.kind == "graph", _H.id == run.graph_id),
                    _H.kind == "server",
                )
            )
            .order_by(_H.created_us)
        )
        return [Hold(kind=row.kind, reason=row.reason, created_us=row.created_us) for row in found]

    def before(self, run: RunRow) -> int:
        older = or_(
            _E.created_us < run.created_us,
            and_(_E.created_us == run.created_us, _E.id < run.id),
        )
        return self._count(
            _E.status == Status.QUEUED.value, _E.depth == 0, _E.user_id == run.user_id, older
        )

    def at_work(self) -> int:
        return self._count(_E.status == Status.RUNNING.value, _E.depth == 0)

    def _count(self, *wanted: Any) -> int:
        found = self._connection.execute(
            select(func.count()).select_from(executions).where(*wanted)
        )
        return int(found.scalar() or 0)


def _run_row(row: Row[Any]) -> RunRow:
    return RunRow(
        id=ExecutionId(row.id),
        user_id=UserId(row.user_id),
        graph_id=GraphId(row.graph_id),
        graph_version=row.graph_version,
        status=Status(row.status),
        depth=row.depth,
        stalls=row.stalls,
        created_us=row.created_us,
        updated_us=row.updated_us,
        ended_us=row.ended_us,
        stop_us=row.stop_us,
        error=_in_json(row.stats).get("error"),
    )


def _open_node(row: Row[Any]) -> OpenNode:
    return OpenNode(
        id=row.id,
        ordinal=row.ordinal,
        node_id=row.node_id,
        status=Status(row.status),
        is_agent=row.kind == BlockType.AGENT.value,
        pins=tuple(sorted(_in_json(row.received))),
        add_us=row.add_us,
        queue_us=row.queue_us,
        start_us=row.start_us,
        tries=row.tries,
        error=row.error,
        asked_us=row.asked_us,
    )


def _in_json(text: str | None) -> dict[str, Any]:
    """Return the object in a column; an empty one where it cannot be read: a rule says so."""
    try:
        found = packed.shape_of(text or "{}")
    except (json.NotJson, TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
