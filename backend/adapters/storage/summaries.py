"""What summaries are made of, in the words of SQL."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Integer, case, func, literal_column, or_, select, text, tuple_

from backend.adapters.storage.database import Database
from backend.adapters.storage.tables import executions, graphs, users
from backend.adapters.storage.tables_mail import notices
from backend.core import chat
from backend.core.ids import UserId
from backend.core.status import Status
from backend.core.summaries import RunTotals
from backend.ports.summaries import Person

_E: Final = executions.c
_G: Final = graphs.c
_U: Final = users.c
_NOT_SHOWN: Final = {
    "sqlite": "parent_id IS NULL AND is_deleted IS 0",
    "postgresql": "parent_id IS NULL AND is_deleted IS false",
}
#: The one thing that is looked for inside a JSON text: here, and once a period.
_COST: Final = {
    "sqlite": "json_extract(stats, '$.cost')",
    "postgresql": "CAST(CAST(stats AS json) ->> 'cost' AS bigint)",
}


class SqlSummaryFacts:
    """See backend.ports.summaries.SummaryFacts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def people(self, *, after: UserId | None, limit: int) -> Sequence[Person]:
        query = select(_U.id, _U.timezone).order_by(_U.id).limit(limit)
        if after is not None:
            query = query.where(_U.id > after)
        found = await self._database.read(lambda c: c.execute(query).all())
        return [Person(id=UserId(row.id), timezone=row.timezone) for row in found]

    async def known(self, ids: Collection[str]) -> set[str]:
        query = select(notices.c.id).where(notices.c.id.in_(list(ids)))
        found = await self._database.read(lambda c: c.execute(query).all())
        return {row.id for row in found}

    async def totals(
        self, user_id: UserId, *, start_us: int, end_us: int, agents: int
    ) -> RunTotals | None:
        return await self._database.read(
            lambda c: totals(c, user_id, start_us=start_us, end_us=end_us, agents=agents)
        )


def totals(
    connection: Connection, user_id: UserId, *, start_us: int, end_us: int, agents: int
) -> RunTotals | None:
    """Return what the runs of a time came to."""
    name = connection.dialect.name
    took = case((_E.ended_us.is_not(None), _E.ended_us - _E.started_us), else_=0)
    cost: Any = literal_column(_COST[name], Integer)
    found = connection.execute(
        select(
            _E.graph_id,
            func.max(_E.graph_version).label("version"),
            func.count().label("runs"),
            _count_of(Status.COMPLETED).label("completed"),
            _count_of(Status.FAILED, or_parked=True).label("failed"),
            func.coalesce(func.sum(took), 0).label("took_us"),
            func.coalesce(func.sum(cost), 0).label("credits"),
        )
        .where(
            text(_NOT_SHOWN[name]),
            _E.user_id == user_id,
            _E.created_us >= start_us,
            _E.created_us < end_us,
            _E.trigger != chat.TRIGGER,
        )
        .group_by(_E.graph_id)
    ).all()
    if not found:
        return None
    names = _names(connection, user_id, [(row.graph_id, row.version) for row in found])
    runs: Counter[str] = Counter()
    credits: Counter[str] = Counter()  # noqa: A001 - what they are
    for row in found:
        agent = names.get(row.graph_id, row.graph_id)
        runs[agent] += int(row.runs)
        credits[agent] += int(row.credits)
    return RunTotals(
        runs=runs.total(),
        completed=sum(int(row.completed) for row in found),
        failed=sum(int(row.failed) for row in found),
        time_s=sum(int(row.took_us) for row in found) / 1_000_000,
        credits=credits.total(),
        most_used=min(runs, key=lambda agent: (-runs[agent], agent)),
        credits_by_agent={agent: spent for agent, spent in credits.most_common(agents) if spent},
    )


def _count_of(status: Status, *, or_parked: bool = False) -> Any:
    wanted: Any = _E.status == status.value
    if or_parked:
        wanted = or_(wanted, _E.parked.is_not(None))
    return func.coalesce(func.sum(case((wanted, 1), else_=0)), 0)


def _names(
    connection: Connection, user_id: UserId, versions: Sequence[tuple[str, int]]
) -> dict[str, str]:
    names: dict[str, str] = {}
    # A few at a time: a database takes only so many parameters.
    for start in range(0, len(versions), 200):
        some = versions[start : start + 200]
        query = select(_G.id, _G.name).where(
            tuple_(_G.id, _G.version).in_(some), _G.user_id == user_id
        )
        names.update({row.id: row.name for row in connection.execute(query)})
    return names
