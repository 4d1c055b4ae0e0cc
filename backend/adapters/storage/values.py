"""Large values of rows: written to files before the commit that names them, and read back whole.

Which values are large is told by the text of their column, which is made anyway. What is known to
be large is not made to text again: the same value in ten rows is one text, and one file.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from backend.adapters.storage import packed
from backend.adapters.storage.value_files import ValueStore, digest_of
from backend.core import json
from backend.core.errors import TooLarge, ValueLost

#: How a column's values are found: `packed.pins`, `packed.outputs` or `packed.whole`.
Parts: TypeAlias = Callable[[Any], Iterable[tuple[packed.Path, Any]]]

_KILOBYTE: Final = 1024
_MEGABYTE: Final = 1024 * 1024
#: Values that are known to be in files, with which a commit of the same run needs no second text.
_KNOWN: Final = 64
_KNOWN_BYTES: Final = 64 * _MEGABYTE


@dataclass(frozen=True, slots=True)
class _Large:
    """A value in a file. Holds the value, so that no other can have its identity."""

    value: Any
    digest: str
    size_bytes: int


class Values:
    """All of one process. Not for several threads, except what its readers do."""

    def __init__(
        self,
        files: ValueStore,
        *,
        inline_bytes: int = 256 * _KILOBYTE,
        value_bytes: int = 16 * _MEGABYTE,
    ) -> None:
        """
        Keep large values in *files*.

        Args:
            inline_bytes: A value whose JSON text is longer goes to a file.
            value_bytes: The longest of a new run's inputs.
        """
        self.files = files
        self.inline_bytes = inline_bytes
        self.value_bytes = value_bytes
        self._known: OrderedDict[tuple[str, int], _Large] = OrderedDict()
        self._known_bytes = 0

    def staging(self) -> "Staging":
        """Begin to make texts of rows that are committed together."""
        return Staging(self, self._known)

    async def write(self, staging: "Staging") -> None:
        """
        Put the files of *staging* on disk; before its rows are committed. Twice is harmless.

        Raises:
            Unavailable: If they cannot be written.
        """
        if staging.files:
            await asyncio.to_thread(self.files.write, staging.files)
            for key, large in staging.fresh.items():
                self._remember(key, large)

    def forget(self, roots: Collection[str]) -> None:
        """Hold nothing of runs that have ended."""
        if self._known:
            for key in [key for key in self._known if key[0] in roots]:
                self._known_bytes -= self._known.pop(key).size_bytes

    def strict(self) -> "Reader":
        """Read for the engine: a value that is lost raises ValueLost."""
        return Reader(self.files, _raise)

    def shown(self) -> "Reader":
        """Read for people: a value that is lost is a text that says so."""
        return Reader(self.files, lambda error: f"[lost: {error}]")

    def brief(self) -> "Reader":
        """Read for a list: no file is opened, a text stands for each large value."""
        return Reader(None, _raise)

    def _remember(self, key: tuple[str, int], large: _Large) -> None:
        known = self._known
        if key not in known:
            self._known_bytes += large.size_bytes
        known[key] = large
        while len(known) > _KNOWN or (self._known_bytes > _KNOWN_BYTES and known):
            self._known_bytes -= known.popitem(last=False)[1].size_bytes


class Staging:
    """
    Texts of columns, and the files that they name.

    Attributes:
        files: JSON texts by root run and digest.
    """

    def __init__(self, values: Values, known: OrderedDict[tuple[str, int], _Large]) -> None:
        self.files: dict[tuple[str, str], bytes] = {}
        self.fresh: dict[tuple[str, int], _Large] = {}
        self._inline_bytes = values.inline_bytes
        self._value_bytes = values.value_bytes
        self._known = known

    def below(self, root: str) -> Callable[..., str]:
        """Return `text` for the run *root*, as fast as it can be: it is called for each column."""
        known, fresh, limit, dumps = self._known, self.fresh, self._inline_bytes, json.dumps

        def text(value: Any, parts: Parts = packed.pins) -> str:
            if not known and not fresh:
                data = dumps(value)
                if len(data) <= limit:
                    return data.decode()
                return self._packed(root, value, parts) or data.decode()
            # Large ones are about: such a one must not be made to text only to find that out.
            found = any(self._find(root, one) is not None for _, one in parts(value))
            data = b"" if found else dumps(value)
            if found or len(data) > limit:
                return self._packed(root, value, parts) or data.decode()
            return data.decode()

        return text

    def text(self, root: str, value: Any, parts: Parts = packed.pins) -> str:
        """Return the text of a column of a run below *root*."""
        return self.below(root)(value, parts)

    def inputs(self, root: str, value: Any) -> str:
        """
        Return the text of the inputs of a new run.

        Raises:
            TooLarge: If one of them is over the limit.
        """
        text = self.text(root, value)
        for large in self.fresh.values():
            if large.size_bytes > self._value_bytes:
                raise TooLarge(
                    f"an input is larger than {self._value_bytes / _MEGABYTE:g} MB "
                    "(setting MAX_VALUE_MB)"
                )
        return text

    def optional(self, root: str, value: Any) -> str | None:
        """Return the text of a column; None for what is empty."""
        return self.text(root, value) if value else None

    def _packed(self, root: str, value: Any, parts: Parts) -> str | None:
        """Return the text of *value* without its large parts; None if it has none."""
        found: list[packed.Part] = []
        for path, one in parts(value):
            large = self._find(root, one) or self._measured(root, one)
            if large is not None:
                found.append(packed.Part(path, large.digest, large.size_bytes))
        if not found:
            return None
        shape = packed.without(value, [part.path for part in found])
        return packed.Packed(root, tuple(found), shape).text()

    def _find(self, root: str, value: Any) -> _Large | None:
        key = (root, id(value))
        return self.fresh.get(key) or self._known.get(key)

    def _measured(self, root: str, value: Any) -> _Large | None:
        data = json.dumps(value)
        if len(data) <= self._inline_bytes:
            return None
        digest = digest_of(data)
        self.files[root, digest] = data
        large = self.fresh[root, id(value)] = _Large(value, digest, len(data))
        return large


class Reader:
    """Reads columns, each file once: for one reading of rows, from any one thread."""

    def __init__(self, files: ValueStore | None, lost: Callable[[ValueLost], Any]) -> None:
        self._files = files
        self._lost = lost
        self._seen: dict[tuple[str, str], Any] = {}

    def loaded(self, text: str | None) -> Any:
        """Return the value of a column; None for NULL."""
        if text is None:
            return None
        if not packed.is_packed(text):
            return json.loads(text)
        column = packed.read(text)
        shape = column.shape
        for part in column.parts:
            shape = packed.put(shape, part.path, self._value(column.root, part))
        return shape

    def _value(self, root: str, part: packed.Part) -> Any:
        if self._files is None:
            return f"[{part.size_bytes} bytes: ask for this run alone to see them]"
        key = (root, part.digest)
        if key not in self._seen:
            try:
                data = self._files.read(root, part.digest, part.size_bytes)
            except ValueLost as exc:
                self._seen[key] = self._lost(exc)
            else:
                self._seen[key] = json.loads(data)
        return self._seen[key]


def _raise(error: ValueLost) -> Any:
    raise error
