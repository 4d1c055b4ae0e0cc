"""What users do with graphs: save, list, read, change the active version, delete, export."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from backend.core.catalog import Catalog
from backend.core.errors import BadRequest, GraphInvalid, NotFound
from backend.core.graph import (
    AGENT_EXECUTOR_ID,
    Graph,
    all_graphs,
    sub_graph_of,
    with_new_ids,
)
from backend.core.graph_check import normalise_links, require_valid
from backend.core.graph_schema import for_export
from backend.core.ids import GraphId, IdSeries, UserId
from backend.ports.clock import Clock
from backend.ports.storage import Storage
from backend.services.bounded import BoundedCache
from backend.services.runnable import ReadyGraph, make_ready

#: What lists return at most (spec/contract.md 3.4).
MAX_GRAPHS = 250
MAX_VERSIONS = 50

#: Whether people are asked: by blocks that ask, and before sensitive blocks run.
DEFAULT_SETTINGS: Final = {
    "human_in_the_loop_safe_mode": True,
    "sensitive_action_safe_mode": False,
}

#: A graph may run others, which may run others: at most so many in one.
MAX_SUB_GRAPHS = 200

#: Plans kept ready. One of a graph of 100 nodes takes about 100 kB.
MAX_PLANS = 500


class GraphService:
    """Graphs of all users; every method names the user whose they are."""

    def __init__(self, *, storage: Storage, catalog: Catalog, clock: Clock) -> None:
        self._storage = storage
        self._catalog = catalog
        self._clock = clock
        self._ready: BoundedCache[tuple[GraphId, int], ReadyGraph] = BoundedCache(MAX_PLANS)

    async def create(
        self,
        user_id: UserId,
        graph: Graph,
        *,
        settings: Mapping[str, bool] | None = None,
        key: str | None = None,
    ) -> Graph:
        """
        Save *graph* and its sub-graphs under new ids, with library entries, and return it.

        The entries have *settings*; none of them is the default. The same *key* saves one graph,
        however often it comes.

        Raises:
            GraphInvalid: If it cannot be saved; nothing was.
        """
        now_us = self._clock.now_us()
        made = self._made(user_id, graph, now_us, self._fresh(key), keep_graph_id=False)
        stored = self._storage.of(user_id)
        if key is not None and (known := await stored.graph(made.id, made.version)) is not None:
            return known
        await stored.add_graphs(_rows(made), now_us=now_us, settings=settings)
        return made

    async def update(
        self, user_id: UserId, graph_id: GraphId, graph: Graph, *, key: str | None = None
    ) -> Graph:
        """
        Save *graph* as the next version of *graph_id*, with new node ids, and return it.

        Sub-graphs that are saved already stay what they are; others are saved under new ids. The
        same *key* saves one version, as long as that is the highest.

        Raises:
            BadRequest: If *graph* says that it is another one.
            NotFound: If there is no such graph.
            GraphInvalid: If it cannot be saved; nothing was.
        """
        if graph.id != graph_id:
            raise BadRequest("Graph ID does not match ID in URI")
        stored = self._storage.of(user_id)
        highest = await stored.graph(graph_id)
        if highest is None:
            raise NotFound(f"Graph #{graph_id} not found")
        new = [sub for sub in graph.sub_graphs if await stored.graph(sub.id, sub.version) is None]
        now_us = self._clock.now_us()
        made = self._made(
            user_id,
            replace(graph, sub_graphs=tuple(new)),
            now_us,
            self._fresh(key),
            keep_graph_id=True,
        )
        if key is not None and _ids_of(made) == _ids_of(highest):
            return await self.with_sub_graphs(user_id, highest)
        head, *subs = _rows(made)
        saved = await stored.add_version(head, subs, now_us=now_us)
        return await self.with_sub_graphs(user_id, saved)

    async def get(
        self,
        user_id: UserId,
        graph_id: GraphId,
        version: int | None = None,
        *,
        for_export: bool = False,
    ) -> Graph:
        """
        Return a version with its sub-graphs; the highest when *version* is None.

        With *for_export* it has no secrets and no owner, as a file for others.
        """
        graph = await self._storage.of(user_id).graph(graph_id, version)
        if graph is None:
            raise NotFound(f"Graph #{graph_id} not found.")
        graph = await self.with_sub_graphs(user_id, graph)
        return self.export(graph) if for_export else graph

    def export(self, graph: Graph) -> Graph:
        """Return *graph* as a file for others: without secrets, webhooks and owner."""
        return for_export(graph, self._catalog)

    async def listed(self, user_id: UserId) -> list[Graph]:
        """Return the active versions, newest graph first, at most `MAX_GRAPHS`."""
        return await self._storage.of(user_id).graphs(limit=MAX_GRAPHS)

    async def versions(self, user_id: UserId, graph_id: GraphId) -> list[Graph]:
        """Return the versions, highest first, at most `MAX_VERSIONS`."""
        found = await self._storage.of(user_id).graph_versions(graph_id, limit=MAX_VERSIONS)
        if not found:
            raise NotFound(f"Graph #{graph_id} not found")
        return found

    async def set_active(self, user_id: UserId, graph_id: GraphId, version: int) -> None:
        """Make *version* the one that runs when none is named."""
        stored = self._storage.of(user_id)
        if await stored.graph(graph_id, version) is None:
            raise NotFound(f"Graph #{graph_id} v{version} not found")
        await stored.set_active_version(graph_id, version, now_us=self._clock.now_us())

    async def change_settings(
        self, user_id: UserId, graph_id: GraphId, changes: Mapping[str, bool]
    ) -> Mapping[str, bool]:
        """Set what *changes* names of `DEFAULT_SETTINGS` for an agent; return all settings."""
        kept = await self._storage.of(user_id).change_graph_settings(
            graph_id, changes, now_us=self._clock.now_us()
        )
        return {**DEFAULT_SETTINGS, **kept}

    async def delete(self, user_id: UserId, graph_id: GraphId) -> int:
        """Delete all versions; return how many there were. None is no error."""
        return await self._storage.of(user_id).delete_graph(graph_id, now_us=self._clock.now_us())

    async def ready(self, user_id: UserId, graph_id: GraphId, version: int) -> ReadyGraph | None:
        """
        Return a version made ready to run; None if there is none, or it is not the user's.

        A saved version never changes, so what was made once is kept. That it still exists is
        checked again by storage, in the transaction that adds the run.
        """
        found = self._ready.get((graph_id, version))
        if found is not None:
            return found if found.graph.user_id == user_id else None
        graph = await self._storage.of(user_id).graph(graph_id, version)
        if graph is None:
            return None
        made = make_ready(graph, self._catalog)
        self._ready.put((graph_id, version), made)
        return made

    def _fresh(self, key: str | None) -> Callable[[], str]:
        """Return what gives new ids: with a key, the same ones each time."""
        if key is None:
            return self._clock.new_id
        ids, numbers = IdSeries(f"graph {key}"), itertools.count()
        return lambda: ids[next(numbers)]

    def _made(
        self,
        user_id: UserId,
        graph: Graph,
        now_us: int,
        fresh: Callable[[], str],
        *,
        keep_graph_id: bool,
    ) -> Graph:
        """Check *graph* under the ids that its sender knows, and return it as it is saved."""
        _refuse_doubles(graph)
        owned = normalise_links(_owned(graph, user_id), self._catalog)
        require_valid(owned, self._catalog, for_run=False)
        renamed = with_new_ids(owned, owner=user_id, fresh=fresh, keep_graph_id=keep_graph_id)
        subs = tuple(replace(sub, created_at_us=now_us) for sub in renamed.sub_graphs)
        return replace(renamed, created_at_us=now_us, sub_graphs=subs)

    async def with_sub_graphs(self, user_id: UserId, graph: Graph) -> Graph:
        """Return *graph* with all versions of graphs that it runs, of all depths, each once."""
        stored = self._storage.of(user_id)
        found: list[Graph] = []
        seen: set[tuple[GraphId, int]] = set()
        wanted = list(_runs(graph))
        while wanted and len(found) < MAX_SUB_GRAPHS:
            sub_id, version = wanted.pop(0)
            # Two versions of one sub-graph are two graphs; one graph in itself is shown once.
            if sub_id == graph.id or (sub_id, version) in seen:
                continue
            seen.add((sub_id, version))
            sub = await stored.graph(sub_id, version)
            if sub is not None:
                found.append(sub)
                wanted.extend(_runs(sub))
        return replace(graph, sub_graphs=tuple(found))


def _ids_of(graph: Graph) -> set[str]:
    return {node.id for node in graph.nodes}


def _runs(graph: Graph) -> Iterable[tuple[GraphId, int]]:
    return [target for node in graph.nodes if (target := sub_graph_of(node)) is not None]


def _rows(graph: Graph) -> list[Graph]:
    """Return *graph* and its sub-graphs, each alone, as they are saved."""
    return [replace(one, sub_graphs=()) for one in all_graphs(graph)]


def _owned(graph: Graph, owner: UserId) -> Graph:
    """Return *graph* with what nodes that run other graphs get from their owner on saving."""
    return replace(
        graph,
        nodes=tuple(
            replace(node, input_default={"inputs": {}, **node.input_default, "user_id": owner})
            if node.block_id == AGENT_EXECUTOR_ID
            else node
            for node in graph.nodes
        ),
        sub_graphs=tuple(_owned(sub, owner) for sub in graph.sub_graphs),
    )


def _refuse_doubles(graph: Graph) -> None:
    """Refuse ids that stand for two graphs: new ones would make one of both."""
    graphs = Counter((one.id, one.version) for one in graph.sub_graphs)
    graphs.update((graph.id, sub.version) for sub in graph.sub_graphs if sub.id == graph.id)
    for (graph_id, version), count in graphs.items():
        if count > 1:
            raise GraphInvalid(
                f"graph id {graph_id} is used {count} times for version {version}; ids must differ"
            )
