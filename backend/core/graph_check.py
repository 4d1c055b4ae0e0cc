"""Checks of a graph: everything that is wrong with it, at once, by node and field.

Rules: spec/semantics.md 2.9. Mended (docs/reference/compatibility.md): links count as values where
one pin depends on another, and an empty value does not satisfy a required pin. What only storage
knows (does the credential exist?) is checked by services.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from backend.core import pins, policy
from backend.core.block import BlockSpec, BlockType, is_credentials_pin
from backend.core.catalog import Catalog
from backend.core.credentials_check import NO_CREDENTIALS as _NO_CREDENTIALS
from backend.core.credentials_check import unless_ours
from backend.core.errors import GraphInvalid
from backend.core.graph import Graph, Link, Node, all_graphs, sub_graph_of
from backend.core.ids import NodeId

#: By node id, then by pin.
Masks: TypeAlias = Mapping[str, Mapping[str, Any]]
#: Texts by node id, then by field.
Problems: TypeAlias = dict[str, dict[str, str]]

MAX_NODES: Final = 1_000
MAX_LINKS: Final = 10_000
MAX_SUB_GRAPHS: Final = 100
MAX_NAME_LENGTH: Final = 500
MAX_ID_LENGTH: Final = 200

#: A message names at most this many: an error must stay readable.
_MOST_NAMED: Final = 20

_REQUIRED: Final = "This field is required"

#: Blocks whose required pins must be set on saving too: others may be saved half-finished.
_CHECKED_ON_SAVE: Final = frozenset({BlockType.INPUT, BlockType.OUTPUT, BlockType.AGENT})


@dataclass(frozen=True, kw_only=True)
class GraphReport:
    """
    What is wrong with a graph and its sub-graphs.

    Attributes:
        structure: Problems of links, limits and blocks; with one of them no node can run.
        nodes: Problems of nodes, by node id, then by field.
        skipped: Nodes that a run leaves out, as their optional credentials are not given.
    """

    structure: tuple[str, ...] = ()
    nodes: Mapping[str, Mapping[str, str]]
    skipped: frozenset[NodeId] = frozenset()

    @property
    def is_valid(self) -> bool:
        """Whether nothing is wrong."""
        return not self.structure and not self.nodes


def check_graph(
    graph: Graph, catalog: Catalog, *, for_run: bool, masks: Masks | None = None
) -> GraphReport:
    """
    Return all that is wrong with *graph* and its sub-graphs.

    Args:
        for_run: Check what a run needs too: all required pins, credentials, built blocks. Without
            it a graph may be half-finished.
        masks: Values that stand before those in the nodes, credentials among them.
    """
    masks = masks or {}
    too_large = list(_limits(graph))
    if too_large:
        return GraphReport(structure=tuple(too_large), nodes={})
    structure: list[str] = list(_circles(graph))
    problems: Problems = {}
    for each in all_graphs(graph):
        structure += _structure(each, catalog)
        for node, fields in _node_problems(each, catalog, for_run=for_run, masks=masks):
            if fields:
                problems.setdefault(node.id, {}).update(fields)
    skipped: set[NodeId] = set()
    if for_run:
        # A sub-graph's own run checks its credentials.
        skipped = _check_credentials(graph, catalog, masks, problems)
    return GraphReport(
        structure=tuple(dict.fromkeys(structure)),
        nodes=problems,
        skipped=frozenset(skipped - problems.keys()),
    )


def require_valid(
    graph: Graph, catalog: Catalog, *, for_run: bool, masks: Masks | None = None
) -> GraphReport:
    """
    Return the report on *graph*, in which nothing is wrong.

    Raises:
        GraphInvalid: With all problems; those of the structure stand in its message.
    """
    report = check_graph(graph, catalog, for_run=for_run, masks=masks)
    if report.structure:
        raise GraphInvalid("; ".join(_first(report.structure)))
    if report.nodes:
        issues = sum(map(len, report.nodes.values()))
        raise GraphInvalid(
            f"Graph validation failed: {issues} issues on {len(report.nodes)} nodes", report.nodes
        )
    return report


def normalise_links(graph: Graph, catalog: Catalog) -> Graph:
    """
    Return *graph*, sub-graphs included, as it is stored: static links marked, doubles dropped.

    A block with static outputs makes all its links static, whatever the file says
    (spec/semantics.md 2.6). Of links that differ in their id alone, the first stays.
    """
    static = {
        node.id
        for node in graph.nodes
        if (block := catalog.get(node.block_id)) and block.static_output
    }
    links: dict[tuple[str, str, str, str, bool], Link] = {}
    for link in graph.links:
        is_static = link.is_static or link.source_id in static
        key = (link.source_id, link.source_name, link.sink_id, link.sink_name, is_static)
        if key not in links:
            links[key] = link if link.is_static is is_static else replace(link, is_static=True)
    return replace(
        graph,
        links=tuple(links.values()),
        sub_graphs=tuple(normalise_links(sub, catalog) for sub in graph.sub_graphs),
    )


def _limits(graph: Graph) -> Iterator[str]:
    """Yield which sizes are over their limits; nothing else is looked at before these hold."""
    if len(graph.sub_graphs) > MAX_SUB_GRAPHS:
        yield f"The graph has {len(graph.sub_graphs)} sub-graphs; the limit is {MAX_SUB_GRAPHS}"
        return
    for each in all_graphs(graph):
        where = f"Graph {_short(each.id)}"
        if len(each.nodes) > MAX_NODES:
            yield f"{where} has {len(each.nodes)} nodes; the limit is {MAX_NODES}"
        if len(each.links) > MAX_LINKS:
            yield f"{where} has {len(each.links)} links; the limit is {MAX_LINKS}"
        if len(each.name) > MAX_NAME_LENGTH:
            yield f"{where} has a name of over {MAX_NAME_LENGTH} characters"
        yield from _long_names(each, where)


def _long_names(graph: Graph, where: str) -> Iterator[str]:
    if any(len(node.id) > MAX_ID_LENGTH for node in graph.nodes[:MAX_NODES]):
        yield f"{where} has a node id of over {MAX_ID_LENGTH} characters"
    names = (
        name for link in graph.links[:MAX_LINKS] for name in (link.source_name, link.sink_name)
    )
    if any(len(name) > MAX_NAME_LENGTH for name in names):
        yield f"{where} has a link with a pin name of over {MAX_NAME_LENGTH} characters"


def _circles(graph: Graph) -> Iterator[str]:
    """Yield a problem if *graph* or a sub-graph contains itself: its run would never end."""
    graphs = {(each.id, each.version): each for each in all_graphs(graph)}
    inside = {
        key: [target for node in each.nodes if (target := sub_graph_of(node)) in graphs]
        for key, each in graphs.items()
    }
    # Take away what contains nothing that is left, until nothing can be taken; a circle remains.
    while leaves := [key for key, targets in inside.items() if not set(targets) & inside.keys()]:
        for key in leaves:
            del inside[key]
    if inside:
        names = ", ".join(_first([f"{_short(key[0])} v{key[1]}" for key in inside]))
        yield f"A graph must not contain itself as a sub-graph: {names}"


def _structure(graph: Graph, catalog: Catalog) -> Iterator[str]:
    nodes = {node.id: node for node in graph.nodes}
    if len(nodes) < len(graph.nodes):
        counts = Counter(node.id for node in graph.nodes)
        doubles = sorted(node_id for node_id, count in counts.items() if count > 1)
        yield f"Several nodes have the same id: {', '.join(_first(doubles))}"
    allowed: dict[tuple[str, bool], frozenset[str]] = {}
    for link in graph.links:
        yield from _link_problems(link, nodes, catalog, allowed)
    for node in graph.nodes:
        if catalog.get(node.block_id) is None:
            yield f"Invalid block {_short(node.block_id)} for node #{node.id}"


def _link_problems(
    link: Link,
    nodes: Mapping[NodeId, Node],
    catalog: Catalog,
    allowed: dict[tuple[str, bool], frozenset[str]],
) -> Iterator[str]:
    prefix = (
        f"Link ({link.source_id}, '{link.source_name}') <-> ({link.sink_id}, '{link.sink_name}')"
    )
    ends = ((link.source_id, link.source_name, True), (link.sink_id, link.sink_name, False))
    for node_id, name, is_source in ends:
        node = nodes.get(node_id)
        if node is None:
            known = ", ".join(_first(list(nodes)))
            yield f"{prefix}, {_short(node_id)} is invalid node id, available nodes: {known}"
            continue
        block = catalog.get(node.block_id)
        if block is None:
            known = ", ".join(_first(sorted(spec.id for spec in catalog)))
            yield (
                f"{prefix}, {_short(node.block_id)} is invalid block id, "
                f"available blocks: {{{known}}}"
            )
            continue
        if block.open_pins:
            continue
        if (node_id, is_source) not in allowed:
            allowed[node_id, is_source] = _pins_of(node, block, outputs=is_source)
        fields = allowed[node_id, is_source]
        if pins.base_name(name) not in fields and not pins.is_tool_pin(name):
            shown = ", ".join(_first(sorted(fields)))
            yield f"{prefix}, `{name}` invalid, Allowed fields: {shown}"


def _pins_of(node: Node, block: BlockSpec, *, outputs: bool) -> frozenset[str]:
    """Return the names that links may use; an agent node has the pins of its sub-graph."""
    if block.block_type is not BlockType.AGENT:
        side = block.output_schema if outputs else block.input_schema
        return frozenset(side.properties)
    schema = node.input_default.get("output_schema" if outputs else "input_schema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return frozenset(properties) if isinstance(properties, dict) else frozenset()


def _node_problems(
    graph: Graph, catalog: Catalog, *, for_run: bool, masks: Masks
) -> Iterator[tuple[Node, dict[str, str]]]:
    linked: dict[str, set[str]] = {}
    for link in graph.links:
        linked.setdefault(link.sink_id, set()).add(pins.base_name(link.sink_name))
    for node in graph.nodes:
        block = catalog.get(node.block_id)
        # A note never runs: whatever it lacks does no harm.
        if block is None or block.block_type is BlockType.NOTE:
            continue
        given = _Given(node, block, linked.get(node.id, set()), masks.get(node.id) or {})
        fields = {
            **_missing(block, given, for_run=for_run),
            **_reserved(node, block),
            **_dependencies(block, given, for_run=for_run),
            **policy.problems(node.metadata, block),
        }
        if for_run and block.placeholder:
            fields["block_id"] = _not_built(block)
        yield node, fields


def _not_built(block: BlockSpec) -> str:
    if block.open_pins:
        return f"Block {block.name} is of another release, and this server does not have it"
    return f"Block {block.name} is known but not built into this server yet"


class _Given:
    """What a node gets, by base name: from its defaults, links and masks."""

    def __init__(
        self, node: Node, block: BlockSpec, linked: set[str], mask: Mapping[str, Any]
    ) -> None:
        self._properties = block.input_schema.properties
        self.linked = linked
        self.values: dict[str, list[Any]] = {}
        for name, value in {**node.input_default, **mask}.items():
            self.values.setdefault(pins.base_name(name), []).append(value)

    def satisfies(self, name: str) -> bool:
        """Say whether a required pin has what it needs; empty texts are values here."""
        if name in self.linked or any(value is not None for value in self.values.get(name, ())):
            return True
        return name in self.values and _is_nullable(self._properties.get(name))

    def has_own_value(self, name: str) -> bool:
        """Say whether somebody set the pin, or links to it, or the block has a value for it."""
        if name in self.linked or any(not _is_blank(value) for value in self.values.get(name, ())):
            return True
        schema = self._properties.get(name)
        return isinstance(schema, Mapping) and schema.get("default") is not None


def _missing(block: BlockSpec, given: _Given, *, for_run: bool) -> dict[str, str]:
    if not for_run and block.block_type not in _CHECKED_ON_SAVE:
        return {}
    return {
        name: _REQUIRED
        for name in sorted(block.input_schema.required)
        if not is_credentials_pin(name) and not given.satisfies(name)
    }


def _reserved(node: Node, block: BlockSpec) -> dict[str, str]:
    name = node.input_default.get("name")
    if block.block_type is not BlockType.INPUT or not isinstance(name, str):
        return {}
    if not is_credentials_pin(name):
        return {}
    return {
        "name": f"'{name}' is a reserved input name: 'credentials' and `*_credentials` are reserved"
    }


def _dependencies(block: BlockSpec, given: _Given, *, for_run: bool) -> dict[str, str]:
    schema, fields = block.input_schema, {}
    for name, pin in schema.properties.items():
        if not isinstance(pin, Mapping):
            continue
        wanted = [str(other) for other in pin.get("depends_on") or ()] if for_run else []
        # Of unions JSON schema has a discriminator too; only a name means another pin.
        discriminator = pin.get("discriminator")
        if isinstance(discriminator, str) and discriminator not in wanted:
            wanted.append(discriminator)
        missing = [other for other in wanted if not given.has_own_value(other)]
        if missing and (name in schema.required or given.has_own_value(name)):
            fields[name] = f"Requires {', '.join(missing)} to be set"
    return fields


def _check_credentials(
    graph: Graph, catalog: Catalog, masks: Masks, problems: Problems
) -> set[NodeId]:
    """Note in *problems* which credentials are missing; return the nodes that can do without."""
    skipped: set[NodeId] = set()
    for node in graph.nodes:
        block = catalog.get(node.block_id)
        if block is None or block.block_type is BlockType.NOTE:
            continue
        optional = node.metadata.get("credentials_optional") is True
        mask = masks.get(node.id) or {}
        for name in block.credentials:
            value = mask.get(name)
            # Optional credentials count only when they are given for this run.
            if value is None and not optional:
                value = node.input_default.get(name)
            text = _credentials_problem(value)
            if text == _NO_CREDENTIALS and block.keyless:
                continue
            if text == _NO_CREDENTIALS and optional:
                skipped.add(node.id)
            elif text := unless_ours(text, graph, catalog, node, name, mask):
                problems.setdefault(node.id, {})[name] = text
    return skipped


def _credentials_problem(value: Any) -> str | None:
    if value is None or (isinstance(value, Mapping) and not value.get("id")):
        return _NO_CREDENTIALS
    if not isinstance(value, Mapping):
        return f"Invalid credentials: {_short(str(value))} is not an object"
    wrong = [key for key in ("id", "provider", "type") if not isinstance(value.get(key), str)]
    return f"Invalid credentials: {', '.join(wrong)} must be a text" if wrong else None


def _is_nullable(schema: Any) -> bool:
    """Say whether *schema* names null as a type; a pin that takes anything does not."""
    if not isinstance(schema, Mapping):
        return False
    kind = schema.get("type")
    if kind == "null" or (isinstance(kind, list) and "null" in kind):
        return True
    return any(_is_nullable(option) for option in schema.get("anyOf") or ())


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _first(texts: Iterable[str]) -> list[str]:
    """Return the first few of *texts*, and how many more there are."""
    shown = list(texts)
    more = len(shown) - _MOST_NAMED
    return shown if more <= 0 else [*shown[:_MOST_NAMED], f"… ({more} more)"]


def _short(text: str) -> str:
    return text if len(text) <= MAX_ID_LENGTH else text[: MAX_ID_LENGTH - 1] + "…"
