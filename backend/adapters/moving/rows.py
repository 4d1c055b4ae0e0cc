"""Rows in a form that no database owns: a JSON array a line, columns by name, and a sum of them.

The sum of a table is that of the SHA-256 of its lines, modulo 2^256: it does not depend on the order
in which a database gives its rows, and what was changed can be taken out of it and put in.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

from backend.core import json
from backend.core.errors import Unavailable

Row: TypeAlias = tuple[Any, ...]

_MODULUS: Final = 2**256
_NUL: Final = b"\\u0000"
#: What PostgreSQL's texts have in the place of NUL, see backend.adapters.storage.postgres.
_INSTEAD_OF_NUL: Final = "\ufffd"
_BOOLEANS: Final = {0: False, 1: True}


class Kind(StrEnum):
    """What a column holds, null aside."""

    TEXT = "text"
    INTEGER = "integer"  #: 64 bits at most
    BOOLEAN = "boolean"
    BYTES = "bytes"
    FLOAT = "float"


@dataclass(frozen=True, slots=True)
class Shape:
    """
    A table, without its rows.

    Attributes:
        columns: Names and kinds, sorted by name: the order of values in a `Row`.
    """

    name: str
    columns: tuple[tuple[str, Kind], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(name for name, _ in self.columns)


class Sum:
    """How many lines there were, and what identifies all of them together."""

    def __init__(self) -> None:
        self.count = 0
        self._value = 0

    def add(self, line: bytes) -> None:
        """Put one line in."""
        self.count += 1
        self._value += int.from_bytes(hashlib.sha256(line).digest())

    def merge(self, other: "Sum") -> None:
        """Put all lines of *other* in."""
        self.count += other.count
        self._value += other._value  # noqa: SLF001 -- of its own kind

    def remove(self, other: "Sum") -> None:
        """Take all lines of *other* out, which were put in."""
        self.count -= other.count
        self._value -= other._value  # noqa: SLF001 -- of its own kind

    @property
    def hex(self) -> str:
        """64 hexadecimal digits."""
        return f"{self._value % _MODULUS:064x}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sum) and (self.count, self.hex) == (other.count, other.hex)

    __hash__ = None  # type: ignore[assignment]  # it changes


def line_of(shape: Shape) -> Callable[[Row], bytes]:
    """
    Return what makes the line of a row of *shape*: its JSON text, without the end of the line.

    What it makes is the same for both kinds of database.

    Raises:
        Unavailable: For a value that is not of its column's kind.
    """
    odd = [
        (place, _TO_JSON[kind]) for place, (_, kind) in enumerate(shape.columns) if kind in _TO_JSON
    ]

    def line(row: Row) -> bytes:
        try:
            if odd:
                values = list(row)
                for place, convert in odd:
                    if values[place] is not None:
                        values[place] = convert(values[place])
                return json.dumps(values)
            return json.dumps(row)
        except (json.NotJson, KeyError, TypeError, ValueError) as exc:
            raise Unavailable(
                f"a row of the table {shape.name} holds what its columns do not allow;"
                " `agpt doctor` says more"
            ) from exc

    return line


def row_of(shape: Shape) -> Callable[[bytes], Row]:
    """
    Return what undoes `line_of`.

    Raises:
        ValueError: For a line that is none of *shape*.
    """
    odd = [
        (place, _FROM_JSON[kind])
        for place, (_, kind) in enumerate(shape.columns)
        if kind in _FROM_JSON
    ]
    length = len(shape.columns)

    def row(line: bytes) -> Row:
        try:
            values = json.loads(line)
        except json.NotJson as exc:
            raise ValueError(str(exc)) from exc
        if not isinstance(values, list) or len(values) != length:
            message = f"a row of {shape.name} has not the columns of its table"
            raise ValueError(message)
        for place, convert in odd:
            if values[place] is not None:
                values[place] = convert(values[place])
        return tuple(values)

    return row


def without_nul(line: bytes, row: Row) -> Row:
    """Return *row*, whose line is *line*, as PostgreSQL can keep it."""
    if _NUL not in line:
        return row
    return tuple(
        value.replace("\0", _INSTEAD_OF_NUL) if isinstance(value, str) else value for value in row
    )


def sum_of(shape: Shape, rows: Iterable[Row]) -> Sum:
    """Return the sum of *rows*."""
    total, line = Sum(), line_of(shape)
    for row in rows:
        total.add(line(row))
    return total


def difference(expected: dict[str, Sum], found: dict[str, Sum]) -> str | None:
    """Say of the first table that is not as expected, in half a sentence; None: all are."""
    for name, one in expected.items():
        other = found.get(name, Sum())
        if one.count != other.count:
            return f"the table {name} has {other.count:,} rows, not {one.count:,}"
        if one != other:
            return f"the rows of the table {name} are not what they were"
    return None


def shape_as_json(shape: Shape) -> list[list[str]]:
    """Return the columns of *shape* for an archive."""
    return [[name, kind.value] for name, kind in shape.columns]


def shape_from_json(name: str, columns: Sequence[Sequence[str]]) -> Shape:
    """Undo `shape_as_json`. Raises ValueError for what is none."""
    return Shape(name, tuple((column, Kind(kind)) for column, kind in columns))


def _boolean(value: Any) -> bool:
    return _BOOLEANS[value]


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _unbase64(value: str) -> bytes:
    return base64.b64decode(value, validate=True)


#: A float as its hexadecimal digits: none is rounded, and what is no number has a form too.
_TO_JSON: Final[dict[Kind, Callable[[Any], Any]]] = {
    Kind.BOOLEAN: _boolean,
    Kind.BYTES: _base64,
    Kind.FLOAT: lambda value: float(value).hex(),
}
_FROM_JSON: Final[dict[Kind, Callable[[Any], Any]]] = {
    Kind.BYTES: _unbase64,
    Kind.FLOAT: float.fromhex,
}
