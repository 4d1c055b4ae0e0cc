"""All blocks that are known here, by id, by name, and by the ids they once had."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from backend.core.block import BlockSpec
from backend.core.ids import BlockId


class Catalog:
    """The blocks of one installation. Never changes after it is made."""

    def __init__(
        self,
        specs: Iterable[BlockSpec],
        *,
        aliases: Mapping[str, str] | None = None,
        fallback: Callable[[str], BlockSpec | None] | None = None,
    ) -> None:
        """
        Take the built blocks.

        *fallback* is asked, by id or name, for blocks that are known but not built. It answers
        with placeholders, which are found, but counted and listed nowhere.
        """
        self._by_id: dict[str, BlockSpec] = {}
        for spec in specs:
            known = self._by_id.get(spec.id)
            # What is built stands before a placeholder of the same id.
            if known is None or known.placeholder:
                self._by_id[spec.id] = spec
        self._aliases = dict(aliases or {})
        self._fallback = fallback or _nothing
        self._by_name = {spec.name: spec for spec in self._by_id.values()}

    def get(self, block_id: str) -> BlockSpec | None:
        """Return the block of this id or former id; None if unknown."""
        current = self.current_id(block_id)
        known = self._by_id.get(current)
        if known is None and (found := self._fallback(current)) and found.id == current:
            return found
        return known

    def named(self, name: str) -> BlockSpec | None:
        """Return the block of this class name; None if unknown."""
        known = self._by_name.get(name)
        if known is None and (found := self._fallback(name)) and found.name == name:
            return found
        return known

    def current_id(self, block_id: str) -> BlockId:
        """Return the id that replaced *block_id*, or *block_id* itself."""
        return BlockId(self._aliases.get(block_id, block_id))

    def listed(self) -> list[BlockSpec]:
        """Return the blocks that a builder may offer: built and enabled, by name."""
        offered = (s for s in self._by_id.values() if not s.disabled and not s.placeholder)
        return sorted(offered, key=lambda spec: spec.name)

    def __iter__(self) -> Iterator[BlockSpec]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)


def _nothing(_: str) -> BlockSpec | None:
    return None
