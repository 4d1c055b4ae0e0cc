"""Which blocks there are: ours from an index, other people's from entry points, modules on demand.

``python -m backend.discovery --write`` makes the index anew after a block has changed.
"""

import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from typing import Any, Final

from backend.blocks import build_index
from backend.blocks.known import Known
from backend.core.block import BlockSpec, Place
from backend.core.catalog import Catalog
from backend.core.errors import NotFound
from backend.sdk import Block, spec_of

#: An entry point of this group names a block class, or a module whose BLOCKS lists them.
ENTRY_POINTS: Final = "agpt.blocks"


class BlockLoader:
    """
    Instances of blocks, made on first use: a block that nobody runs is never imported.

    Safe to share between threads: at worst two make the same, stateless instance.
    """

    def __init__(
        self, places: Mapping[str, str], plugins: Mapping[str, type[Block]] | None = None
    ) -> None:
        """Take ``module:Class`` by block id, and classes that are loaded already by theirs."""
        self._places = dict(places)
        self._plugins = dict(plugins or {})
        self._instances: dict[str, Block] = {}

    def get(self, block_id: str) -> Block:
        """
        Return the instance of this block; always the same one.

        Raises:
            NotFound: If no such block is built.
        """
        found = self._instances.get(block_id)
        if found is None:
            found = self._instances[block_id] = self._class_of(block_id)()
        return found

    def address(self, block_id: str) -> str:
        """
        Return ``module:Class`` of this block; nothing is imported.

        Raises:
            NotFound: Like `get`.
        """
        place = self._places.get(block_id)
        if place is not None:
            return place
        plugin = self._plugins.get(block_id)
        if plugin is None:
            raise NotFound(f"There is no built block {block_id}: it is unknown or a placeholder")
        return f"{plugin.__module__}:{plugin.__qualname__}"

    def _class_of(self, block_id: str) -> type[Block]:
        plugin = self._plugins.get(block_id)
        if plugin is not None:
            return plugin
        module, _, name = self.address(block_id).partition(":")
        found: type[Block] = getattr(import_module(module), name)
        return found


class Plugins:
    """Blocks of other packages, and which of those packages could not be loaded."""

    def __init__(self) -> None:
        self.blocks: dict[str, type[Block]] = {}
        self.specs: list[BlockSpec] = []
        self.broken: dict[str, str] = {}  #: reason by entry point

    def add(self, point: EntryPoint, taken: Callable[[str], bool]) -> None:
        """Load *point*; what fails is noted and logged, and disturbs nobody else."""
        try:
            self._add_all(point.load(), taken)
        except Exception as exc:  # noqa: BLE001 - the border at which plugins are loaded
            self.broken[f"{point.name} ({point.value})"] = f"{type(exc).__name__}: {exc}"
            _warn(point, exc)

    def _add_all(self, loaded: Any, taken: Callable[[str], bool]) -> None:
        blocks: list[type[Block]] = [loaded] if isinstance(loaded, type) else [*loaded.BLOCKS]
        specs = [_guarded(block, spec_of(block)) for block in blocks]
        for spec in specs:
            if taken(spec.id) or spec.id in self.blocks:
                raise ValueError(f"{spec.name}: the id {spec.id} belongs to another block")
        self.specs += specs
        self.blocks |= {block.id: block for block in blocks}


def _guarded(block: type[Block], spec: BlockSpec) -> BlockSpec:
    """
    Return *spec*, in a thread where *block* does not say where it is run.

    Nobody here knows how long it takes; on the loop it would hold up the runs of all.
    """
    says = any("place" in vars(kind) for kind in block.__mro__ if kind is not Block)
    if says or block.waits:
        return spec
    return replace(spec, place=Place.THREAD)


def _warn(point: EntryPoint, error: Exception) -> None:
    # Nearly never needed, and a quarter of a second to import: `agpt run` would wait for it.
    import structlog  # noqa: PLC0415 - see above

    structlog.get_logger().warning(
        "block_package_broken", entry_point=point.value, error=str(error)
    )


@cache
def _index() -> build_index.Index:
    return build_index.Index(files("backend.blocks").joinpath("index.json").read_bytes())


@cache
def _plugins() -> Plugins:
    built = _index().places.keys()
    plugins = Plugins()
    # What a package prints while it is loaded must not get into a command's answer.
    with redirect_stdout(sys.stderr):
        for point in entry_points(group=ENTRY_POINTS):
            plugins.add(point, built.__contains__)
    return plugins


@cache
def load_catalog() -> Catalog:
    """Return all blocks of this installation, each read when asked for. Imports no block of ours."""
    index = _index()
    return Catalog(
        _plugins().specs, shelf=index, aliases=index.aliases, fallback=Known().placeholder
    )


@cache
def load_blocks() -> BlockLoader:
    """Return the loader of this installation's blocks."""
    return BlockLoader(_index().places, _plugins().blocks)


def broken() -> Mapping[str, str]:
    """Return why block packages could not be loaded, by entry point; empty when all is well."""
    return _plugins().broken


def main(arguments: list[str]) -> int:
    """Make the index; with ``--write`` put it into its file, else say whether that is current."""
    made = build_index.text(build_index.discover(), Known().aliases)
    place = build_index.PLACE
    if "--write" in arguments:
        place.write_bytes(made)
        return 0
    current = place.exists() and place.read_bytes() == made
    if not current:
        sys.stderr.write("index.json is out of date: run `python -m backend.discovery --write`\n")
    return 0 if current else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
