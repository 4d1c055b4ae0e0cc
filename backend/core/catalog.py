"""All blocks that are known here, by id, by name, and by the ids they once had."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Protocol

from backend.core.block import BlockSpec
from backend.core.ids import BlockId
from backend.core.model_keys import OperatorKeys


class Shelf(Protocol):
    """Built blocks that are read when they are first asked for."""

    @property
    def names(self) -> Mapping[str, str]:
        """Their ids by their names."""

    def get(self, block_id: str) -> BlockSpec | None:
        """Return the block of this id, always the same one; None if there is none."""


class Catalog:
    """
    The blocks of one installation. Never changes after it is made.

    Attributes:
        operators: Which nodes need no credentials of their user; None: all do.
    """

    operators: OperatorKeys | None = None

    def __init__(
        self,
        specs: Iterable[BlockSpec],
        *,
        shelf: Shelf | None = None,
        aliases: Mapping[str, str] | None = None,
        fallback: Callable[[str], BlockSpec | None] | None = None,
    ) -> None:
        """
        Take the built blocks; those of *shelf*, too, whose ids none of the others has.

        *fallback* is asked, by id or name, for blocks that are known but not built. It answers
        with placeholders, which are found, but counted and listed nowhere.
        """
        self._by_id: dict[str, BlockSpec] = {}
        for spec in specs:
            known = self._by_id.get(spec.id)
            # What is built stands before a placeholder of the same id.
            if known is None or known.placeholder:
                self._by_id[spec.id] = spec
        self._shelf = shelf or _Nowhere()
        self._aliases = dict(aliases or {})
        self._fallback = fallback or _nothing
        self._by_name = {spec.name: spec for spec in self._by_id.values()}

    def with_operators(self, keys: OperatorKeys) -> "Catalog":
        """Return the same blocks where *keys* of the operator stand in."""
        made = copy.copy(self)
        made.operators = keys
        return made

    def get(self, block_id: str) -> BlockSpec | None:
        """Return the block of this id or former id; None if unknown."""
        current = self.current_id(block_id)
        known = self._by_id.get(current) or self._shelf.get(current)
        if known is None and (found := self._fallback(current)) and found.id == current:
            return found
        return known

    def named(self, name: str) -> BlockSpec | None:
        """Return the block of this class name; None if unknown."""
        known = self._by_name.get(name) or self._shelf.get(self._shelf.names.get(name, ""))
        if known is None and (found := self._fallback(name)) and found.name == name:
            return found
        return known

    def current_id(self, block_id: str) -> BlockId:
        """Return the id that replaced *block_id*, or *block_id* itself."""
        return BlockId(self._aliases.get(block_id, block_id))

    def listed(self) -> list[BlockSpec]:
        """Return the blocks that a builder may offer: built and enabled, by name."""
        offered = (s for s in self if not s.disabled and not s.placeholder)
        return sorted(offered, key=lambda spec: spec.name)

    def __iter__(self) -> Iterator[BlockSpec]:
        shelved = filter(None, map(self._shelf.get, self._shelf.names.values()))
        return chain(shelved, self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id) + len(self._shelf.names)


class _Nowhere:
    """A shelf with nothing on it."""

    names: Mapping[str, str] = MappingProxyType({})

    def get(self, _: str) -> None:
        """Return None."""


def _nothing(_: str) -> BlockSpec | None:
    return None
