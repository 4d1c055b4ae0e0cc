"""Stops: who asks for one, and how it reaches the runs below. The executor does the stopping."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from backend.adapters.storage.tables import executions, is_unfinished
from backend.core.ids import ExecutionId, UserId
from backend.core.status import Status

_E: Final = executions.c
_UNFINISHED: Final = ("QUEUED", "RUNNING")
#: Statuses of runs that no executor holds, but that can be stopped.
_PAUSED: Final = Status.REVIEW.value
_STATUS: Final = select(_E.status).where(
    _E.id == bindparam("run"), _E.user_id == bindparam("user"), _E.is_deleted.is_(False)
)
_STOPS_ASKED: Final = select(_E.id).where(is_unfinished, _E.stop_us.is_not(None))


def stops_asked(connection: Connection) -> list[ExecutionId]:
    """Return unfinished runs that must stop."""
    return [ExecutionId(row.id) for row in connection.execute(_STOPS_ASKED)]


def ask_stop(connection: Connection, user_id: UserId, run_id: ExecutionId, now_us: int) -> bool:
    """Note that a run and those it started must stop; those that wait for people go on for that."""
    row = connection.execute(_STATUS, {"run": run_id, "user": user_id}).one_or_none()
    if row is None or row.status not in (*_UNFINISHED, _PAUSED):
        return False
    _note_stop(connection, [run_id], now_us)
    stop_children(connection, [run_id], now_us)
    return True


def stop_children(connection: Connection, parents: Sequence[ExecutionId], now_us: int) -> None:
    """Note that all runs below *parents* must stop."""
    waiting = list(parents)
    while waiting:
        children = select(_E.id).where(
            _E.parent_id.in_(waiting),
            _E.status.in_((*_UNFINISHED, _PAUSED)),
            _E.stop_us.is_(None),
        )
        waiting = [ExecutionId(child.id) for child in connection.execute(children)]
        if waiting:
            _note_stop(connection, waiting, now_us)


def stop_all_of(connection: Connection, user_id: UserId, now_us: int) -> None:
    """Note that all runs of a user must stop, those that wait for people too."""
    paused = select(_E.id).where(_E.user_id == user_id, _E.status == _PAUSED)
    go_on_to_stop(connection, [ExecutionId(row.id) for row in connection.execute(paused)], now_us)
    connection.execute(
        update(executions)
        .where(_E.user_id == user_id, _E.status.in_(_UNFINISHED), _E.stop_us.is_(None))
        .values(stop_us=now_us)
    )


def go_on_to_stop(
    connection: Connection, ids: Sequence[ExecutionId], now_us: int, *, asked: bool = False
) -> None:
    """
    Queue those of *ids* that wait for people again, to be stopped; only where *asked*, if so.

    The executor ends them like all others: it tells whoever watches, or runs them, or is to know.
    """
    query = update(executions).where(_E.id.in_(ids), _E.status == _PAUSED)
    if asked:
        query = query.where(_E.stop_us.is_not(None))
    connection.execute(
        query.values(
            status=Status.QUEUED.value,
            revision=_E.revision + 1,
            updated_us=now_us,
            stop_us=now_us,
        )
    )


def _note_stop(connection: Connection, ids: Sequence[ExecutionId], now_us: int) -> None:
    go_on_to_stop(connection, ids, now_us)
    connection.execute(
        update(executions)
        .where(_E.id.in_(ids), _E.status.in_(_UNFINISHED), _E.stop_us.is_(None))
        .values(stop_us=now_us)
    )
