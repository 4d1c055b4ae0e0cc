"""Shapes of what pins hold, where a Python type cannot say them: objects with named parts.

Beside `backend.sdk`, because most blocks need none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from backend.sdk.describe import schema_of, title_of


def record(
    parts: Mapping[str, Any],
    *,
    title: str = "",
    optional: Sequence[str] = (),
    more: bool = False,
) -> dict[str, Any]:
    """
    Return the schema of an object with *parts*.

    Args:
        parts: A type, or a schema, by name; one with an empty title has none.
        optional: Names of those that may lack; all others are required.
        more: Whether it may have parts that are not named here.
    """
    properties = {name: _titled(name, part) for name, part in parts.items()}
    required = [name for name in parts if name not in optional]
    return {
        "properties": properties,
        **({"required": required} if required else {}),
        **({"title": title} if title else {}),
        **({"additionalProperties": True} if more else {}),
        "type": "object",
    }


def many(item: Mapping[str, Any], title: str = "") -> dict[str, Any]:
    """Return the schema of a list of *item*, each of the title *title*."""
    return {"items": {**item, **({"title": title} if title else {})}, "type": "array"}


def absent(hint: Any, default: Any = None) -> dict[str, Any]:
    """Return the schema of a part that is *default* where nothing is said."""
    return {**schema_of(hint), "default": default}


def _titled(name: str, part: Any) -> dict[str, Any]:
    schema = dict(part) if isinstance(part, Mapping) else schema_of(part)
    titled = {"title": title_of(name), **schema}
    return titled if titled["title"] else {word: titled[word] for word in titled if word != "title"}
