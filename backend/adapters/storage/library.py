"""Libraries: the entries of one user's agents, each with its graph and its newest runs."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, select, update

from backend.adapters.storage import presets, rows, schedules
from backend.adapters.storage.database import Database
from backend.adapters.storage.tables import executions, graphs, library_agents, users
from backend.adapters.storage.tables import schedules as schedule_rows
from backend.core import json
from backend.core.errors import NotFound
from backend.core.ids import GraphId, LibraryAgentId, ScheduleId, UserId
from backend.core.library import (
    RECENT_RUNS,
    LibraryAgent,
    LibraryChanges,
    LibrarySort,
    RecentRun,
)
from backend.core.status import Status

_L: Final = library_agents.c
_G: Final = graphs.c
_E: Final = executions.c

_ORDERS: Final = {
    LibrarySort.UPDATED: (_L.updated_us.desc(), _L.id.desc()),
    LibrarySort.CREATED: (_L.created_us, _L.id),
}
_ON: Final = (_G.id == _L.graph_id) & (_G.user_id == _L.user_id)
#: Walked in its index: however many runs there are, so many rows are read.
_RECENT: Final = (
    select(_E.status, _E.created_us, _E.ended_us, _E.parked)
    .where(
        _E.graph_id == bindparam("graph"),
        _E.user_id == bindparam("user"),
        _E.is_deleted.is_(False),
    )
    .order_by(_E.created_us.desc(), _E.id.desc())
    .limit(RECENT_RUNS)
)


class SqlLibraries:
    """See backend.ports.library.Libraries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, user_id: UserId) -> "SqlUserLibrary":
        return SqlUserLibrary(self._database, user_id)


class SqlUserLibrary:
    """See backend.ports.library.UserLibrary."""

    def __init__(self, database: Database, user_id: UserId) -> None:
        self._database = database
        self._user_id = user_id

    async def page(
        self,
        *,
        skip: int,
        most: int,
        sort: LibrarySort = LibrarySort.UPDATED,
        search: str = "",
        only_favorites: bool = False,
    ) -> tuple[list[LibraryAgent], int]:
        def read(connection: Connection) -> tuple[list[LibraryAgent], int]:
            ids = _ids(connection, self._user_id, sort, search, only_favorites=only_favorites)
            shown = ids[skip : skip + most]
            return _agents(connection, self._user_id, shown), len(ids)

        return await self._database.read(read)

    async def get(self, agent_id: LibraryAgentId) -> LibraryAgent | None:
        return await self._database.read(lambda c: get(c, self._user_id, _L.id == agent_id))

    async def of_graph(self, graph_id: GraphId, version: int | None = None) -> LibraryAgent | None:
        return await self._database.read(
            lambda c: get(c, self._user_id, _L.graph_id == graph_id, version)
        )

    async def change(
        self, agent_id: LibraryAgentId, changes: LibraryChanges, *, now_us: int
    ) -> LibraryAgent:
        return await self._database.write(
            lambda c: change(c, self._user_id, agent_id, changes, now_us)
        )

    async def remove(self, agent_id: LibraryAgentId, *, now_us: int) -> bool:
        return await self._database.write(lambda c: remove(c, self._user_id, agent_id, now_us))


def _ids(
    connection: Connection,
    user_id: UserId,
    sort: LibrarySort,
    search: str,
    *,
    only_favorites: bool,
) -> list[str]:
    """Return the ids of all entries of a list, in its order."""
    wanted = [_L.user_id == user_id, _L.is_deleted.is_(False), _L.is_archived.is_(False)]
    if only_favorites:
        wanted.append(_L.is_favorite.is_(True))
    there = (_G.version == _L.graph_version) & _ON
    if not search:
        query = select(_L.id).join(graphs, there).where(*wanted).order_by(*_ORDERS[sort])
        return [str(id_) for (id_,) in connection.execute(query)]
    named = (
        select(_L.id, _G.name, _G.description)
        .join(graphs, there)
        .where(*wanted)
        .order_by(*_ORDERS[sort])
    )
    # Not in SQL: to SQLite only the 26 letters of English have a case.
    folded = search.casefold()
    return [
        row.id
        for row in connection.execute(named)
        if folded in row.name.casefold() or folded in row.description.casefold()
    ]


