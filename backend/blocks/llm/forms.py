"""Objects with certain keys: how a model is asked for them, and how they are found in its answer."""

from collections.abc import Mapping
from typing import Any, Final

from backend.blocks.llm.reading import json_in
from backend.sdk import JsonObject

#: Where a list stands when the whole answer has to be an object.
_ITEMS: Final = "items"

#: A value may be anything that JSON has.
_SCALARS: Final[list[Any]] = [{"type": kind} for kind in ("string", "number", "boolean", "null")]


def instructions(keys: Mapping[str, str], *, many: bool, only_json: bool) -> str:
    """Return what a model is told about the form of its answer."""
    wanted = "a list of objects" if many else "one object"
    if many and only_json:
        wanted = f'an object with the single key "{_ITEMS}", whose value is a list of objects'
    lines = [
        f"Give the result as JSON: {wanted}. "
        f"Each object has all of these keys, spelled as they are here:"
        if many
        else f"Give the result as JSON: {wanted} with all of these keys, spelled as they are here:",
        *(f"- {_quoted(key)}: {meaning}" for key, meaning in keys.items()),
    ]
    if only_json:
        lines.append("Write the JSON and nothing else, before or after it.")
    else:
        lines.append(
            "You may work the answer out first. End with the JSON, between a line ```json and a"
            " line ```."
        )
    return "\n".join(lines)


def form_of(keys: Mapping[str, str], *, many: bool) -> JsonObject:
    """Return the JSON schema of the answer: an object always, as providers want it."""
    values: list[Any] = [*_SCALARS, {"type": "array", "items": {"anyOf": _SCALARS}}]
    one: JsonObject = {
        "type": "object",
        "properties": {
            key: {"description": meaning, "anyOf": values} for key, meaning in keys.items()
        },
        "required": [*keys],
        "additionalProperties": False,
    }
    if not many:
        return one
    return {
        "type": "object",
        "properties": {_ITEMS: {"type": "array", "items": one}},
        "required": [_ITEMS],
        "additionalProperties": False,
    }


def read_form(
    text: str, keys: Mapping[str, str], *, many: bool
) -> dict[str, Any] | list[dict[str, Any]]:
    """
    Return the object, or the list of objects, that *text* holds.

    Raises:
        ValueError: With all that is wrong with it.
    """
    found = json_in(text, (dict, list))
    if not many:
        # A list of one is that one.
        only = found[0] if isinstance(found, list) and len(found) == 1 else found
        if not isinstance(only, dict):
            raise ValueError("the JSON is a list, and one object is wanted")
        return _checked(only, keys, "the object")
    listed = _listed(found, keys)
    return [_checked(each, keys, f"object {place}") for place, each in enumerate(listed, 1)]


def _listed(found: Any, keys: Mapping[str, str]) -> list[Any]:
    if isinstance(found, dict):
        lists = [value for value in found.values() if isinstance(value, list)]
        # The list may lie in an object of its own, and a list of one may have lost its brackets.
        if len(found) == 1 and lists and not keys.keys() <= found.keys():
            found = lists[0]
        else:
            found = [found]
    return list(found)


def _checked(found: Any, keys: Mapping[str, str], name: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ValueError(f"{name} of the JSON is no object")  # noqa: TRY004 - the model is told
    made = {key: found[key] for key in keys if key in found}
    missing = [key for key in keys if key not in made]
    rest = {key: value for key, value in found.items() if key not in made}
    for key in list(missing):
        # Models write `first name` for `first_name`.
        alike = [other for other in rest if _plain(other) == _plain(key)]
        if len(alike) == 1:
            made[key] = rest.pop(alike[0])
            missing.remove(key)
    if missing:
        raise ValueError(f"{name} lacks {', '.join(map(_quoted, missing))}")
    return {**{key: made[key] for key in keys}, **rest}


def _plain(key: str) -> str:
    return "".join(filter(str.isalnum, key)).casefold()


def _quoted(key: str) -> str:
    return f'"{key}"'
