"""A graph made ready to run: links by source, joins by sink, the rules for each node's input.

Made once per graph version and kept; holds no state of any run.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from backend.core import pins
from backend.core.block import BlockSpec, BlockType
from backend.core.catalog import Catalog
from backend.core.errors import AgentServerError, BadRequest, GraphInvalid
from backend.core.graph import Graph, Link, Node
from backend.core.policy import policy_of
from backend.core.schema import PinSchema

Inputs: TypeAlias = dict[str, Any]


#: Output names whose routes a node remembers.
_MOST_ROUTES = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One link, seen from its source."""

    sink: "NodePlan"
    sink_name: str
    path: pins.Path
    is_static: bool
    whole: bool  #: reads the whole output: then even None is passed on


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a node cannot run with what it has; *may_heal* when more values could change that."""

    reason: str
    may_heal: bool


class NodePlan:
    """
    One node of a plan.

    Attributes:
        index: Its place in the graph.
        linked: Sink names of the links into it, those with a dynamic path last: all of them must
            have a value before it runs.
        static: Those of them that keep their value.
        parts: How many pins with a dynamic path are put together into others.
    """

    __slots__ = (
        "_routes",
        "block",
        "block_id",
        "defaults",
        "dynamic",
        "id",
        "index",
        "is_agent",
        "linked",
        "metadata",
        "out_links",
        "own",
        "parts",
        "policy",
        "schema",
        "static",
    )

    def __init__(self, index: int, node: Node, block: BlockSpec) -> None:
        self.index = index
        self.id = node.id
        self.block = block
        self.block_id = node.block_id
        self.metadata = node.metadata
        self.policy = policy_of(node.metadata)
        self.own = node.input_default
        self.is_agent = block.block_type is BlockType.AGENT
        self.defaults, self.schema = _inputs_of(node, block)
        self.linked: tuple[str, ...] = ()
        self.static: tuple[str, ...] = ()
        self.parts = sum(map(pins.is_dynamic, self.defaults))
        self.dynamic = self.parts > 0
        self.out_links: list[tuple[Link, NodePlan]] = []
        self._routes: dict[str, tuple[Route, ...]] = {}

    @property
    def title(self) -> str:
        """What people call it: the name they gave it, else its block's."""
        named = self.metadata.get("customized_name")
        return named if isinstance(named, str) and named else self.block.name

    def routes(self, output: str) -> tuple[Route, ...]:
        """Return where a value of *output* goes, in the order of the links."""
        found = self._routes.get(output)
        if found is None:
            found = tuple(
                Route(sink, link.sink_name, path, link.is_static, not path)
                for link, sink in self.out_links
                if (path := _path(link, output)) is not None
            )
            # Bounded: a block may emit any number of names.
            if len(self._routes) < _MOST_ROUTES:
                self._routes[output] = found
        return found

    def prepare(
        self, received: Mapping[str, Any], mask: Mapping[str, Any] | None
    ) -> Inputs | Refusal:
        """
        Return the input with which this node runs, or why it cannot run (spec/semantics.md 1.12).

        Args:
            received: Values by pin, from links and from outside.
            mask: Values that stand before all others (spec/semantics.md 3.4).
        """
        missing = [pin for pin in self.linked if pin not in received]
        if missing:
            return self._refusal(f"unpopulated links {missing}", may_heal=True)
        inputs: Inputs = {**self.defaults, **received}
        if self.dynamic:
            # Whole values first, then the parts that go into them, whichever came first: the
            # result must not depend on who was faster.
            inputs = {**self.defaults, **{pin: received[pin] for pin in self.linked}, **received}
        if mask:
            inputs.update(mask)
        try:
            if self.dynamic or (mask and any(map(pins.is_dynamic, mask))):
                inputs = pins.merge(inputs)
            if not self.is_agent:
                self.schema.convert(inputs)
            mismatch = self.schema.mismatch(inputs, keep_none=self.is_agent)
        except BadRequest as exc:
            return self._refusal(str(exc), may_heal=False)
        if mismatch is None:
            return inputs
        # None never satisfies a required pin; the execution stays INCOMPLETE, as the contract has
        # it (spec/semantics.md 8, row 4).
        empty = [pin for pin in self.schema.required if inputs.get(pin) is None]
        return self._refusal(mismatch, may_heal=bool(empty))

    def _refusal(self, reason: str, *, may_heal: bool) -> Refusal:
        text = f"Input data missing or mismatch for `{self.block.name}`: {reason}"
        return Refusal(text, may_heal)


