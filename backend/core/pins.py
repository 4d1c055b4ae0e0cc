"""Pin names: bases, dynamic paths (``_$_`` list, ``_#_`` dictionary, ``_@_`` attribute), tool pins.

Rules and vectors: spec/semantics.md 2.7, 2.8 and appendix B.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from backend.core.errors import BadRequest

LIST: Final = "_$_"
DICT: Final = "_#_"
ATTRIBUTE: Final = "_@_"
_DELIMITER: Final = re.compile(r"(_\$_|_#_|_@_)")

#: No list grows past this by writing to an index: `x_$_999999999` must not eat the memory.
MAX_LIST_INDEX: Final = 9_999

TOOLS: Final = "tools"
TOOL_PREFIX: Final = "tools_^_"
TOOL_SEPARATOR: Final = "_~_"

Path: TypeAlias = tuple[tuple[str, str], ...]


def base_name(pin: str) -> str:
    """Return *pin* without its dynamic path; a tool pin is reduced to ``tools``."""
    if is_tool_pin(pin):
        return TOOLS
    return _DELIMITER.split(pin, maxsplit=1)[0]


def is_dynamic(pin: str) -> bool:
    """Say whether *pin* has a dynamic path."""
    return _DELIMITER.search(pin) is not None


def is_tool_pin(pin: str) -> bool:
    """Say whether *pin* leads from a model's decision to a tool."""
    return pin == TOOLS or pin.startswith(TOOL_PREFIX)


def tool_output_name(sink_node: str, sink_pin: str) -> str:
    """Return the name under which a tool call's argument for a linked pin is emitted."""
    return f"{TOOL_PREFIX}{sink_node}{TOOL_SEPARATOR}{sink_pin}"


def parse_path(rest: str) -> Path | None:
    """Split *rest*, which follows a base name, into (delimiter, key) pairs; None if malformed."""
    parts = _DELIMITER.split(rest)
    if parts[0]:
        return None
    path = tuple(zip(parts[1::2], parts[2::2], strict=True))
    return path if path and all(key for _, key in path) else None


def path_from(output: str, source_name: str) -> Path | None:
    """
    Return the path by which a link on *source_name* reads the output *output*.

    Returns:
        Empty for the whole value; None when the link does not read this output.
    """
    if source_name == output:
        return ()
    if not source_name.startswith(output):
        return None
    return parse_path(source_name[len(output) :])


def read(value: Any, path: Path) -> Any:
    """Walk *path* into *value*; None where it does not lead anywhere."""
    for delimiter, key in path:
        if delimiter == LIST:
            value = _item(value, key)
        elif delimiter == DICT:
            value = value.get(key) if isinstance(value, dict) else None
        else:
            value = _attribute(value, key)
        if value is None:
            return None
    return value


def _item(value: Any, key: str) -> Any:
    if not isinstance(value, list) or not re.fullmatch(r"-?\d{1,9}", key):
        return None
    index = int(key)
    return value[index] if -len(value) <= index < len(value) else None


def _attribute(value: Any, key: str) -> Any:
    # Values are JSON: an object's attributes are its keys, a number's only `real` and `imag`.
    # Host attributes are never reached from a pin name.
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"real": value, "imag": 0}.get(key)
    return None


def merge(data: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return *data* with its dynamic keys merged into their bases; the keys themselves stay.

    Written left to right: a base before its dynamic keys is the container they go into, a base
    after them replaces it. Containers of the wrong kind are replaced. *data* is not changed.

    Raises:
        BadRequest: For a list index that is not a number from 0 to `MAX_LIST_INDEX`.
    """
    merged: dict[str, Any] = {}
    for name, value in data.items():
        merged[name] = value
        base = _DELIMITER.split(name, maxsplit=1)[0]
        path = parse_path(name[len(base) :]) if base != name else None
        if path is not None:
            merged[base] = _write(merged.get(base), path, value)
    return merged


def _write(container: Any, path: Path, value: Any) -> Any:
    """Return a copy of *container* in which *path* leads to *value*."""
    (delimiter, key), rest = path[0], path[1:]
    if delimiter == LIST:
        index = _index(key)
        items = _as_list(container)
        items.extend([None] * (index + 1 - len(items)))
        items[index] = _write(items[index], rest, value) if rest else value
        return items
    entries = _as_dict(container)
    entries[key] = _write(entries.get(key), rest, value) if rest else value
    return entries


def _index(key: str) -> int:
    if not re.fullmatch(r"\d{1,9}", key):
        raise BadRequest(f"index must be an integer from 0 to {MAX_LIST_INDEX}, not {key!r}")
    if int(key) > MAX_LIST_INDEX:
        raise BadRequest(f"index {key} is over the limit of {MAX_LIST_INDEX} for a list pin")
    return int(key)


def _as_list(container: Any) -> list[Any]:
    if isinstance(container, list | str | dict | tuple):
        return list(container)
    return []


def _as_dict(container: Any) -> dict[str, Any]:
    return dict(container) if isinstance(container, dict) else {}
