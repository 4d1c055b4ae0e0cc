"""The text of a JSON column whose large values lie in files: told from plain JSON by its first sign.

No JSON text begins with that sign, so nothing that people send can be taken for one of ours, and
nothing of theirs has to be changed to be kept apart.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from backend.core import json

MARK: Final = "@"

#: Where in a column a value stands: keys of objects and places in lists; empty for all of it.
Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A value in a file: its SHA-256 as 64 hexadecimal digits, and the bytes of its JSON text."""

    path: Path
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Packed:
    """
    A column in parts.

    Attributes:
        root: The run in whose folder the files lie.
        shape: What stays in the row; null where a part belongs.
    """

    root: str
    parts: tuple[Part, ...]
    shape: Any

    def text(self) -> str:
        """Return what stands in the row."""
        parts = [[list(part.path), part.digest, part.size_bytes] for part in self.parts]
        return MARK + json.text([self.root, parts, self.shape])


def is_packed(text: str) -> bool:
    """Say whether *text* is that of a column in parts."""
    return text.startswith(MARK)


def read(text: str) -> Packed:
    """Undo `Packed.text`. Raises NotJson, ValueError or TypeError for what is none."""
    root, parts, shape = json.loads(text[len(MARK) :])
    made = tuple(Part(tuple(path), digest, size) for path, digest, size in parts)
    return Packed(root, made, shape)


def shape_of(text: str) -> Any:
    """Return the value of a column, with null for what lies in files."""
    return read(text).shape if is_packed(text) else json.loads(text)


def put(shape: Any, path: Path, value: Any) -> Any:
    """Return *shape* with *value* at *path*; *shape* itself is changed."""
    if not path:
        return value
    *way, last = path
    holder = shape
    for step in way:
        holder = holder[step]
    holder[last] = value
    return shape


def pins(values: Mapping[str, Any]) -> Iterable[tuple[Path, Any]]:
    """Yield the values of *values* with their places: those of pins, by name."""
    return (((name,), value) for name, value in values.items())


def outputs(values: Sequence[Sequence[Any]]) -> Iterable[tuple[Path, Any]]:
    """Yield the values in (pin, value) pairs with their places."""
    return (((number, 1), pair[1]) for number, pair in enumerate(values))


def whole(value: Any) -> Iterable[tuple[Path, Any]]:
    """Yield *value* with its place."""
    return (((), value),)


def without(value: Any, paths: Sequence[Path]) -> Any:
    """Return a copy of *value* with null at *paths*, as `pins`, `outputs` or `whole` give them."""
    if paths == [()]:
        return None
    copy: Any = dict(value) if isinstance(value, Mapping) else [list(pair) for pair in value]
    for path in paths:
        put(copy, path, None)
    return copy
