"""What was asked of models: sums a user, day, graph and model, kept with each call's own commit."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    delete,
    select,
    text,
    tuple_,
)
from sqlalchemy.sql import func

from backend.adapters.storage.database import Database
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables_usage import model_usage
from backend.core.ids import GraphId, UserId
from backend.core.node_steps import ModelUse, StepPlace
from backend.core.usage import ALL_GRAPHS, DayUse

_U: Final = model_usage.c
_KEYS: Final = ("user_id", "day", "graph_id", "model")
_SUMS: Final = (
    "calls",
    "retries",
    "input_tokens",
    "output_tokens",
    "cost_micro_usd",
    "cached_calls",
    "estimated_calls",
)
_BY_GRAPH: Final = text("graph_id <> ''")
_OF_DAYS: Final = text("graph_id = ''")
_KEY: Final = tuple_(*(_U[name] for name in _KEYS))
#: What there is by graph of days before ``before``, the oldest first.
_OLD_BY_GRAPH: Final = (
    select(model_usage)
    .where(_BY_GRAPH, _U.day < bindparam("before"))
    .order_by(_U.day)
    .limit(bindparam("most"))
)
_ONE: Final = delete(model_usage).where(*(_U[name] == bindparam(f"the_{name}") for name in _KEYS))
_OLD_OF_DAYS: Final = delete(model_usage).where(
    _KEY.in_(
        select(*(_U[name] for name in _KEYS))
        .where(_OF_DAYS, _U.day < bindparam("before"))
        .order_by(_U.day)
        .limit(bindparam("most"))
    )
)


class SqlUsage:
    """See backend.ports.usage.Usage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(
        self,
        user_id: UserId,
        *,
        first: str,
        last: str,
        graph_id: GraphId | None = None,
        limit: int,
        offset: int = 0,
    ) -> list[DayUse]:
        return await self._database.read(
            lambda c: listed(c, user_id, first, last, graph_id, limit, offset)
        )

    async def total(
        self, user_id: UserId, *, first: str, last: str, graph_id: GraphId | None = None
    ) -> tuple[int, ModelUse]:
        return await self._database.read(lambda c: total(c, user_id, first, last, graph_id))


def day_of(now_us: int) -> str:
    """Return the day of a moment, UTC, as ``2026-01-31``."""
    return datetime.fromtimestamp(now_us / 1e6, UTC).strftime("%Y-%m-%d")


def add(connection: Connection, place: StepPlace, model: str, use: ModelUse, now_us: int) -> None:
    """Add *use* to its day."""
    whose = {"user_id": place.user_id, "day": day_of(now_us), "graph_id": place.graph_id}
    _add(connection, {**whose, "model": model}, {name: getattr(use, name) for name in _SUMS})


def fold(connection: Connection, before: str, limit: int) -> int:
    """
    Let up to *limit* sums by graph, of days before *before*, go into those of their days.

    Returns how many. The sum of each user, day and model stays what it was.
    """
    old = connection.execute(_OLD_BY_GRAPH, {"before": before, "most": limit}).all()
    for row in old:
        whose = {name: getattr(row, name) for name in _KEYS}
        _add(connection, {**whose, "graph_id": ALL_GRAPHS}, _sums(row))
        connection.execute(_ONE, {f"the_{name}": value for name, value in whose.items()})
    return len(old)


def expire(connection: Connection, before: str, limit: int) -> int:
    """Delete up to *limit* sums of days before *before* that no graph has; return how many."""
    return connection.execute(_OLD_OF_DAYS, {"before": before, "most": limit}).rowcount


def _add(connection: Connection, whose: dict[str, str], fresh: dict[str, int]) -> None:
    connection.execute(
        insert_on(connection, model_usage)
        .values(**whose, **fresh)
        .on_conflict_do_update(
            index_elements=list(_KEYS), set_={name: _U[name] + fresh[name] for name in _SUMS}
        )
    )


def _sums(row: Row[Any]) -> dict[str, int]:
    return {name: int(getattr(row, name)) for name in _SUMS}


def listed(
    connection: Connection,
    user_id: UserId,
    first: str,
    last: str,
    graph_id: GraphId | None,
    limit: int,
    offset: int = 0,
) -> list[DayUse]:
    """Return a user's sums, newest day first."""
    query = select(model_usage).where(*_within(user_id, first, last, graph_id))
    query = query.order_by(_U.day.desc(), _U.graph_id, _U.model).limit(limit).offset(offset)
    return [
        DayUse(
            day=row.day,
            graph_id=GraphId(row.graph_id),
            model=row.model,
            use=ModelUse(**_sums(row)),
        )
        for row in connection.execute(query)
    ]


def total(
    connection: Connection, user_id: UserId, first: str, last: str, graph_id: GraphId | None
) -> tuple[int, ModelUse]:
    """Return how many sums `listed` has, and the sum of them."""
    sums = [func.coalesce(func.sum(_U[name]), 0).label(name) for name in _SUMS]
    query = select(func.count().label("rows"), *sums).where(
        *_within(user_id, first, last, graph_id)
    )
    row = connection.execute(query).one()
    return row.rows, ModelUse(**_sums(row))


def _within(
    user_id: UserId, first: str, last: str, graph_id: GraphId | None
) -> list[ColumnElement[bool]]:
    found = [_U.user_id == user_id, _U.day.between(first, last)]
    return found if graph_id is None else [*found, _U.graph_id == graph_id]
