"""JSON as a type, and its text form. One place, so that limits and oddities stand once."""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import orjson

from backend.core.errors import BadRequest

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]

_OPTIONS: Final = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS


class NotJson(BadRequest):
    """This value has no JSON form."""


def dumps(value: Any) -> bytes:
    """
    Return the JSON text of *value*, compact, UTF-8.

    Raises:
        NotJson: For bytes, objects, integers over 64 bits, lone surrogates, or nesting over 250.
    """
    try:
        return orjson.dumps(value, _plain, _OPTIONS)
    except (orjson.JSONEncodeError, TypeError, RecursionError) as exc:
        raise NotJson(f"a value has no JSON form: {exc}") from exc


def text(value: Any) -> str:
    """Return the JSON text of *value* as ``str``; see `dumps`."""
    return dumps(value).decode()


def loads(data: bytes | str) -> Any:
    """
    Return the value of the JSON text *data*.

    Raises:
        NotJson: If it is not JSON, or nested too deeply.
    """
    try:
        return orjson.loads(data)
    except (orjson.JSONDecodeError, RecursionError) as exc:
        raise NotJson(f"not valid JSON: {exc}") from exc


def depth_over(value: Any, limit: int) -> bool:
    """Say whether lists and objects in *value* hold something below *limit* levels."""
    level = [value]
    for _ in range(limit + 1):
        level = [item for container in level for item in _items(container)]
        if not level:
            return False
    return True


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _plain(value: Any) -> Any:
    """Give orjson the plain form of the few types it does not know."""
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    bases: tuple[type[Any], ...] = (str, int, float, dict, list)
    for base in bases:  # a subclass counts as its base
        if isinstance(value, base):
            return base(value)
    raise TypeError(f"{type(value).__name__} is not a JSON type")
