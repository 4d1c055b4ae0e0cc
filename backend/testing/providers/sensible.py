"""What the stand-in for models answers when no test has said anything: enough to get to the end."""

import json
from collections.abc import Mapping
from typing import Any, Final

from backend.testing.providers.scripts import Answer, Asked, Call

_ECHO_CHARS: Final = 200
_MAX_DEPTH: Final = 12
_TEXTS: Final = {
    "date": "2026-01-02",
    "date-time": "2026-01-02T03:04:05Z",
    "time": "03:04:05",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def sensible_answer(asked: Asked) -> Answer:
    """
    Return the default answer to *asked*.

    - A schema that is demanded, natively or written out in a text, gets its smallest instance.
    - Tools that are offered are called before the conversation holds an answer of a tool: those
      whose names the user's last text has, else the first; after that there is text.
    - Everything else is echoed, the first 200 characters.
    """
    called = any(turn.role == "tool" for turn in asked.heard)
    if asked.tools and asked.tool_choice != "none":
        chosen = _chosen(asked, called=called)
        if chosen:
            return Answer(calls=tuple(_call(name, asked.tools[name]) for name in chosen))
    schema = asked.schema or _schema_in(asked.text)
    if schema is not None:
        return Answer(text=json.dumps(instance_of(schema)))
    return Answer(text=f"You said: {asked.last_text[:_ECHO_CHARS]}")


def instance_of(schema: Mapping[str, Any]) -> Any:
    """
    Return a small value that fits a JSON schema, with required and other properties.

    Known: type, enum, const, default, examples, properties, items, prefixItems, allOf, anyOf, oneOf,
    references inside the schema, minimum, minLength, minItems and the usual formats.
    """
    return _instance(schema, schema, 0)


def _chosen(asked: Asked, *, called: bool) -> list[str]:
    if asked.tool_choice in asked.tools:
        return [asked.tool_choice]
    if called and asked.tool_choice != "required":
        return []
    named = [name for name in asked.tools if name in asked.last_text]
    return named or list(asked.tools)[:1]


def _call(name: str, parameters: Mapping[str, Any]) -> Call:
    arguments = instance_of(parameters)
    return Call(name, arguments if isinstance(arguments, dict) else {})


def _schema_in(text: str) -> Mapping[str, Any] | None:
    """Return the first JSON object in *text* that looks like a schema of an object."""
    reader = json.JSONDecoder()
    at = text.find("{")
    while at >= 0:
        try:
            value, _ = reader.raw_decode(text, at)
        except ValueError:
            value = None
        if (
            isinstance(value, dict)
            and value.get("type") == "object"
            and isinstance(value.get("properties"), dict)
        ):
            return value
        at = text.find("{", at + 1)
    return None


def _instance(schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return None
    fixed = [schema[name] for name in ("const", "default") if name in schema]
    several = [schema[name][0] for name in ("enum", "examples") if schema.get(name)]
    if fixed or several:
        return (fixed or several)[0]
    if "$ref" in schema:
        return _instance(_referred(schema["$ref"], root), root, depth + 1)
    if "allOf" in schema:
        return _merged(schema, root, depth)
    one_of = schema.get("anyOf") or schema.get("oneOf")
    if one_of:
        return _instance(one_of[0], root, depth + 1)
    return _of_type(schema, root, depth)


def _referred(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for part in reference.removeprefix("#").split("/"):
        if part:
            name = part.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, dict) else None
    return found


def _merged(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    rest = {name: value for name, value in schema.items() if name != "allOf"}
    values = [_instance(part, root, depth + 1) for part in (*schema["allOf"], rest)]
    objects = [value for value in values if isinstance(value, dict)]
    if objects:
        return {name: value for part in objects for name, value in part.items()}
    return next((value for value in values if value is not None), None)


def _of_type(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: _instance(part, root, depth + 1) for name, part in properties.items()}
    if kind == "array":
        return _list(schema, root, depth)
    if kind in ("integer", "number"):
        return max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    text = _TEXTS.get(schema.get("format", ""), schema.get("title") or "text")
    return str(text).ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", None)]


def _list(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> list[Any]:
    first = [_instance(part, root, depth + 1) for part in schema.get("prefixItems", ())]
    if "maxItems" in schema and schema["maxItems"] <= len(first):
        return first
    if first and not schema.get("minItems"):
        return first
    count = max(schema.get("minItems", 1) - len(first), 1)
    return [*first, *(_instance(schema.get("items", {}), root, depth + 1) for _ in range(count))]
