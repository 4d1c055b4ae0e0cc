"""Agent files as people have them: read into a graph, and written as the API takes them.

Lenient about what says nothing (missing ids, versions, descriptions; links only at the nodes) and
strict about the rest: all problems at once, by node. What is old in it is left to core/graph_repair.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backend.core import json
from backend.core.errors import BadRequest, GraphInvalid
from backend.core.graph import Graph, Link, Node, all_graphs
from backend.core.ids import BlockId, GraphId, LinkId, NodeId

#: More than the API takes in one request; a file that is larger is no agent.
MAX_FILE_BYTES: Final = 16 * 1024 * 1024

Values = Mapping[str, Any]


def read_graph(text: bytes | str, *, name: str, fresh: Callable[[], str]) -> Graph:
    """
    Return the graph in an agent file.

    The file holds a graph, or an object with it under `graph`, or a JSON text that holds one of
    these. What the graph means is not checked here.

    Args:
        name: For a graph that has none.
        fresh: Returns a new id at each call.

    Raises:
        GraphInvalid: With all problems, by node.
        BadRequest: If the file holds no graph.
    """
    if len(text) > MAX_FILE_BYTES:
        raise BadRequest(f"an agent file has at most {MAX_FILE_BYTES:,} bytes; this has more")
    reader = _Reader(fresh)
    top = _graph_in(json.loads(text))
    subs = _objects(top.get("sub_graphs") or top.get("subgraphs"))
    head = reader.graph(top, name)
    graphs = [reader.graph(sub, f"{name} {number}") for number, sub in enumerate(subs, 1)]
    if reader.structure:
        raise GraphInvalid("; ".join(reader.structure[:20]))
    if reader.nodes:
        issues = sum(map(len, reader.nodes.values()))
        raise GraphInvalid(
            f"The file has {issues} problems at {len(reader.nodes)} nodes", reader.nodes
        )
    return Graph(**{**_fields(head), "sub_graphs": tuple(graphs)})


def to_file(graph: Graph) -> dict[str, Any]:
    """Return *graph* in the form of agent files, which is also what the API takes."""
    return {**_one_to_file(graph), "sub_graphs": [_one_to_file(sub) for sub in graph.sub_graphs]}


def file_ids(sent: Graph, saved: Graph) -> dict[str, str]:
    """Return the node ids of the graph *sent* by those that it got when it was saved."""
    return {
        new.id: old.id
        for one, other in zip(all_graphs(sent), all_graphs(saved), strict=False)
        for old, new in zip(one.nodes, other.nodes, strict=False)
    }


def _one_to_file(graph: Graph) -> dict[str, Any]:
    return {
        "id": graph.id,
        "version": graph.version,
        "is_active": graph.is_active,
        "name": graph.name,
        "description": graph.description,
        "instructions": graph.instructions,
        "recommended_schedule_cron": graph.recommended_schedule_cron,
        "forked_from_id": graph.forked_from_id,
        "forked_from_version": graph.forked_from_version,
        "nodes": [_fields(node) for node in graph.nodes],
        "links": [_fields(link) for link in graph.links],
    }


def _fields(thing: Graph | Node | Link) -> dict[str, Any]:
    return dict(vars(thing))


def _graph_in(found: Any) -> Values:
    if isinstance(found, str):  # exported twice
        found = json.loads(found)
    if isinstance(found, dict) and isinstance(found.get("graph"), dict) and "nodes" not in found:
        found = found["graph"]
    if not isinstance(found, dict) or not isinstance(found.get("nodes"), list):
        raise BadRequest("this is no agent: it has no list of nodes")
    return found


def _objects(value: Any) -> list[Values]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


@dataclass(kw_only=True)
class _Problems:
    structure: list[str] = field(default_factory=list)
    nodes: dict[str, dict[str, str]] = field(default_factory=dict)


class _Reader(_Problems):
    """Builds the graphs of one file and notes what is wrong in them."""

    def __init__(self, fresh: Callable[[], str]) -> None:
        super().__init__()
        self._fresh = fresh

    def graph(self, source: Values, name: str) -> Graph:
        nodes = source.get("nodes") or []
        if not isinstance(nodes, list):
            self.structure.append("nodes is no list")
            nodes = []
        return Graph(
            id=GraphId(_text(source, "id") or self._fresh()),
            version=_number(source, "version"),
            name=_text(source, "name") or name,
            description=_text(source, "description"),
            is_active=source.get("is_active") is not False,
            instructions=_text(source, "instructions") or None,
            recommended_schedule_cron=_text(source, "recommended_schedule_cron") or None,
            forked_from_id=GraphId(_text(source, "forked_from_id")) or None,
            forked_from_version=_number(source, "forked_from_version")
            if source.get("forked_from_id")
            else None,
            nodes=tuple(self._nodes(nodes)),
            links=tuple(self._links(source, _objects(nodes))),
        )

    def _nodes(self, sources: list[Any]) -> Iterator[Node]:
        for number, source in enumerate(sources, 1):
            if not isinstance(source, dict):
                self.structure.append(f"node {number} is no object")
                continue
            node_id = _text(source, "id") or self._fresh()
            block_id = _text(source, "block_id")
            if not block_id:
                self._note(node_id, "block_id", "says which block the node is, and is missing")
            values: dict[str, dict[str, Any]] = {}
            for name in ("input_default", "metadata"):
                value = source.get(name) or {}
                if not isinstance(value, dict):
                    self._note(node_id, name, "is no object")
                values[name] = value if isinstance(value, dict) else {}
            yield Node(id=NodeId(node_id), block_id=BlockId(block_id), **values)

    def _links(self, source: Values, nodes: list[Values]) -> Iterator[Link]:
        links = source.get("links")
        if not isinstance(links, list) or (not links and nodes):
            links = _links_of(nodes)
        for number, link in enumerate(links, 1):
            if not isinstance(link, dict):
                self.structure.append(f"link {number} is no object")
                continue
            ends = {name: _text(link, name) for name in _ENDS}
            missing = [name for name, value in ends.items() if not value]
            if missing:
                self._note_link(ends, number, missing)
                continue
            yield Link(
                id=LinkId(_text(link, "id") or self._fresh()),
                source_id=NodeId(ends["source_id"]),
                source_name=ends["source_name"],
                sink_id=NodeId(ends["sink_id"]),
                sink_name=ends["sink_name"],
                is_static=link.get("is_static") is True,
            )

    def _note_link(self, ends: Mapping[str, str], number: int, missing: list[str]) -> None:
        text = f"link {number} has no {' and no '.join(missing)}"
        node_id = ends["sink_id"] or ends["source_id"]
        if node_id:
            self._note(node_id, ends["sink_name"] or f"link {number}", text)
        else:
            self.structure.append(text)

    def _note(self, node_id: str, place: str, text: str) -> None:
        self.nodes.setdefault(node_id, {})[place] = text


_ENDS: Final = ("source_id", "source_name", "sink_id", "sink_name")


def _links_of(nodes: list[Values]) -> list[Values]:
    """Return the links that stand only at the nodes, each once though both ends have it."""
    found: dict[tuple[Any, ...], Values] = {}
    for node in nodes:
        for side in ("input_links", "output_links"):
            for link in _objects(node.get(side)):
                found.setdefault(tuple(_text(link, name) for name in _ENDS), link)
    return list(found.values())


def _text(source: Values, name: str) -> str:
    value = source.get(name)
    return value if isinstance(value, str) else ""


def _number(source: Values, name: str) -> int:
    value = source.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 1
