"""From a block class to its `BlockSpec`: JSON schemas from type hints, and the rules of the house.

The shape of the schemas is contract (spec/semantics.md 1.3, 1.4). Used when an index is made and
for plugins; what runs every day reads the index.
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from backend.core.block import BlockSpec, BlockType, Effect, Place, is_credentials_pin
from backend.core.errors import AgentServerError
from backend.core.ids import BlockId
from backend.core.json import Json, JsonObject
from backend.sdk.block import Block
from backend.sdk.pins import EXTRAS, PIN_SLOTS, Extras


class BlockMisdeclared(AgentServerError):
    """A block class breaks a rule of blocks."""


_PLAIN: Final[dict[Any, str]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    NoneType: "null",
}

_UUID: Final = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
#: Two blocks of the contract have ids with letters past f.
_ODD_IDS: Final = frozenset(
    {"a4b9c2d1-e5f6-4g7h-8i9j-0k1l2m3n4o5p", "f8a12c8d-3e4b-4d5f-b6a7-8c9d0e1f2g3h"}
)

_ERROR_PIN: Final[JsonObject] = {
    "advanced": True,
    "default": "",
    "secret": False,
    "title": "Error",
    "type": "string",
}


def spec_of(block: type[Block]) -> BlockSpec:
    """
    Return what the rest of the program knows of *block*.

    Raises:
        BlockMisdeclared: If the class breaks a rule (spec/semantics.md 1.1).
    """
    _check_identity(block)
    inputs = _side(block, "Input")
    outputs = _side(block, "Output")
    if not block.no_error_pin and "error" not in _properties(outputs):
        outputs["properties"] = {"error": dict(_ERROR_PIN), **_properties(outputs)}
    _check_pins(block)
    _check_trigger(block, inputs)
    return BlockSpec(
        id=BlockId(block.id),
        name=block.__name__,
        description=_description(block),
        categories=tuple(block.categories),
        contributors=tuple(block.contributors),
        block_type=block.block_type,
        static_output=block.static_output,
        sensitive=block.sensitive,
        disabled=block.disabled,
        effect=block.effect or _default_effect(inputs),
        time_limit_s=block.time_limit_s,
        takes_turns=block.takes_turns,
        tool_choice=block.tool_choice,
        retries=block.retries,
        place=block.place,
        inline_size=block.inline_size,
        keyless=block.keyless,
        inputs=inputs,
        outputs=outputs,
        costs=tuple(dict(cost) for cost in block.costs),
        webhook=block.webhook,
    )


def _check_identity(block: type[Block]) -> None:
    if not block.__name__.endswith("Block"):
        raise BlockMisdeclared(f"{block.__name__}: the name of a block class ends in 'Block'")
    if block.id not in _ODD_IDS and not re.fullmatch(_UUID, block.id):
        raise BlockMisdeclared(f"{block.__name__}: id must be a UUID, 36 characters of lower case")
    for side in ("Input", "Output"):
        if not hasattr(getattr(block, side, None), PIN_SLOTS):
            raise BlockMisdeclared(f"{block.__name__}: {side} must be a class under @pins")
    if not callable(getattr(block, "run", None)):
        raise BlockMisdeclared(f"{block.__name__}: it has no run()")
    if not (block.waits or inspect.isgeneratorfunction(block.run)):
        raise BlockMisdeclared(f"{block.__name__}: run() must yield (pin, value)")
    if block.waits and block.place is not Place.LOOP:
        raise BlockMisdeclared(
            f"{block.__name__}: an async run() is on the loop; only a plain one can be in a "
            f"{block.place}"
        )


def _check_trigger(block: type[Block], inputs: JsonObject) -> None:
    """Refuse a trigger without callers, callers of what is no trigger, and one without payload."""
    is_trigger = block.block_type in (BlockType.WEBHOOK, BlockType.WEBHOOK_MANUAL)
    if is_trigger != (block.webhook is not None):
        raise BlockMisdeclared(
            f"{block.__name__}: a block with a webhook has the type of a trigger"
        )
    if is_trigger and "payload" not in _properties(inputs):
        raise BlockMisdeclared(f"{block.__name__}: a trigger has an input pin `payload`")
    if block.webhook and not re.fullmatch(r"[a-z0-9_]+", block.webhook.provider):
        raise BlockMisdeclared(f"{block.__name__}: a provider has small letters, digits and _ only")


def _check_pins(block: type[Block]) -> None:
    for field in fields(block.Input):
        hint = get_type_hints(block.Input)[field.name]
        if hint is bool and not isinstance(field.default, bool):
            raise BlockMisdeclared(
                f"{block.__name__}.Input.{field.name}: a bool pin needs the default True or False"
            )
        schema = _extras(field).schema or {}
        if is_credentials_pin(field.name) != ("credentials_provider" in schema):
            raise BlockMisdeclared(
                f"{block.__name__}.Input.{field.name}: a pin takes credentials if and only if its "
                "name is 'credentials' or ends in '_credentials'"
            )
    if get_type_hints(block.Output).get("error", str) is not str:
        raise BlockMisdeclared(f"{block.__name__}.Output.error must be str")


def _description(block: type[Block]) -> str:
    paragraph = inspect.cleandoc(block.__doc__ or "").split("\n\n", 1)[0]
    return " ".join(paragraph.split())


def _default_effect(inputs: JsonObject) -> Effect:
    secretive = any(is_credentials_pin(name) for name in _properties(inputs))
    return Effect.AT_MOST_ONCE if secretive else Effect.READ


def _properties(side: JsonObject) -> dict[str, Json]:
    properties = side["properties"]
    assert isinstance(properties, dict)
    return properties


def _side(block: type[Block], side: str) -> JsonObject:
    declared: Any = getattr(block, side)
    hints = get_type_hints(declared)
    schema: JsonObject = {
        "properties": {f.name: _pin(f, hints[f.name]) for f in fields(declared)},
        "title": side,
        "type": "object",
    }
    required = [f.name for f in fields(declared) if not _optional(f)]
    if required:
        schema["required"] = list[Json](required)
    return schema


def _extras(field: "Field[Any]") -> Extras:
    extras = field.metadata.get(EXTRAS)
    return extras if isinstance(extras, Extras) else Extras()


def _optional(field: "Field[Any]") -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _pin(field: "Field[Any]", hint: Any) -> JsonObject:
    extras = _extras(field)
    kind = dict(extras.schema) if extras.schema is not None else _schema_of(hint, extras)
    # A named type (an enumeration) brings its own title.
    title = extras.title or kind.get("title") or title_of(field.name)
    pin: JsonObject = {**kind, "title": title, "secret": extras.secret}
    if extras.title == "":
        # One that is a named type or nothing has none in the contract.
        del pin["title"]
    pin["advanced"] = _optional(field) and extras.advanced is not False
    if field.default is not MISSING:
        default = field.default
        pin["default"] = default.value if isinstance(default, Enum) else default
    for word in ("description", "hidden", "placeholder", "format"):
        value = getattr(extras, word)
        if value is not None and word not in pin:
            pin[word] = value
    if extras.depends_on is not None:
        pin["depends_on"] = list[Json](extras.depends_on)
    return pin


def title_of(name: str) -> str:
    """Return the title of a pin that was given none."""
    return name.replace("_", " ").title()


def _schema_of(hint: Any, extras: Extras) -> JsonObject:
    """Return the type of *hint* with the limits, which belong to the type and not to null."""
    schema = schema_of(hint)
    if extras.limits:
        options = schema.get("anyOf")
        narrowed = options[0] if isinstance(options, list) else schema
        assert isinstance(narrowed, dict)
        narrowed.update(extras.limits)
    return schema


def schema_of(hint: Any) -> JsonObject:
    """
    Return the JSON schema of a type.

    Raises:
        BlockMisdeclared: For a type that no pin can have.
    """
    if hint is Any or hint is Json:
        return {}
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {
            "enum": [member.value for member in hint],
            "title": hint.__name__,
            "type": "string",
        }
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, UnionType):
        return {"anyOf": [schema_of(option) for option in arguments]}
    if origin is list:
        return {"type": "array", "items": schema_of(arguments[0]) if arguments else {}}
    if origin in (dict, Mapping):
        values = schema_of(arguments[1]) if arguments else {}
        return {"type": "object", "additionalProperties": values or True}
    raise BlockMisdeclared(f"a pin cannot have the type {hint!r}")
