"""A block in words: its pins, their types, its effect. For `agpt blocks show` and the reference."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.core import json
from backend.core.block import Effect, EffectRule

#: More choices than these are counted, not named.
_MOST_CHOICES: Final = 12

_KINDS: Final[dict[Any, str]] = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "object",
    "null": "null",
}

_EFFECTS: Final = {
    Effect.PURE: "its outputs follow from its inputs alone",
    Effect.READ: "it looks at the outside and changes nothing",
    Effect.IDEMPOTENT: "it changes the outside; twice is the same as once",
    Effect.KEYED: "it changes the outside; the same idempotency key twice is the same as once",
    Effect.AT_MOST_ONCE: "it changes the outside and is not repeated when its outcome is unknown",
}


@dataclass(frozen=True, kw_only=True)
class PinWords:
    """One pin in words. *default* is JSON; None for a pin without one."""

    name: str
    kind: str
    required: bool
    default: str | None
    description: str


def pins_in_words(side: Mapping[str, Any]) -> Iterator[PinWords]:
    """Yield the pins of one side of a block, in its order; *side* is a JSON schema."""
    required = side.get("required", ())
    for name, schema in side["properties"].items():
        yield PinWords(
            name=name,
            kind=kind_of(schema),
            required=name in required,
            default=json.text(schema["default"]) if "default" in schema else None,
            description=" ".join(str(schema.get("description", "")).split()),
        )


def kind_of(schema: Mapping[str, Any]) -> str:
    """Return the type that a JSON schema describes; "anything" if it asks for nothing."""
    if "credentials_provider" in schema:
        return f"credentials of {', '.join(schema['credentials_provider'])}"
    if "const" in schema:
        return json.text(schema["const"])
    if "enum" in schema:
        return _choices(schema["enum"])
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " or ".join(dict.fromkeys(map(kind_of, schema[word])))
    return _plain_kind(schema) + _limits(schema)


def effect_in_words(effect: Effect | EffectRule) -> str:
    """Return what running a block twice would do, as a sentence without its full stop."""
    if isinstance(effect, Effect):
        return f"{effect.value}: {_EFFECTS[effect]}"
    by_effect: dict[str, list[str]] = {}
    for value, each in effect.effects.items():
        by_effect.setdefault(each.value, []).append(str(value))
    cases = [f"{name} for {', '.join(values)}" for name, values in by_effect.items()]
    return f"by {effect.pin}: {'; '.join(cases)}; else {effect.otherwise.value}"


def _choices(values: list[Any]) -> str:
    named = [value if isinstance(value, str) else json.text(value) for value in values]
    shown = ", ".join(named[:_MOST_CHOICES])
    if len(named) > _MOST_CHOICES:
        shown = f"{shown}, … ({len(named)} in all)"
    return f"one of {shown}"


def _plain_kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(_KINDS.get(each, str(each)) for each in kind)
    if kind is None:
        return "anything"
    if schema.get("format") and kind == "string":
        return f"text ({schema['format']})"
    inner = schema.get("items" if kind == "array" else "additionalProperties")
    if kind in ("array", "object") and isinstance(inner, Mapping) and inner:
        return f"{_KINDS[kind]} of {kind_of(inner)}"
    return _KINDS.get(kind, str(kind))


def _limits(schema: Mapping[str, Any]) -> str:
    words = {
        "minimum": "at least {}",
        "maximum": "at most {}",
        "minLength": "at least {} characters",
        "maxLength": "at most {} characters",
    }
    found = [text.format(schema[word]) for word, text in words.items() if word in schema]
    return f", {', '.join(found)}" if found else ""
