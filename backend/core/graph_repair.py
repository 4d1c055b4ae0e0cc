"""Repairs agents that were made for earlier servers, as far as it is certain what was meant.

Pure: a graph goes in, the mended graph and a report come out. What is not certain is left as it
is, and refused by graph_check with all that is wrong.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from backend.core import pins
from backend.core.block import BlockSpec, is_credentials_pin
from backend.core.catalog import Catalog
from backend.core.graph import Graph, Link, Node, all_graphs, sub_graph_of
from backend.core.graph_schema import input_schema, output_schema
from backend.core.ids import GraphId, NodeId
from backend.core.repair_facts import (
    ARGUMENTS,
    NEW_PLACE,
    OLD_PLACE,
    RENAMED_PINS,
    SECRET_PINS,
    SUCCESSORS,
    TEMPLATES,
)

_MODEL_PIN: Final = "model"


class RepairKind(StrEnum):
    """What was mended."""

    BLOCK = "block"  #: an old id of a block
    PIN = "pin"  #: a pin that is called otherwise now
    CREDENTIALS = "credentials"  #: a secret, or somebody else's credentials, taken out
    MODEL = "model"  #: a model that is not there any more
    TEMPLATE = "template"  #: a text with places in an old form
    SUB_GRAPH = "sub_graph"  #: a graph that was named by an id of another server


@dataclass(frozen=True, kw_only=True, slots=True)
class Repair:
    """One thing that was mended, at a node, in a sentence."""

    node_id: NodeId
    kind: RepairKind
    text: str


def repaired(
    graph: Graph,
    catalog: Catalog,
    *,
    saved: Collection[tuple[GraphId, int]] = (),
    owned: Callable[[str], bool] = lambda _: False,
) -> tuple[Graph, list[Repair]]:
    """
    Return *graph* with its sub-graphs mended, and what was done; the same graph if nothing was.

    Args:
        saved: Graph versions that its nodes may run though they are not in it.
        owned: Says whether a credential is one of the owner's; others are taken out.
    """
    report: list[Repair] = []
    inside = {(one.id, one.version) for one in all_graphs(graph)} | set(saved)
    mended = [
        _Mender(one, catalog, report, owned).mended(inside, graph) for one in all_graphs(graph)
    ]
    if not report:
        return graph, []
    return replace(mended[0], sub_graphs=tuple(mended[1:])), report


@dataclass(kw_only=True)
class _Links:
    """The links of one graph while they are changed, by their sink."""

    links: list[Link | None] = field(default_factory=list)

    def into(self, node: Node) -> Iterator[tuple[int, Link]]:
        for place, link in enumerate(self.links):
            if link is not None and link.sink_id == node.id:
                yield place, link


class _Mender:
    """Mends one graph."""

    def __init__(
        self, graph: Graph, catalog: Catalog, report: list[Repair], owned: Callable[[str], bool]
    ) -> None:
        self._graph = graph
        self._catalog = catalog
        self._report = report
        self._owned = owned
        self._links = _Links(links=list(graph.links))

    def mended(self, inside: set[tuple[GraphId, int]], whole: Graph) -> Graph:
        nodes = [self._node(node, inside, whole) for node in self._graph.nodes]
        links = tuple(link for link in self._links.links if link is not None)
        return replace(self._graph, nodes=tuple(nodes), links=links, sub_graphs=())

    def _note(self, node: Node, kind: RepairKind, text: str) -> None:
        self._report.append(Repair(node_id=node.id, kind=kind, text=text))

    def _node(self, node: Node, inside: set[tuple[GraphId, int]], whole: Graph) -> Node:
        current = self._catalog.current_id(node.block_id)
        block = self._catalog.get(current)
        if block is None:
            return node
        if current != node.block_id:
            self._note(node, RepairKind.BLOCK, f"{block.name} has the id {current} now")
        values = dict(node.input_default)
        self._model(node, block, values)
        renamed = self._pins(node, block, values)
        self._credentials(node, block, values)
        self._template(node, block, values, is_old=renamed)
        made = replace(node, block_id=current, input_default=values)
        return self._sub_graph(made, inside, whole)

    def _model(self, node: Node, block: BlockSpec, values: dict[str, Any]) -> None:
        model = values.get(_MODEL_PIN)
        successor = SUCCESSORS.get(model) if isinstance(model, str) else None
        if successor is not None and _MODEL_PIN in block.input_schema.properties:
            values[_MODEL_PIN] = successor
            self._note(node, RepairKind.MODEL, f"{model} is retired: {successor} does its work")

    def _pins(self, node: Node, block: BlockSpec, values: dict[str, Any]) -> bool:
        """Rename pins in values and links; say whether there were any."""
        before = len(self._report)
        for name in list(values):
            new = _new_name(block, name)
            if new is not None and new not in values:
                values[new] = values.pop(name)
                self._note(node, RepairKind.PIN, f"{name} is called {new} now")
        for place, link in list(self._links.into(node)):
            new = _new_name(block, link.sink_name) or _argument(block, link.sink_name)
            if new is not None:
                self._links.links[place] = replace(link, sink_name=new)
                self._note(node, RepairKind.PIN, f"the link to {link.sink_name} leads to {new} now")
        return len(self._report) > before

    def _credentials(self, node: Node, block: BlockSpec, values: dict[str, Any]) -> None:
        for name, value in list(values.items()):
            is_secret = _was_secret(block, name)
            if is_secret or (_is_reference(block, name) and not self._is_owned(value)):
                del values[name]
                # An empty one held nothing: nobody misses it.
                if value:
                    text = f"{name} was taken out: choose credentials of your own"
                    self._note(node, RepairKind.CREDENTIALS, text)
        for place, link in list(self._links.into(node)):
            if _was_secret(block, link.sink_name):
                self._links.links[place] = None
                text = f"the link to {link.sink_name} was taken out: choose credentials"
                self._note(node, RepairKind.CREDENTIALS, text)

    def _is_owned(self, value: Any) -> bool:
        found = value.get("id") if isinstance(value, dict) else None
        return isinstance(found, str) and self._owned(found)

    def _template(
        self, node: Node, block: BlockSpec, values: dict[str, Any], *, is_old: bool
    ) -> None:
        place = TEMPLATES.get(block.name)
        text = values.get(place[0]) if place else None
        if place is None or not isinstance(text, str) or NEW_PLACE.search(text):
            return
        given = self._given(node, place[1], values)
        names = {name for name in OLD_PLACE.findall(text) if is_old or not given or name in given}
        if not names or given is None:
            return
        values[place[0]] = OLD_PLACE.sub(
            lambda found: f"{{{{{found[1]}}}}}" if found[1] in names else found[0], text
        )
        shown = ", ".join(sorted(names))
        self._note(node, RepairKind.TEMPLATE, f"places of {place[0]} have two braces now: {shown}")

    def _given(self, node: Node, pin: str, values: dict[str, Any]) -> set[str] | None:
        """Return what is filled in, by name; empty: not known before it runs; None: nothing."""
        names = [*values, *(link.sink_name for _, link in self._links.into(node))]
        whole = pin in (link.sink_name for _, link in self._links.into(node))
        found = {name.split(pins.DICT, 1)[1] for name in names if name.startswith(pin + pins.DICT)}
        default = values.get(pin)
        if isinstance(default, dict):
            found |= {str(key) for key in default}
        if whole:
            return set()
        return found or None

    def _sub_graph(self, node: Node, inside: set[tuple[GraphId, int]], whole: Graph) -> Node:
        target = sub_graph_of(node)
        if target is None or target in inside or not whole.sub_graphs:
            return node
        fits = [sub for sub in whole.sub_graphs if self._fits(node, sub)]
        found = [sub for sub in fits if sub.version == target[1]] or fits
        if len(found) != 1:
            return node
        [sub] = found
        self._note(
            node,
            RepairKind.SUB_GRAPH,
            f"graph {target[0]} version {target[1]} is not in the file; it is {sub.name!r},"
            " by its version, inputs and outputs",
        )
        chosen = {"graph_id": sub.id, "graph_version": sub.version}
        return replace(node, input_default={**node.input_default, **chosen})

    def _fits(self, node: Node, sub: Graph) -> bool:
        """Say whether *sub* has all inputs and outputs that *node* uses."""
        if sub.id == self._graph.id:
            return False
        takes = {link.sink_name for _, link in self._links.into(node)}
        gives = {link.source_name for link in self._graph.links if link.source_id == node.id}
        inputs = set(_properties(input_schema(sub, self._catalog)))
        outputs = set(_properties(output_schema(sub, self._catalog)))
        given = node.input_default.get("inputs")
        takes |= set(given) if isinstance(given, dict) else set()
        return _bases(takes) <= inputs and _bases(gives) - {"error"} <= outputs


def _properties(schema: Any) -> Any:
    return schema.get("properties") or {}


def _bases(names: set[str]) -> set[str]:
    return {pins.base_name(name) for name in names}


def _new_name(block: BlockSpec, name: str) -> str | None:
    """Return what an input pin is called now; None if it is called *name*, or it is not known."""
    known = block.input_schema.properties
    base = pins.base_name(name)
    if base in known:
        return None
    new = RENAMED_PINS.get(block.name, {}).get(base)
    if new is not None:
        return new + name[len(base) :]
    # Inputs of all blocks lay in one pin once, each under its name.
    _, delimiter, rest = name.partition(pins.DICT)
    return rest if delimiter and pins.base_name(rest) in known else None


def _argument(block: BlockSpec, name: str) -> str | None:
    """Return the part of the pin of arguments that a link to *name* means; None if there is none."""
    whole = ARGUMENTS.get(block.name)
    if whole is None or pins.base_name(name) in block.input_schema.properties:
        return None
    return f"{whole}{pins.DICT}{name}"


def _was_secret(block: BlockSpec, name: str) -> bool:
    known = block.input_schema.properties
    has_credentials = any(is_credentials_pin(pin) for pin in known)
    return has_credentials and name not in known and SECRET_PINS.fullmatch(name) is not None


def _is_reference(block: BlockSpec, name: str) -> bool:
    return is_credentials_pin(name) and name in block.input_schema.properties
