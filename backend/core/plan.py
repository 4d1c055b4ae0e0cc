"""A graph made ready to run: links by source, joins by sink, the rules for each node's input.

Made once per graph version and kept; holds no state of any run.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from backend.core import pins, turns
from backend.core.block import BlockSpec, BlockType
from backend.core.catalog import Catalog
from backend.core.errors import AgentServerError, BadRequest, GraphInvalid
from backend.core.graph import Graph, Link, Node
from backend.core.ids import LinkId
from backend.core.model_keys import OperatorKeys
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
        lent: Credentials pins on which the operator's may stand in, with their schemas.
        parts: How many pins with a dynamic path are put together into others.
        tools: Nodes that its executions may call, and the pins of each that they may fill, by id.
        is_tool: Whether another node may call it.
        agent: Name and description of the agent that it runs, where somebody has looked them up.
    """

    __slots__ = (
        "_routes",
        "agent",
        "block",
        "block_id",
        "defaults",
        "dynamic",
        "id",
        "index",
        "is_agent",
        "is_tool",
        "lent",
        "linked",
        "metadata",
        "operators",
        "out_links",
        "own",
        "parts",
        "policy",
        "schema",
        "static",
        "tools",
    )

    def __init__(self, index: int, node: Node, block: BlockSpec) -> None:
        self.index = index
        self.id = node.id
        self.block = block
        self.block_id = node.block_id
        self.metadata = node.metadata
        self.policy = policy_of(node.metadata)
        self.own = node.input_default
        self.lent: tuple[tuple[str, Mapping[str, Any]], ...] = ()
        self.operators: OperatorKeys | None = None
        self.is_agent = block.block_type is BlockType.AGENT
        self.defaults, self.schema = _inputs_of(node, block)
        self.linked: tuple[str, ...] = ()
        self.static: tuple[str, ...] = ()
        self.parts = sum(map(pins.is_dynamic, self.defaults))
        self.dynamic = self.parts > 0
        self.out_links: list[tuple[Link, NodePlan]] = []
        self.tools: dict[str, tuple[NodePlan, tuple[str, ...]]] = {}
        self.is_tool = False
        self.agent: tuple[str, str] = ("", "")
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
        self,
        received: Mapping[str, Any],
        mask: Mapping[str, Any] | None,
        *,
        optional: Collection[str] = (),
    ) -> Inputs | Refusal:
        """
        Return the input with which this node runs, or why it cannot run (spec/semantics.md 1.12).

        Args:
            received: Values by pin, from links and from outside.
            mask: Values that stand before all others (spec/semantics.md 3.4).
            optional: Pins that may be left out though a link leads to them.
        """
        missing = [pin for pin in self.linked if pin not in received]
        if missing and (needed := self._needed(missing, optional)):
            return self._refusal(f"unpopulated links {needed}", may_heal=True)
        inputs: Inputs = {**self.defaults, **received}
        if self.dynamic:
            # Whole values first, then the parts that go into them, whichever came first: the
            # result must not depend on who was faster.
            links = {pin: received[pin] for pin in self.linked if pin in received}
            inputs = {**self.defaults, **links, **received}
        if mask:
            inputs.update(mask)
        try:
            if self.dynamic or (mask and any(map(pins.is_dynamic, mask))):
                inputs = pins.merge(inputs)
            if not self.is_agent:
                self.schema.convert(inputs)
            self._lend(inputs)
            mismatch = self.schema.mismatch(inputs, keep_none=self.is_agent)
        except BadRequest as exc:
            return self._refusal(str(exc), may_heal=False)
        if mismatch is None:
            return self._in_turn(inputs, received) if self.block.takes_turns else inputs
        # None never satisfies a required pin; the execution stays INCOMPLETE, as the contract has
        # it (spec/semantics.md 8, row 4).
        empty = [pin for pin in self.schema.required if inputs.get(pin) is None]
        return self._refusal(mismatch, may_heal=bool(empty))

    def _needed(self, missing: list[str], optional: Collection[str]) -> list[str]:
        in_turn = turns.PINS if self.block.takes_turns else ()
        return [pin for pin in missing if pin not in optional and pin not in in_turn]

    def _in_turn(self, inputs: Inputs, received: Mapping[str, Any]) -> Inputs | Refusal:
        problem = turns.wrong_links(self.linked, self.static)
        if problem is not None:
            return self._refusal(problem, may_heal=False)
        waits_for = turns.waits_for(self.linked, inputs, received)
        if waits_for is None:
            return inputs
        return self._refusal(f"it waits for {waits_for}", may_heal=True)

    def _lend(self, inputs: Inputs) -> None:
        """Put the operator's credentials where the user has given none."""
        for pin, schema in self.lent:
            given = inputs.get(pin)
            if given is None or (isinstance(given, Mapping) and not given.get("id")):
                assert self.operators is not None  # or nothing would be lent
                reference = self.operators.reference(schema, self.schema.properties, inputs)
                if reference is not None:
                    inputs[pin] = reference

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
            plan = NodePlan(index, node, block)
            if catalog.operators is not None and block.credentials:
                plan.operators, plan.lent = catalog.operators, tuple(block.credentials.items())
            self.nodes.append(plan)
        self.nodes_by_id: dict[str, NodePlan] = {node.id: node for node in self.nodes}
        for link in (*graph.links, *_choices(graph, self.nodes_by_id)):
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
        # Nobody calls itself: it would wait for its own end.
        if pins.is_tool_pin(link.source_name) and sink is not source:
            _, known = source.tools.get(sink.id, (sink, ()))
            source.tools[sink.id] = (sink, tuple(dict.fromkeys((*known, link.sink_name))))
            sink.is_tool = True

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


def _choices(graph: Graph, nodes: Mapping[str, NodePlan]) -> list[Link]:
    """Return the links by which callers also say which tool of a node they call: nobody draws them."""
    drawn = {(link.sink_id, link.sink_name) for link in graph.links}
    found: dict[tuple[str, str], Link] = {}
    for link in graph.links:
        sink = nodes.get(link.sink_id)
        if sink is None or not sink.block.tool_choice or not pins.is_tool_pin(link.source_name):
            continue
        pin = sink.block.tool_choice
        if (sink.id, pin) in drawn or sink.own.get(pin):
            continue
        made = replace(link, id=LinkId(f"{link.id} {pin}"), sink_name=pin, source_name=pins.TOOLS)
        found.setdefault((link.source_id, sink.id), made)
    return list(found.values())


def _path(link: Link, output: str) -> pins.Path | None:
    if pins.is_tool_pin(link.source_name):
        wanted = pins.tool_output_name(link.sink_id, link.sink_name)
        return () if output in (wanted, link.source_name) else None
    return pins.path_from(output, link.source_name)
