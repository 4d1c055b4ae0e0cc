"""Draw a graph in code: nodes by the names of their blocks, links by (node, pin)."""

from typing import Any

from backend.core.catalog import Catalog
from backend.core.errors import NotFound
from backend.core.graph import Graph, Link, Node
from backend.core.ids import GraphId, LinkId, NodeId, derived_id
from backend.discovery import load_catalog


class Drawing:
    """A graph in the making. Its ids are derived from its name: drawn twice, it is the same."""

    def __init__(self, name: str, description: str, *, catalog: Catalog | None = None) -> None:
        """Begin a drawing with the blocks of *catalog*, else those of this installation."""
        self._catalog = catalog or load_catalog()
        self._name = name
        self._description = description
        self._nodes: list[Node] = []
        self._links: list[Link] = []

    def node(self, block: str, **inputs: Any) -> NodeId:
        """
        Place the block named *block* and return its node.

        Raises:
            NotFound: If no such block is known.
        """
        spec = self._catalog.named(block)
        if spec is None:
            raise NotFound(f"There is no block {block}")
        node = NodeId(derived_id(self._name, "node", len(self._nodes)))
        self._nodes.append(Node(id=node, block_id=spec.id, input_default=inputs))
        return node

    def link(self, source: NodeId, output: str, sink: NodeId, pin: str) -> None:
        """Link an output to a pin; static where the source's block keeps its outputs."""
        link = Link(
            id=LinkId(derived_id(self._name, "link", len(self._links))),
            source_id=source,
            source_name=output,
            sink_id=sink,
            sink_name=pin,
            is_static=self._keeps(source),
        )
        self._links.append(link)

    def _keeps(self, node: NodeId) -> bool:
        block_id = next(each.block_id for each in self._nodes if each.id == node)
        spec = self._catalog.get(block_id)
        return spec is not None and spec.static_output

    def graph(self) -> Graph:
        """Return the graph."""
        return Graph(
            id=GraphId(derived_id(self._name, "graph")),
            name=self._name,
            description=self._description,
            nodes=tuple(self._nodes),
            links=tuple(self._links),
        )