def _agents(connection: Connection, user_id: UserId, ids: Sequence[str]) -> list[LibraryAgent]:
    """Return the entries of *ids*, in their order."""
    found = [get(connection, user_id, _L.id == id_) for id_ in ids]
    return [agent for agent in found if agent is not None]


def get(
    connection: Connection,
    user_id: UserId,
    which: ColumnElement[bool],
    version: int | None = None,
) -> LibraryAgent | None:
    """Return the entry of *user_id* that *which* picks, in its version or in *version*."""
    entry = connection.execute(
        select(library_agents).where(which, _L.user_id == user_id, _L.is_deleted.is_(False))
    ).one_or_none()
    if entry is None:
        return None
    graph = connection.execute(
        select(graphs).where(
            _G.id == entry.graph_id,
            _G.user_id == user_id,
            _G.version == (entry.graph_version if version is None else version),
        )
    ).one_or_none()
    return None if graph is None else _agent(connection, entry, graph)


def _agent(connection: Connection, entry: Row[Any], graph: Row[Any]) -> LibraryAgent:
    newest = connection.execute(
        select(func.max(_G.version)).where(_G.id == entry.graph_id, _G.user_id == entry.user_id)
    ).scalar()
    owner = connection.execute(select(users.c.name).where(users.c.id == entry.user_id)).first()
    recent = connection.execute(_RECENT, {"graph": entry.graph_id, "user": entry.user_id})
    return LibraryAgent(
        id=LibraryAgentId(entry.id),
        user_id=UserId(entry.user_id),
        graph=rows.graph_record(graph),
        is_favorite=bool(entry.is_favorite),
        is_archived=bool(entry.is_archived),
        follows_active=bool(entry.follows_active),
        settings=json.loads(entry.settings),
        created_us=entry.created_us,
        updated_us=entry.updated_us,
        newest_version=int(newest or graph.version),
        owner_name=owner.name if owner else None,
        recent=[
            RecentRun(status=_told(run), created_us=run.created_us, ended_us=run.ended_us)
            for run in recent
        ],
    )


def _told(run: Any) -> Status:
    """Return how a run of an agent stands; a parked one is trouble of its own."""
    return Status(run.status) if run.parked is None else Status.FAILED


def change(
    connection: Connection,
    user_id: UserId,
    agent_id: LibraryAgentId,
    changes: LibraryChanges,
    now_us: int,
) -> LibraryAgent:
    """Change an entry; see UserLibrary.change."""
    before = get(connection, user_id, _L.id == agent_id)
    if before is None:
        raise NotFound(f"Library agent #{agent_id} not found.")
    values: dict[str, Any] = {
        "graph_version": changes.graph_version,
        "follows_active": changes.follows_active,
        "is_favorite": changes.is_favorite,
        "is_archived": changes.is_archived,
    }
    if changes.settings is not None:
        values["settings"] = json.text({**before.settings, **changes.settings})
    connection.execute(
        update(library_agents)
        .where(_L.id == agent_id, _L.user_id == user_id)
        .values(
            **{name: value for name, value in values.items() if value is not None},
            updated_us=now_us,
        )
    )
    after = get(connection, user_id, _L.id == agent_id)
    if after is None:  # rolled back: there is no graph in that version
        raise NotFound(f"Graph #{before.graph.id} v{changes.graph_version} not found.")
    return after


def remove(connection: Connection, user_id: UserId, agent_id: LibraryAgentId, now_us: int) -> bool:
    """Take an agent out of the library with what starts it; see UserLibrary.remove."""
    entry = connection.execute(
        select(_L.graph_id).where(
            _L.id == agent_id, _L.user_id == user_id, _L.is_deleted.is_(False)
        )
    ).one_or_none()
    if entry is None:
        return False
    mine = (schedule_rows.c.user_id == user_id, schedule_rows.c.graph_id == entry.graph_id)
    for (schedule_id,) in connection.execute(select(schedule_rows.c.id).where(*mine)).all():
        schedules.remove(connection, user_id, ScheduleId(schedule_id))
    presets.detach_from(connection, user_id, GraphId(entry.graph_id))
    connection.execute(
        update(library_agents)
        .where(_L.id == agent_id, _L.user_id == user_id)
        .values(is_deleted=True, is_favorite=False, updated_us=now_us)
    )
    return True
