"""Tools of MCP servers as a model calls them: by an MCPTool node, which it calls like any other.

So each call is an execution of that node, with its row, its journal, its price, and the question
to a person when a tool has changed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.blocks.llm.toolbox import (
    LONGEST_DESCRIPTION,
    LinkedTool,
    Toolbox,
    clean,
    schema_of,
    unique,
)
from backend.blocks.mcp.call_tool import MCPToolBlock
from backend.blocks.mcp.offering import Offer, chosen, is_server, offers
from backend.sdk import BadRequest, BlockContext, JsonObject, Tool, ToolNode, ToolPin, ValueSchema

_ARGUMENTS: Final = "tool_arguments"
_PART: Final = f"{_ARGUMENTS}_#_"
_CHOICE: Final = MCPToolBlock.tool_choice
#: Of what is wrong with a call, so much goes back to the model.
_WORDS: Final = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferedTool(LinkedTool):
    """
    A tool of the server of an MCPTool node.

    Attributes:
        pins: By the name of the argument, where each has a link of its own; else none.
        name: As its server calls it.
        own: Arguments that the node's author gave; the model neither sees nor changes them.
        hidden: Arguments that others give, `own` among them.
        check: Of what the model gives.
    """

    name: str
    own: Mapping[str, Any]
    hidden: frozenset[str]
    check: ValueSchema

    def given(self, written: Mapping[str, Any]) -> dict[str, Any]:
        """Return what *written* gives: null may be what a tool needs."""
        needed: Any = self.tool.parameters["required"]
        return {name: each for name, each in written.items() if each is not None or name in needed}

    def problems(self, arguments: Mapping[str, Any]) -> list[str]:
        """Return what is wrong about *arguments*, by the schema of the server."""
        taken = [f"there is no argument {name}" for name in arguments if name in self.hidden]
        told = "; ".join(taken or self.check.problems(dict(arguments)))
        return [told[:_WORDS]] if told else []

    def inputs(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return *arguments*, by the names of pins, and the name of the tool with them."""
        given: dict[str, Any]
        if self.pins:
            given = {self.pins[name].name: value for name, value in arguments.items()}
        else:
            given = {_ARGUMENTS: {**arguments, **self.own}}
        return {**given, _CHOICE: self.name}

    def by_links(self, arguments: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """Return a value for each linked pin."""
        given = self.inputs(arguments)
        return [(pin.name, given.get(pin.name, pin.default)) for pin in self.node.pins]


async def toolbox_of(context: BlockContext) -> Toolbox:
    """
    Return all tools of one node: those linked to it, MCPTool nodes as what their servers offer.

    Raises:
        BadRequest: If an MCPTool node is linked so that its tools cannot be called.
        As `backend.blocks.mcp.offering.offers`.
    """
    box = Toolbox()
    nodes = context.tools.listed() if context.tools is not None else ()
    for place, node in enumerate(nodes):
        if not (is_server(node) and _has_arguments(node)):
            box.add(node)
            continue
        for offer in await offers(node, context, f"tools {place}"):
            box.put(_offered(node, offer, box.linked))
    return box


def _has_arguments(node: ToolNode) -> bool:
    """Say whether a model may fill arguments. Raises BadRequest if it may choose a tool alone."""
    names = [pin.name for pin in node.pins]
    if not chosen(node) and _ARGUMENTS not in names:
        raise BadRequest(
            f"the node {node.name!r} names no tool, so it is all tools of its server: link tools to"
            f" its pin {_ARGUMENTS}, or name one in {_CHOICE}"
        )
    return any(name == _ARGUMENTS or name.startswith(_PART) for name in names)


def _offered(node: ToolNode, offer: Offer, taken: Collection[str]) -> OfferedTool:
    own = _own(node)
    hidden = frozenset({*own, *(name for pin in node.linked if (name := _argument(pin)))})
    pins = _parts(node)
    schema = _schema(offer.schema, hidden, pins)
    try:
        check = ValueSchema(schema)
    except BadRequest as exc:
        raise BadRequest(f"the tool {offer.name!r} describes its arguments wrongly: {exc}") from exc
    named = "" if node.name == MCPToolBlock.__name__ else node.name
    told = named if named and chosen(node) else f"{named} {offer.name}"
    return OfferedTool(
        node=node,
        tool=Tool(
            name=unique(clean(told), taken),
            description=offer.description[:LONGEST_DESCRIPTION],
            parameters=schema,
        ),
        pins=pins,
        name=offer.name,
        own=own,
        hidden=hidden,
        check=check,
    )


def _own(node: ToolNode) -> dict[str, Any]:
    """Return the arguments that the author of *node* has given."""
    whole = node.own.get(_ARGUMENTS)
    own = dict(whole) if isinstance(whole, Mapping) else {}
    own |= {name: value for pin, value in node.own.items() if (name := _argument(pin))}
    return own


def _argument(pin: str) -> str:
    """Return the argument that *pin* fills, or a part of it; empty if it fills none."""
    return pin.removeprefix(_PART).split("_#_")[0] if pin.startswith(_PART) else ""


def _parts(node: ToolNode) -> dict[str, ToolPin]:
    """Return the pins of single arguments, by the arguments' names; none where all are one pin."""
    if any(pin.name == _ARGUMENTS for pin in node.pins):
        return {}
    found: dict[str, ToolPin] = {}
    for pin in node.pins:
        if pin.name.startswith(_PART):
            found[unique(clean(pin.name.removeprefix(_PART)), found)] = pin
    return found


def _schema(told: JsonObject, hidden: Collection[str], pins: Mapping[str, ToolPin]) -> JsonObject:
    """Return the schema of a tool's arguments, as far as a model gives them."""
    given, needed = told.get("properties"), told.get("required")
    properties: dict[str, Any] = dict(given) if isinstance(given, dict) else {}
    required = needed if isinstance(needed, list) else []
    kept = {name: value for name, value in told.items() if name != "$schema"}
    if not pins:
        shown = {name: each for name, each in properties.items() if name not in hidden}
        wanted = [name for name in required if name not in hidden]
        return {**kept, "type": "object", "properties": shown, "required": wanted}
    names = {name: pin.name.removeprefix(_PART) for name, pin in pins.items()}
    return {
        **kept,
        "type": "object",
        "properties": {
            name: properties.get(names[name], schema_of(pin)) for name, pin in pins.items()
        },
        "required": [name for name in pins if names[name] in required],
        "additionalProperties": False,
    }
