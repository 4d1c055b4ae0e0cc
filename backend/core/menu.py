"""The builder's menu: which blocks it shows, by kind, category and provider, and what a search finds.

Pure. Made once from the catalog; nothing here is done for each request that need not be.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from backend.core.block import BlockSpec, BlockType

_CAMEL_CASE: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD: Final = re.compile(r"\w+")
#: What every block's name ends with says nothing about one.
_SUFFIX: Final = "Block"

#: How near a block is to what is searched for; 0 is not found.
_SAME_NAME, _BEGINS_NAME, _WORDS_OF_NAME, _IN_NAME, _ELSEWHERE = 5, 4, 3, 2, 1


class BlockKind(StrEnum):
    """What the menu parts blocks into."""

    ALL = "all"
    INPUT = "input"
    ACTION = "action"
    OUTPUT = "output"


@dataclass(frozen=True, kw_only=True, slots=True)
class MenuBlock:
    """A block with what the menu looks for, made ready."""

    spec: BlockSpec
    kind: BlockKind
    categories: tuple[str, ...]  #: in small letters
    providers: tuple[str, ...]
    title: str  #: the words of its name, in small letters
    words: str  #: all that a search looks at

    @property
    def is_integration(self) -> bool:
        """Whether it works with somebody's account outside."""
        return bool(self.providers)


class Menu:
    """All blocks that a builder may offer. Never changes."""

    def __init__(self, offered: Iterable[BlockSpec]) -> None:
        self.blocks: tuple[MenuBlock, ...] = tuple(_menu_block(spec) for spec in offered)
        self._by_id = {block.spec.id: block for block in self.blocks}
        self.kinds: Mapping[BlockKind, int] = Counter(block.kind for block in self.blocks)
        #: How many blocks each has, in the order of names.
        self.providers = _counted(name for block in self.blocks for name in block.providers)
        self.categories = _counted(name for block in self.blocks for name in block.categories)

    def some(self, ids: Iterable[str]) -> list[BlockSpec]:
        """Return those of *ids* that are offered, in their order, each once."""
        found = (self._by_id.get(id_) for id_ in dict.fromkeys(ids))  # type: ignore[call-overload] # any text
        return [block.spec for block in found if block is not None]

    def of_kind(self, kind: BlockKind) -> list[BlockSpec]:
        """Return the blocks of a kind, by name."""
        return [b.spec for b in self.blocks if kind in (BlockKind.ALL, b.kind)]

    def of_category(self, name: str) -> list[BlockSpec]:
        """Return the blocks of a category, whatever the case of its letters, by name."""
        return [b.spec for b in self.blocks if name.lower() in b.categories]

    def of_provider(self, name: str) -> list[BlockSpec]:
        """Return the blocks that work with a provider, by name."""
        return [b.spec for b in self.blocks if name in b.providers]

    def search(self, query: str) -> list[MenuBlock]:
        """Return the blocks that fit *query*, the nearest first; all by name if it is empty."""
        wanted = " ".join(_WORD.findall(query.lower()))
        if not wanted:
            return list(self.blocks)
        words = wanted.split()
        found = [
            (near, block) for block in self.blocks if (near := _nearness(block, wanted, words))
        ]
        # Stable: what is equally near stays in the order of names.
        return [block for _, block in sorted(found, key=lambda pair: -pair[0])]


def _nearness(block: MenuBlock, wanted: str, words: Sequence[str]) -> int:
    if not all(word in block.words for word in words):
        return 0
    if block.title == wanted:
        return _SAME_NAME
    if block.title.startswith(wanted):
        return _BEGINS_NAME
    title = block.title.split()
    if all(word in title for word in words):
        return _WORDS_OF_NAME
    return _IN_NAME if all(word in block.title for word in words) else _ELSEWHERE


def _menu_block(spec: BlockSpec) -> MenuBlock:
    kinds = {BlockType.INPUT: BlockKind.INPUT, BlockType.OUTPUT: BlockKind.OUTPUT}
    title = _CAMEL_CASE.sub(" ", spec.name.removesuffix(_SUFFIX)).lower()
    categories = tuple(category.name.lower() for category in spec.categories)
    providers = tuple(sorted(set(_providers(spec))))
    words = (title, spec.name.lower(), spec.description.lower(), *categories, *providers)
    return MenuBlock(
        spec=spec,
        kind=kinds.get(spec.block_type, BlockKind.ACTION),
        categories=categories,
        providers=providers,
        title=title,
        words=" ".join(words),
    )


def _providers(spec: BlockSpec) -> Iterable[str]:
    for pin in spec.credentials.values():
        named: Any = pin.get("credentials_provider")
        yield from (str(name) for name in named) if isinstance(named, list) else ()


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
