"""Values as blocks hand them on: in their JSON form, within their limit, and large ones only once."""

import hashlib
import threading
from collections import OrderedDict
from typing import Any, Final

from backend.core import json
from backend.core.errors import TooLarge

#: Below it a copy costs less than to look for the first one.
_LARGE_BYTES: Final = 64 * 1024
#: Large values that one run remembers; each is a value that its nodes hold anyway, or held lately.
_REMEMBERED: Final = 8
_MEGABYTE: Final = 1024 * 1024
#: What a character takes at most in JSON, and what everything else about one entry does.
_CHARACTER_BYTES: Final = 6
_ENTRY_BYTES: Final = 40
_PLAIN: Final = frozenset({int, float, bool, type(None)})


class HandedOn:
    """
    What the blocks of one run have handed on lately.

    A large list that ten blocks pass on unchanged is one list in memory, not eleven.
    """

    __slots__ = ("_limit_bytes", "_lock", "_values")

    def __init__(self, limit_bytes: int) -> None:
        """Take at most *limit_bytes* of one value: of a text its UTF-8, of others their JSON."""
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()  # blocks of one run may work in several threads
        self._values: OrderedDict[bytes, Any] = OrderedDict()

    def plain(self, value: Any) -> Any:
        """
        Return *value* as its JSON form reads back.

        What a block yields is kept apart from the block: it may go on changing its own copy. And
        what runs on in memory is what a restart would find on disk.

        Raises:
            NotJson: If it has no JSON form.
            TooLarge: If it is over the limit.
        """
        if value is None or value is True or value is False:
            return value
        kind = type(value)
        if kind is str:
            # Nobody can change a text: it needs no copy, only to be one that JSON can hold.
            size_bytes = len(value) if value.isascii() else len(json.dumps(value)) - 2
            if size_bytes > self._limit_bytes:
                raise self._too_large(size_bytes)
            return value
        if kind is int and -(2**63) <= value < 2**64:
            return value
        data = json.dumps(value)
        if len(data) > self._limit_bytes:
            raise self._too_large(len(data))
        return json.loads(data) if len(data) <= _LARGE_BYTES else self._once(data)

    def require_within(self, values: dict[str, Any]) -> None:
        """Raise TooLarge if one of *values*, which were put together from others, is too large."""
        for name, value in values.items():
            if isinstance(value, list | dict) and not _is_surely_within(value, self._limit_bytes):
                size_bytes = len(json.dumps(value))
                if size_bytes > self._limit_bytes:
                    raise self._too_large(size_bytes, f"{name}: ")

    def _once(self, data: bytes) -> Any:
        digest = hashlib.sha256(data).digest()
        with self._lock:
            known = self._values.get(digest)
        # A block that changed the first one in place must not change this one with it.
        value = json.loads(data) if known is None or json.dumps(known) != data else known
        with self._lock:
            self._values[digest] = value
            self._values.move_to_end(digest)
            if len(self._values) > _REMEMBERED:
                self._values.popitem(last=False)
        return value

    def _too_large(self, size_bytes: int, what: str = "") -> TooLarge:
        return TooLarge(
            f"{what}a value of {size_bytes} bytes is larger than "
            f"{self._limit_bytes / _MEGABYTE:g} MB (setting MAX_VALUE_MB)"
        )


def _is_surely_within(values: list[Any] | dict[str, Any], limit_bytes: int) -> bool:
    """Say whether *values* are flat, and so short that nobody needs to count their bytes."""
    characters = 0
    for value in values.values() if isinstance(values, dict) else values:
        if type(value) is str:
            characters += len(value)
        elif type(value) not in _PLAIN:
            return False
    if isinstance(values, dict):
        characters += sum(len(str(name)) for name in values)
    return characters * _CHARACTER_BYTES + len(values) * _ENTRY_BYTES <= limit_bytes