class GraphPlan:
    """A graph made ready to run."""

    __slots__ = ("graph", "nodes", "nodes_by_id")

    def __init__(self, graph: Graph, catalog: Catalog) -> None:
        """
        Connect the nodes of *graph*.

        Raises:
            GraphInvalid: If a link leads nowhere or a block is unknown.
        """
        self.graph = graph
        self.nodes: list[NodePlan] = []
        for index, node in enumerate(graph.nodes):
            block = catalog.get(node.block_id)
            if block is None:
                raise GraphInvalid(f"Invalid block {node.block_id} for node #{node.id}")
            self.nodes.append(NodePlan(index, node, block))
        self.nodes_by_id: dict[str, NodePlan] = {node.id: node for node in self.nodes}
        for link in graph.links:
            self._connect(link)

    def _connect(self, link: Link) -> None:
        source, sink = self.nodes_by_id.get(link.source_id), self.nodes_by_id.get(link.sink_id)
        if source is None or sink is None:
            raise GraphInvalid(f"Link {link.id} leads from or to a node that does not exist")
        source.out_links.append((link, sink))
        if link.sink_name not in sink.linked:
            sink.linked = tuple(sorted((*sink.linked, link.sink_name), key=pins.is_dynamic))
            sink.parts += pins.is_dynamic(link.sink_name)
        if link.is_static and link.sink_name not in sink.static:
            sink.static = (*sink.static, link.sink_name)
        sink.dynamic = sink.dynamic or pins.is_dynamic(link.sink_name)

    def starting_nodes(
        self,
        inputs: Mapping[str, Any],
        masks: Mapping[str, Mapping[str, Any]],
        skipped: Collection[str] = (),
    ) -> list[tuple[NodePlan, Inputs]]:
        """
        Return the nodes with which a run starts, with their inputs, in the order of the graph.

        Args:
            inputs: The run's inputs, by the names of its input blocks. Others are ignored.
            masks: Values by node id, then pin, before all others.
            skipped: Nodes that are left out, and may lack what they need.

        Raises:
            BadRequest: If one of them cannot run with what it gets, or there is none.
        """
        started: list[tuple[NodePlan, Inputs]] = []
        is_any = False
        for node in self.nodes:
            kind = node.block.block_type
            if kind is BlockType.NOTE or (node.linked and kind is not BlockType.INPUT):
                continue
            is_any = True
            if node.id in skipped:
                continue
            received: Inputs = {}
            name = node.defaults.get("name")
            if kind is BlockType.INPUT and isinstance(name, str) and name in inputs:
                received["value"] = inputs[name]
            prepared = node.prepare(received, masks.get(node.id))
            if isinstance(prepared, Refusal):
                raise BadRequest(prepared.reason)
            started.append((node, prepared))
        if not is_any:
            raise BadRequest("No starting nodes found for the graph: every node waits for a link.")
        return started


def _inputs_of(node: Node, block: BlockSpec) -> tuple[Inputs, PinSchema]:
    """Return the defaults and the pins of *node*; an agent node has those of its sub-graph."""
    if block.block_type is not BlockType.AGENT:
        return dict(node.input_default), block.input_schema
    inputs = node.input_default.get("inputs")
    schema = node.input_default.get("input_schema")
    try:
        pin_schema = PinSchema(dict(schema) if isinstance(schema, dict) else {})
    except (AgentServerError, TypeError, ValueError, AttributeError) as exc:
        raise GraphInvalid(f"node #{node.id} has an unusable input_schema: {exc}") from exc
    return dict(inputs) if isinstance(inputs, dict) else {}, pin_schema


def _path(link: Link, output: str) -> pins.Path | None:
    if pins.is_tool_pin(link.source_name):
        wanted = pins.tool_output_name(link.sink_id, link.sink_name)
        return () if output in (wanted, link.source_name) else None
    return pins.path_from(output, link.source_name)
