"""Files that are not whole: without their facts, facts without a file, or of another size than those say."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from backend.adapters.files import facts
from backend.adapters.files.draft import FACTS, VALUE
from backend.adapters.files.trees import Entry, FolderTree, Readable, Tree, written
from backend.core.errors import NotFound

#: What is older is no file under way.
AGE_S: Final = 24 * 3600.0
_FACTS_BYTES: Final = 64 * 1024
_AT_ONCE: Final = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Half:
    """A file that is not whole; *is_alone*: what belongs to it is not there."""

    name: str
    detail: str
    is_alone: bool


def halves(tree: Tree, now_s: float) -> Iterator[Half]:
    """Yield what is not whole in *tree*, and has not changed for a day; a folder at a time."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="halves") as pool:
        for _, group in groupby(tree.entries(), key=lambda one: one.name.rpartition("/")[0]):
            there = {one.name: one for one in group if one.modified_s <= now_s - AGE_S}
            for name in there:
                if _is_alone(tree, name, there):
                    other = other_half(name).rpartition("/")[2]
                    yield Half(name=name, detail=f"{other} is not beside it", is_alone=True)
            pairs = [
                (there[name.removesuffix(FACTS)], one)
                for name, one in there.items()
                if name.endswith(FACTS) and name.removesuffix(FACTS) in there
            ]
            for half in pool.map(lambda pair: _differing(tree, *pair), pairs):
                if half is not None:
                    yield half


def other_half(name: str) -> str:
    """Return what must lie beside *name*."""
    return name.removesuffix(FACTS) if name.endswith(FACTS) else f"{name}{FACTS}"


def set_aside(tree: Tree, name: str, target: Path) -> bool:
    """
    Take a half out of *tree*, into the file *target*; False if it is whole by now, or gone.

    Killed in the middle, it is still in its place.
    """
    try:
        if _is_there(tree, other_half(name)):
            return False
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if isinstance(tree, FolderTree):
            (tree.root / name).rename(target)
            return True
        with tree.opened(name) as (size, source):
            written(target, source, size)
    except (NotFound, FileNotFoundError):
        return False
    tree.delete(name)
    return True


def _is_alone(tree: Tree, name: str, there: dict[str, Entry]) -> bool:
    # Values have no facts. What belongs to it may have come since: then it is not old.
    is_half = not name.endswith(VALUE) and other_half(name) not in there
    return is_half and not _is_there(tree, other_half(name))


def _is_there(tree: Tree, name: str) -> bool:
    try:
        tree.find(name)
    except NotFound:
        return False
    return True


def _differing(tree: Tree, file: Entry, beside: Entry) -> Half | None:
    try:
        with tree.opened(beside.name) as (_, source):
            size = facts.read(_all(source))["size_bytes"]
    except NotFound:
        if not _is_there(tree, beside.name):
            return None
        return Half(name=beside.name, detail="it cannot be read", is_alone=False)
    if size == file.size_bytes:
        return None
    detail = f"it has {file.size_bytes:,} bytes, and should have {size:,}"
    return Half(name=file.name, detail=detail, is_alone=False)


def _all(source: Readable) -> bytes:
    content = b""
    while len(content) < _FACTS_BYTES and (piece := source.read(_FACTS_BYTES)):
        content += piece
    return content
