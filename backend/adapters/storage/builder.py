"""The builder's memory: searches, and which blocks somebody's runs used."""

from collections import Counter
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from backend.adapters.storage import rows
from backend.adapters.storage.database import Database
from backend.adapters.storage.tables import executions, node_executions
from backend.adapters.storage.tables_builder import builder_searches
from backend.core.alone import HIDDEN
from backend.core.ids import BlockId, UserId
from backend.ports.builder import Search

_S: Final = builder_searches.c
_E: Final = executions.c
_N: Final = node_executions.c
#: Searches that are kept of a user.
KEPT: Final = 50
#: Runs, and the first node executions of each, of which used blocks are counted: however long
#: somebody's history is, a look at it costs so much.
_RUNS: Final = 50
_NODES: Final = 200


class SqlBuilders:
    """See backend.ports.builder.Builders."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, user_id: UserId) -> "SqlUserBuilder":
        return SqlUserBuilder(self._database, user_id)


class SqlUserBuilder:
    """See backend.ports.builder.UserBuilder."""

    def __init__(self, database: Database, user_id: UserId) -> None:
        self._database = database
        self._user_id = user_id

    async def note_search(self, search: Search, *, fresh_id: str, now_us: int) -> str:
        return await self._database.write(
            lambda c: note(c, self._user_id, search, fresh_id, now_us)
        )

    async def recent_searches(self, *, limit: int) -> list[Search]:
        return await self._database.read(lambda c: recent(c, self._user_id, limit))

    async def used_blocks(self, *, since_us: int, limit: int) -> list[BlockId]:
        return await self._database.read(lambda c: used(c, self._user_id, since_us, limit))


def note(
    connection: Connection, user_id: UserId, search: Search, fresh_id: str, now_us: int
) -> str:
    """Keep a search; see UserBuilder.note_search."""
    values = {
        "query": search.query,
        "filter": rows.optional_json(search.kinds),
        "by_creator": rows.optional_json(search.creators),
        "updated_us": now_us,
    }
    mine = (_S.id == search.id, _S.user_id == user_id)
    if (
        search.id
        and connection.execute(update(builder_searches).where(*mine).values(values)).rowcount
    ):
        return search.id
    connection.execute(insert(builder_searches).values(id=fresh_id, user_id=user_id, **values))
    _forget_old(connection, user_id)
    return fresh_id


def _forget_old(connection: Connection, user_id: UserId) -> None:
    last = connection.execute(
        select(_S.updated_us)
        .where(_S.user_id == user_id)
        .order_by(_S.updated_us.desc())
        .offset(KEPT)
        .limit(1)
    ).scalar()
    if last is not None:
        connection.execute(
            delete(builder_searches).where(_S.user_id == user_id, _S.updated_us <= last)
        )


def recent(connection: Connection, user_id: UserId, limit: int) -> list[Search]:
    """Return the newest searches; see UserBuilder.recent_searches."""
    found = connection.execute(
        select(builder_searches)
        .where(_S.user_id == user_id)
        .order_by(_S.updated_us.desc(), _S.id.desc())
        .limit(KEPT)
    )
    searches: dict[tuple[str, str | None], Search] = {}
    for row in found:
        one = Search(
            id=row.id,
            query=row.query,
            kinds=rows.loaded(row.filter),
            creators=rows.loaded(row.by_creator),
        )
        searches.setdefault((row.query.lower(), row.filter), one)
    return list(searches.values())[:limit]


def used(connection: Connection, user_id: UserId, since_us: int, limit: int) -> list[BlockId]:
    """Return the blocks that were used most; see UserBuilder.used_blocks."""
    runs = connection.execute(
        select(_E.id)
        .where(
            _E.user_id == user_id,
            _E.parent_id.is_(None),
            _E.is_deleted.is_(False),
            _E.created_us >= since_us,
            _E.graph_id.not_in(HIDDEN),
        )
        .order_by(_E.created_us.desc())
        .limit(_RUNS)
    )
    counted: Counter[str] = Counter()
    for (run_id,) in runs.all():
        of_run = connection.execute(
            select(_N.block_id, func.count().label("count"))
            .where(_N.run_id == run_id, _N.ordinal < _NODES)
            .group_by(_N.block_id)
        )
        counted.update({row.block_id: row.count for row in of_run})
    return [BlockId(block_id) for block_id, _ in counted.most_common(limit)]
