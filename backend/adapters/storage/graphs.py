"""Graphs, their versions, and the library entries that come with them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from backend.adapters.storage import holds, presets, rows
from backend.adapters.storage.tables import graphs, library_agents, schedule_fires, schedules
from backend.adapters.storage.tables_alerts import agent_alerts
from backend.core import json
from backend.core.errors import NotFound
from backend.core.graph import Graph
from backend.core.ids import GraphId, UserId
from backend.core.records import HoldKind

_G: Final = graphs.c
_L: Final = library_agents.c


def add(
    connection: Connection,
    user_id: UserId,
    new: Sequence[Graph],
    now_us: int,
    settings: Mapping[str, bool] | None = None,
) -> None:
    """Save *new*, each graph with its library entry; of several versions the highest is active."""
    highest: dict[GraphId, int] = {}
    for graph in new:
        highest[graph.id] = max(graph.version, highest.get(graph.id, 0))
    for graph in new:
        newest = graph.version == highest[graph.id]
        _insert(connection, user_id, graph if newest else replace(graph, is_active=False), now_us)
        if newest:
            _enter_library(connection, user_id, graph, now_us, settings or {})


def add_version(
    connection: Connection, user_id: UserId, graph: Graph, subs: Sequence[Graph], now_us: int
) -> Graph:
    """Save the next version of *graph*; the write lock makes the number unique."""
    highest = connection.execute(
        select(func.max(_G.version)).where(_G.id == graph.id, _G.user_id == user_id)
    ).scalar()
    if highest is None:
        raise NotFound(f"Graph #{graph.id} not found")
    numbered = replace(graph, version=highest + 1)
    add(connection, user_id, subs, now_us)
    _insert(connection, user_id, numbered, now_us)
    if numbered.is_active:
        activate(connection, user_id, numbered.id, numbered.version, now_us)
    # Who saves an agent again wants it back: without its entry nobody could run it.
    connection.execute(
        update(library_agents)
        .where(_L.user_id == user_id, _L.graph_id == numbered.id)
        .values(is_deleted=False)
    )
    return numbered


def _insert(connection: Connection, user_id: UserId, graph: Graph, now_us: int) -> None:
    connection.execute(
        insert(graphs).values(
            id=graph.id,
            version=graph.version,
            user_id=user_id,
            name=graph.name,
            description=graph.description,
            instructions=graph.instructions,
            recommended_schedule_cron=graph.recommended_schedule_cron,
            is_active=graph.is_active,
            forked_from_id=graph.forked_from_id,
            forked_from_version=graph.forked_from_version,
            created_us=graph.created_at_us or now_us,
            body=rows.graph_body(graph),
        )
    )


def _enter_library(
    connection: Connection,
    user_id: UserId,
    graph: Graph,
    now_us: int,
    settings: Mapping[str, bool],
) -> None:
    connection.execute(
        insert(library_agents).values(
            id=str(uuid.uuid4()),
            user_id=user_id,
            graph_id=graph.id,
            graph_version=graph.version,
            settings=json.text(settings),
            created_us=now_us,
            updated_us=now_us,
        )
    )


def get(
    connection: Connection, user_id: UserId, graph_id: GraphId, version: int | None
) -> Graph | None:
    """Return a version, or the highest."""
    query = select(graphs).where(_G.id == graph_id, _G.user_id == user_id)
    if version is not None:
        query = query.where(_G.version == version)
    row = connection.execute(query.order_by(_G.version.desc()).limit(1)).one_or_none()
    return None if row is None else rows.graph_record(row)


def active_version(connection: Connection, user_id: UserId, graph_id: GraphId) -> int | None:
    """Return the active version, else the highest."""
    row = connection.execute(
        select(_G.version)
        .where(_G.id == graph_id, _G.user_id == user_id)
        .order_by(_G.is_active.desc(), _G.version.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else int(row.version)


def active(connection: Connection, user_id: UserId, limit: int) -> list[Graph]:
    """Return active versions, one a graph, newest graph first."""
    found = connection.execute(
        select(graphs)
        .where(_G.user_id == user_id, _G.is_active.is_(True))
        .order_by(_G.created_us.desc(), _G.id, _G.version.desc())
        .limit(limit)
    )
    return [rows.graph_record(row) for row in found]


def versions(connection: Connection, user_id: UserId, graph_id: GraphId, limit: int) -> list[Graph]:
    """Return versions, highest first."""
    found = connection.execute(
        select(graphs)
        .where(_G.id == graph_id, _G.user_id == user_id)
        .order_by(_G.version.desc())
        .limit(limit)
    )
    return [rows.graph_record(row) for row in found]


def activate(
    connection: Connection, user_id: UserId, graph_id: GraphId, version: int, now_us: int
) -> None:
    """Make *version* the only active one."""
    mine = (_G.id == graph_id, _G.user_id == user_id)
    known = connection.execute(select(_G.version).where(*mine, _G.version == version)).first()
    if known is None:
        raise NotFound(f"Graph #{graph_id} v{version} not found")
    connection.execute(update(graphs).where(*mine).values(is_active=_G.version == version))
    connection.execute(
        update(library_agents)
        .where(_L.user_id == user_id, _L.graph_id == graph_id, _L.follows_active.is_(True))
        .values(graph_version=version, updated_us=now_us)
    )


def remove(connection: Connection, user_id: UserId, graph_id: GraphId) -> int:
    """Delete all versions with what belongs to them; return how many. Presets are kept."""
    gone = connection.execute(
        delete(graphs).where(_G.id == graph_id, _G.user_id == user_id)
    ).rowcount
    if gone:
        theirs = select(schedules.c.id).where(
            schedules.c.user_id == user_id, schedules.c.graph_id == graph_id
        )
        connection.execute(delete(schedule_fires).where(schedule_fires.c.schedule_id.in_(theirs)))
        for table in (library_agents, schedules, agent_alerts):
            connection.execute(
                delete(table).where(table.c.user_id == user_id, table.c.graph_id == graph_id)
            )
        presets.detach_from(connection, user_id, graph_id)
        holds.forget(connection, HoldKind.GRAPH, [graph_id])
    return gone


def settings(connection: Connection, user_id: UserId, graph_id: GraphId) -> dict[str, bool] | None:
    """Return what is set for an agent of the library; None if it is not there."""
    row = connection.execute(
        select(_L.settings).where(
            _L.user_id == user_id, _L.graph_id == graph_id, _L.is_deleted.is_(False)
        )
    ).one_or_none()
    found: dict[str, bool] | None = None if row is None else json.loads(row.settings)
    return found


def change_settings(
    connection: Connection,
    user_id: UserId,
    graph_id: GraphId,
    changes: Mapping[str, bool],
    now_us: int,
) -> dict[str, bool]:
    """Set what *changes* names for an agent of the library; return all that is set."""
    before = settings(connection, user_id, graph_id)
    if before is None:
        raise NotFound(f"Graph #{graph_id} is not in your library")
    after = {**before, **changes}
    connection.execute(
        update(library_agents)
        .where(_L.user_id == user_id, _L.graph_id == graph_id)
        .values(settings=json.text(after), updated_us=now_us)
    )
    return after
