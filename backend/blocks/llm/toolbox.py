"""What a model may call: the nodes linked to it, under clean names, and what else is a tool.

A model chooses among what it is shown and nothing else. Credentials are never among the arguments,
and what it writes is checked before anything is called.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from backend.sdk import JsonObject, NotJson, Tool, ToolCall, ToolNode, ToolPin, json_text, read_json

_UNCLEAN: Final = re.compile(r"[^A-Za-z0-9_-]+")
#: The longest name that all providers take.
_LONGEST_NAME: Final = 64
#: So much of what a tool says about itself is shown to a model.
LONGEST_DESCRIPTION: Final = 1_000
#: Words of a pin's schema that mean something to a model; the rest is for builders.
_WORDS: Final = (
    "type",
    "description",
    "enum",
    "const",
    "items",
    "properties",
    "required",
    "additionalProperties",
    "anyOf",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "format",
)
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


class CallRefused(ValueError):
    """A call that cannot be made as the model wrote it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkedTool:
    """
    A node as a model sees it.

    Attributes:
        pins: By the name of the argument.
    """

    node: ToolNode
    tool: Tool
    pins: Mapping[str, ToolPin]

    def given(self, written: Mapping[str, Any]) -> dict[str, Any]:
        """Return what *written* gives: some models write null for all that they leave out."""
        return {name: value for name, value in written.items() if value is not None}

    def problems(self, arguments: Mapping[str, Any]) -> list[str]:
        """Return what is wrong about *arguments*, in words that a model can act on."""
        return mismatches(self.tool.parameters, arguments)

    def inputs(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return *arguments*, by the names of pins."""
        return {self.pins[name].name: value for name, value in arguments.items()}

    def by_links(self, arguments: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """
        Return a value for each linked pin.

        Also for those that the model leaves out: a node whose linked pin never has a value would
        wait for ever.
        """
        return [(pin.name, arguments.get(name, pin.default)) for name, pin in self.pins.items()]


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedCall:
    """A call that may be made."""

    call: ToolCall
    arguments: Mapping[str, Any]
    linked: LinkedTool


@dataclass(kw_only=True, slots=True)
class Toolbox:
    """All tools of one node."""

    linked: dict[str, LinkedTool] = field(default_factory=dict)

    @classmethod
    def of(cls, nodes: Sequence[ToolNode]) -> "Toolbox":
        """Give each of *nodes* a name of its own."""
        box = cls()
        for node in nodes:
            box.add(node)
        return box

    def add(self, node: ToolNode) -> None:
        """Add *node*, under a name of its own."""
        self.put(linked_tool(node, taken=self.linked))

    def put(self, tool: LinkedTool) -> None:
        """Add *tool*, whose name is not taken."""
        self.linked[tool.tool.name] = tool

    @property
    def tools(self) -> list[Tool]:
        """Return what a model is shown."""
        return [one.tool for one in self.linked.values()]

    def described(self) -> str:
        """Return the tools as the pin ``tool_functions`` shows them: JSON."""
        return json_text([_described(tool) for tool in self.tools])

    def checked(self, call: ToolCall) -> CheckedCall:
        """
        Return what *call* asks for.

        Raises:
            CallRefused: If there is no such tool, or it cannot be called with these arguments. The
                words are for the model.
        """
        linked = self.linked.get(call.name)
        if linked is None:
            known = ", ".join(self.linked)
            raise CallRefused(f"there is no tool {call.name!r}; there are: {known}")
        return CheckedCall(call=call, arguments=_checked(linked, call), linked=linked)


def linked_tool(node: ToolNode, *, taken: Collection[str] = ()) -> LinkedTool:
    """Return *node* as a model sees it, under a name that is not among *taken*."""
    pins: dict[str, ToolPin] = {}
    for pin in node.pins:
        if pin.base == "credentials" or pin.base.endswith("_credentials"):
            continue  # a model neither sees a key nor chooses one
        pins[unique(clean(pin.name), pins)] = pin
    parameters: JsonObject = {
        "type": "object",
        "properties": {name: schema_of(pin, is_agent=node.is_agent) for name, pin in pins.items()},
        "required": [name for name, pin in pins.items() if pin.required],
        "additionalProperties": False,
    }
    name = unique(clean(node.name), taken)
    description = node.description[:LONGEST_DESCRIPTION]
    return LinkedTool(
        node=node,
        tool=Tool(name=name, description=description, parameters=parameters),
        pins=pins,
    )


def schema_of(pin: ToolPin, *, is_agent: bool = False) -> dict[str, Any]:
    """Return the schema of *pin*, as a model reads it."""
    if pin.is_part:
        part = pin.name[len(pin.base) :].strip("_#$@")
        return {"type": "string", "description": f"{part}, a part of {pin.base}"}
    schema = {word: pin.schema[word] for word in _WORDS if word in pin.schema}
    if is_agent and not ("type" in schema or "anyOf" in schema):
        schema["type"] = "string"
    schema.setdefault("description", str(pin.schema.get("title") or pin.name))
    return schema


def clean(name: str) -> str:
    """Return *name* with nothing in it that a provider refuses; never empty."""
    return _UNCLEAN.sub("_", name).strip("_").lower()[:_LONGEST_NAME] or "tool"


def unique(name: str, taken: Collection[str]) -> str:
    """Return *name*, or, if that is taken, the first of *name*_2, *name*_3, … that is not."""
    number, found = 1, name
    while found in taken:
        number += 1
        suffix = f"_{number}"
        found = f"{name[: _LONGEST_NAME - len(suffix)]}{suffix}"
    return found


def mismatches(parameters: JsonObject, arguments: Mapping[str, Any]) -> list[str]:
    """Return what is wrong about *arguments*, in words that a model can act on."""
    properties: Any = parameters.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    required: Any = parameters.get("required")
    problems = [f"{name} is missing" for name in required or () if name not in arguments]
    for name, value in arguments.items():
        if name not in properties:
            known = ", ".join(properties) or "none"
            problems.append(f"there is no argument {name}; there are: {known}")
            continue
        wanted = properties[name].get("type")
        if isinstance(wanted, str) and not _is_a(value, wanted):
            problems.append(f"{name} must be of type {wanted}")
        choices = properties[name].get("enum")
        if isinstance(choices, list) and value not in choices:
            problems.append(f"{name} must be one of {json_text(choices)}")
    return problems


def _is_a(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted == "boolean"
    if wanted == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(wanted, (object,)))


def _checked(linked: LinkedTool, call: ToolCall) -> dict[str, Any]:
    arguments = linked.given(arguments_of(call))
    problems = linked.problems(arguments)
    if problems:
        raise CallRefused(f"{linked.tool.name} was not called: {'; '.join(problems)}")
    return arguments


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """Return the arguments as the model wrote them. Raises CallRefused if they are no object."""
    written = call.arguments
    if not written.strip():
        return {}
    try:
        found = read_json(written)
    except NotJson as exc:
        raise CallRefused(f"the arguments are no JSON: {exc}") from exc
    if not isinstance(found, dict):
        raise CallRefused("the arguments must be a JSON object")
    return found


def _described(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        },
    }
