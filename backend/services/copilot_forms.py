"""Agents and blocks in the words in which the copilot reads and writes them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from backend.core import graph_schema
from backend.core.block import BlockSpec, is_credentials_pin
from backend.core.catalog import Catalog
from backend.core.errors import BadRequest
from backend.core.graph import Graph, Link, Node
from backend.core.ids import GraphId, LinkId, NodeId
from backend.core.json import JsonObject
from backend.services.agent_tools import AgentTool

#: Nodes and links of a drafted graph, at most: more than any model writes well.
MOST_NODES: Final = 200
MOST_LINKS: Final = 1_000
_MOST_NAME: Final = 500
_MOST_DESCRIPTION: Final = 5_000
#: A pin's description is cut here: a block has many, and an answer several blocks.
_MOST_WORDS: Final = 300
_PIN_WORDS: Final = ("type", "enum", "const", "items", "anyOf", "default")
#: How far apart nodes lie in a builder.
_APART: Final = 400.0


def agent_form(tool: AgentTool) -> JsonObject:
    """Return an agent as a list shows it."""
    return {
        "graph_id": tool.graph_id,
        "name": tool.title,
        "description": tool.description,
        "inputs": tool.inputs,
    }


def graph_form(graph: Graph, catalog: Catalog) -> JsonObject:
    """Return a graph as it may be written back with `graph_of`; no value of a secret pin is in it."""
    shown = graph_schema.for_export(graph, catalog)
    return {
        "graph_id": graph.id,
        "version": graph.version,
        "name": graph.name,
        "description": graph.description,
        "nodes": [
            {
                "id": node.id,
                "block": _name_of(node, catalog),
                "inputs": dict(node.input_default),
            }
            for node in shown.nodes
        ],
        "links": [
            {
                "from": f"{link.source_id}.{link.source_name}",
                "to": f"{link.sink_id}.{link.sink_name}",
            }
            for link in graph.links
        ],
    }


def block_form(spec: BlockSpec) -> JsonObject:
    """Return a block with its pins."""
    required = set(spec.input_schema.required)
    return {
        "block": spec.name,
        "description": spec.description,
        "inputs": {
            name: {**_pin_form(pin), **({"required": True} if name in required else {})}
            for name, pin in spec.input_schema.properties.items()
        },
        "outputs": {name: _pin_form(pin) for name, pin in spec.output_schema.properties.items()},
    }


def graph_of(
    arguments: Mapping[str, Any], catalog: Catalog, *, graph_id: GraphId, fresh: Callable[[], str]
) -> Graph:
    """
    Return the graph that a model has written.

    Raises:
        BadRequest: If it is none; says what, where, and how it is written. Whether it is a good
            one, `GraphService` says.
    """
    name = _text(arguments.get("name"), "name", most=_MOST_NAME)
    nodes = _objects(arguments.get("nodes"), "nodes", most=MOST_NODES)
    links = _objects(arguments.get("links") or [], "links", most=MOST_LINKS)
    if not nodes:
        raise BadRequest("nodes: a graph has at least one node")
    return Graph(
        id=graph_id,
        name=name,
        description=str(arguments.get("description") or "")[:_MOST_DESCRIPTION],
        nodes=tuple(_node(place, node, catalog) for place, node in enumerate(nodes)),
        links=tuple(_link(place, link, fresh) for place, link in enumerate(links)),
    )


def with_kept(drawn: Graph, known: Graph, catalog: Catalog) -> Graph:
    """
    Return *drawn* with what its author was not shown of *known*, of which it is the next version.

    Where a node has kept its id and its block, its credentials and secret values stay, and how it
    stands in the builder.
    """
    shown = {node.id: node for node in graph_schema.for_export(known, catalog).nodes}
    before = {node.id: node for node in known.nodes}
    nodes = []
    for node in drawn.nodes:
        old = before.get(node.id)
        if old is not None and old.block_id == node.block_id:
            seen = shown[node.id].input_default
            hidden = {pin: value for pin, value in old.input_default.items() if pin not in seen}
            node = replace(  # noqa: PLW2901 - it goes on into the list
                node, input_default={**hidden, **node.input_default}, metadata=old.metadata
            )
        nodes.append(node)
    return replace(
        drawn,
        nodes=tuple(nodes),
        description=drawn.description or known.description,
        instructions=known.instructions,
        recommended_schedule_cron=known.recommended_schedule_cron,
    )


def _name_of(node: Node, catalog: Catalog) -> str:
    spec = catalog.get(node.block_id)
    return node.block_id if spec is None else spec.name


def _pin_form(pin: Mapping[str, Any]) -> dict[str, Any]:
    kept = {word: pin[word] for word in _PIN_WORDS if word in pin and pin[word] is not None}
    words = str(pin.get("description") or pin.get("title") or "")
    return {**kept, "description": words[:_MOST_WORDS]} if words else kept


def _node(place: int, said: Mapping[str, Any], catalog: Catalog) -> Node:
    where = f"nodes[{place}]"
    block = _text(said.get("block"), f"{where}.block", most=_MOST_NAME)
    spec = catalog.named(block) or catalog.get(block)
    if spec is None or spec.placeholder or spec.disabled:
        raise BadRequest(f"{where}.block: there is no block {block!r}; find_block lists those")
    inputs = said.get("inputs") or {}
    if not isinstance(inputs, Mapping):
        raise BadRequest(f"{where}.inputs: an object is needed, a value by each pin's name")
    for name in inputs:
        if is_credentials_pin(str(name)):
            raise BadRequest(
                f"{where}.inputs.{name}: credentials are chosen by the person, in the builder or"
                " when the agent is run"
            )
    return Node(
        id=NodeId(_text(said.get("id"), f"{where}.id", most=_MOST_NAME)),
        block_id=spec.id,
        input_default=dict(inputs),
        metadata={"position": {"x": _APART * place, "y": 0.0}},
    )


def _link(place: int, said: Mapping[str, Any], fresh: Callable[[], str]) -> Link:
    source_id, source_name = _end(said.get("from"), f"links[{place}].from")
    sink_id, sink_name = _end(said.get("to"), f"links[{place}].to")
    return Link(
        id=LinkId(fresh()),
        source_id=source_id,
        sink_id=sink_id,
        source_name=source_name,
        sink_name=sink_name,
    )


def _end(said: Any, where: str) -> tuple[NodeId, str]:
    node, point, pin = _text(said, where, most=2 * _MOST_NAME).partition(".")
    if not (node and point and pin):
        raise BadRequest(f"{where}: write a node's id, a point and a pin's name, like in.result")
    return NodeId(node), pin


def _text(value: Any, where: str, *, most: int) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        raise BadRequest(f"{where}: a text of 1 to {most} characters is needed")
    return value


def _objects(value: Any, where: str, *, most: int) -> Sequence[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise BadRequest(f"{where}: a list of objects is needed")
    if len(value) > most:
        raise BadRequest(f"{where}: there are {len(value)}, and {most} are the most")
    return value
