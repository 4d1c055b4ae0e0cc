"""Agents as people have them, saved: what was made for an earlier server is mended first, and told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.core.catalog import Catalog
from backend.core.graph import Graph, all_graphs, sub_graph_of
from backend.core.graph_repair import Repair, repaired
from backend.core.ids import GraphId, NodeId, UserId
from backend.ports.credentials import CredentialsStore
from backend.ports.storage import Storage
from backend.services.graphs import MAX_SUB_GRAPHS, GraphService
from backend.services.portable import file_ids


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """
    A graph as it was saved.

    Attributes:
        repairs: What was mended, by the ids that the nodes have now; empty if nothing was.
    """

    graph: Graph
    repairs: Mapping[NodeId, list[Repair]] = field(default_factory=dict)


class ImportService:
    """Saves new graphs, and is lenient about their age."""

    def __init__(
        self,
        *,
        graphs: GraphService,
        storage: Storage,
        credentials: CredentialsStore,
        catalog: Catalog,
    ) -> None:
        self._graphs = graphs
        self._storage = storage
        self._credentials = credentials
        self._catalog = catalog

    async def create(self, user_id: UserId, sent: Graph) -> Imported:
        """
        Mend *sent* where it is certain what was meant, save it under new ids, and return it.

        Raises:
            GraphInvalid: If it cannot be saved all the same; nothing was.
        """
        saved = await self._saved(user_id, sent)
        own: set[str] = set()
        if any(map(_may_be_reference, _values(sent))):  # most files name none
            own |= {record.id for record in await self._credentials.of(user_id).listed()}
        mended, repairs = repaired(sent, self._catalog, saved=saved, owned=own.__contains__)
        made = await self._graphs.create(user_id, mended)
        now = {old: new for new, old in file_ids(mended, made).items()}
        report: dict[NodeId, list[Repair]] = {}
        for repair in repairs:
            report.setdefault(NodeId(now.get(repair.node_id, repair.node_id)), []).append(repair)
        return Imported(graph=made, repairs=report)

    async def _saved(self, user_id: UserId, sent: Graph) -> set[tuple[GraphId, int]]:
        """Return the graphs outside of *sent* that its nodes run and that are the user's."""
        inside = {(one.id, one.version) for one in all_graphs(sent)}
        named = (sub_graph_of(node) for one in all_graphs(sent) for node in one.nodes)
        wanted = {target for target in named if target is not None and target not in inside}
        stored = self._storage.of(user_id)
        # Only a file that brings graphs along can be mended, and no graph has more than these.
        looked_at = sorted(wanted)[:MAX_SUB_GRAPHS] if sent.sub_graphs else []
        return {target for target in looked_at if await stored.graph(*target) is not None}


def _values(graph: Graph) -> Iterator[Any]:
    """Yield what the pins of all nodes at all depths are given."""
    for one in all_graphs(graph):
        for node in one.nodes:
            yield from node.input_default.values()


def _may_be_reference(value: Any) -> bool:
    return isinstance(value, Mapping) and "id" in value
