"""A graph as people draw it: nodes, links, sub-graphs. What it means when run is core/plan.py."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from backend.core.ids import BlockId, GraphId, LinkId, NodeId, UserId

#: The block that runs another graph.
AGENT_EXECUTOR_ID: Final = BlockId("e189baac-8c20-45a1-94a7-55177ea42565")


#: Whose a graph is before it is saved, and in an export.
NOBODY: Final = UserId("")


@dataclass(frozen=True, kw_only=True)
class Link:
    """A pipe from an output pin to an input pin."""

    id: LinkId
    source_id: NodeId
    sink_id: NodeId
    source_name: str
    sink_name: str
    is_static: bool = False  #: the value is kept and used again by later executions of the sink


@dataclass(frozen=True, kw_only=True)
class Node:
    """A block placed in a graph, with the inputs it was given there."""

    id: NodeId
    block_id: BlockId
    input_default: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Graph:
    """One version of an agent. A saved version never changes; only which one is active does."""

    id: GraphId
    version: int = 1
    name: str
    description: str
    is_active: bool = True
    instructions: str | None = None
    recommended_schedule_cron: str | None = None
    nodes: tuple[Node, ...] = ()
    links: tuple[Link, ...] = ()
    forked_from_id: GraphId | None = None
    forked_from_version: int | None = None
    user_id: UserId = NOBODY
    created_at_us: int = 0
    sub_graphs: tuple["Graph", ...] = ()  #: of all depths, flat


def with_new_ids(
    graph: Graph, *, owner: UserId, fresh: Callable[[], str], keep_graph_id: bool = False
) -> Graph:
    """
    Return *graph* and its sub-graphs as *owner*'s, with new node and link ids, links following.

    AgentExecutor nodes follow the sub-graphs' new ids. Graph ids are new too, unless
    *keep_graph_id* says that the top graph keeps its own.

    Args:
        fresh: Returns a new id at each call.
    """
    ids = {sub.id: GraphId(fresh()) for sub in graph.sub_graphs}
    ids[graph.id] = graph.id if keep_graph_id else GraphId(fresh())
    subs = tuple(_renamed(sub, owner, ids, fresh) for sub in graph.sub_graphs)
    return replace(_renamed(graph, owner, ids, fresh), sub_graphs=subs)


def _renamed(
    graph: Graph, owner: UserId, ids: Mapping[GraphId, GraphId], fresh: Callable[[], str]
) -> Graph:
    nodes = {node.id: NodeId(fresh()) for node in graph.nodes}
    return replace(
        graph,
        id=ids[graph.id],
        user_id=owner,
        nodes=tuple(_renamed_node(node, nodes[node.id], owner, ids) for node in graph.nodes),
        links=tuple(
            replace(
                link,
                id=LinkId(fresh()),
                source_id=nodes.get(link.source_id, link.source_id),
                sink_id=nodes.get(link.sink_id, link.sink_id),
            )
            for link in graph.links
        ),
    )


def _renamed_node(node: Node, new: NodeId, owner: UserId, ids: Mapping[GraphId, GraphId]) -> Node:
    if node.block_id != AGENT_EXECUTOR_ID:
        return replace(node, id=new)
    target = node.input_default.get("graph_id")
    inputs = {"inputs": {}, **node.input_default, "user_id": owner}
    if isinstance(target, str) and GraphId(target) in ids:
        inputs["graph_id"] = ids[GraphId(target)]
    return replace(node, id=new, input_default=inputs)


def sub_graph_of(node: Node) -> tuple[GraphId, int] | None:
    """Return the graph and version that *node* runs; None if it runs no graph."""
    if node.block_id != AGENT_EXECUTOR_ID:
        return None
    graph_id, version = node.input_default.get("graph_id"), node.input_default.get("graph_version")
    if not isinstance(graph_id, str) or not graph_id or not isinstance(version, int):
        return None
    return GraphId(graph_id), version


def all_graphs(graph: Graph) -> Iterator[Graph]:
    """Yield *graph* and then its sub-graphs."""
    yield graph
    yield from graph.sub_graphs
