"""
Takes the files of an installation from a folder to a bucket, or back, while it runs, but for a moment.

First everything is copied and read back. Then, when nobody writes any more, what came, changed or
went since. What is copied is marked until all of it is there; killed before, it is gone on with.
"""

import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from backend.adapters.files.draft import sync_folder
from backend.adapters.files.trees import BucketTree, Entry, FolderTree, Tree, copied, hash_of
from backend.adapters.moving.backup import Say
from backend.core.errors import Conflict, NotFound, Unavailable

#: Lies at the top of the bucket that is being filled.
MARK: Final = "moving"
#: The folder of the data directory that is being filled.
STAGE: Final = "moving-files"
_SMALL_BYTES: Final = 1024 * 1024
_AT_ONCE: Final = 8
#: The clock of a store may be so far from ours; files that changed within it are compared.
_SKEW_S: Final = 600.0


@dataclass(kw_only=True)
class Moved:
    """What was copied: files, and their bytes; *gone* are those that were deleted meanwhile."""

    files: int = 0
    bytes: int = 0
    gone: int = 0


def staged(data_dir: Path) -> FolderTree:
    """Return the folder that becomes that of the files of *data_dir*; see `place`."""
    return FolderTree(data_dir / STAGE)


def begin(target: Tree) -> None:
    """
    Mark *target* as one that is being filled.

    Raises:
        Conflict: If there are files of somebody else.
    """
    if isinstance(target, FolderTree):
        target.root.mkdir(mode=0o700, exist_ok=True)
        return
    assert isinstance(target, BucketTree)
    try:
        target.bucket.find_now(MARK)
    except NotFound:
        found = next(target.entries(), None)
        if found is not None:
            raise Conflict(
                f"{target} is not empty: {found.name} is there. Choose another prefix."
            ) from None
        target.bucket.put_now(MARK, b"")


def copy_running(source: Tree, target: Tree, say: Say) -> Moved:
    """Copy all files that are there now, and read them back; they may come and go meanwhile."""
    done = Moved()
    with _pool(done, source, target, say) as copy:
        for entry, there in _beside(source, target):
            if entry is not None and not _is_same(source, target, entry, there):
                copy(entry)
    return done


def finish(source: Tree, target: Tree, since_s: float, say: Say) -> Moved:
    """
    Copy what came or changed since the copying began, at *since_s*, and delete what went.

    Nobody may write any more.

    Raises:
        Unavailable: If *target* has not all files then, or others.
    """
    done = Moved()
    before_s = since_s - _SKEW_S
    with _pool(done, source, target, say) as copy:
        for entry, there in _beside(source, target):
            if entry is None:
                assert there is not None
                target.delete(there.name)
                done.gone += 1
            elif there is not None and entry.modified_s < before_s and not _differ(entry, there):
                continue  # it was read back
            elif not _is_same(source, target, entry, there):
                copy(entry)
    for entry, there in _beside(source, target):
        if entry is None or there is None or _differ(entry, there):
            name = (entry or there or _NONE).name
            raise Unavailable(f"{target} has not the files of {source}: {name} is another")
    return done


def place(tree: FolderTree, data_dir: Path, now_us: int) -> None:
    """Give what was staged its place; files that were left there go aside."""
    folder = data_dir / "files"
    if next(FolderTree(folder).entries(), None) is not None:
        set_aside(folder, "before", now_us)
    elif folder.exists():
        shutil.rmtree(folder)
    tree.root.rename(folder)
    sync_folder(data_dir)


def set_aside(folder: Path, why: str, now_us: int) -> Path:
    """Give a folder of files that nobody uses any more another name."""
    moment = datetime.fromtimestamp(now_us / 1e6, UTC)
    aside = folder.with_name(f"{folder.name}.{why}-{moment:%Y%m%dT%H%M%S}")
    folder.rename(aside)
    sync_folder(folder.parent)
    return aside


def unmark(target: Tree) -> None:
    """Say that *target* is whole."""
    if isinstance(target, BucketTree):
        target.bucket.delete_now([MARK])


_NONE: Final = Entry(name="?", size_bytes=0, modified_s=0.0)


def _differ(entry: Entry, there: Entry) -> bool:
    return entry.size_bytes != there.size_bytes


def _is_same(source: Tree, target: Tree, entry: Entry, there: Entry | None) -> bool:
    if there is None or _differ(entry, there):
        return False
    try:
        return hash_of(source, entry.name) == hash_of(target, entry.name)
    except NotFound:
        return False


def _beside(source: Tree, target: Tree) -> Iterator[tuple[Entry | None, Entry | None]]:
    """Yield the files of both, by name; None in the place of one that is in the other only."""
    ours, theirs = source.entries(), target.entries()
    one, other = next(ours, None), next(theirs, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one.name < other.name):
            yield one, None
            one = next(ours, None)
        elif one is None or other.name < one.name:
            yield None, other
            other = next(theirs, None)
        else:
            yield one, other
            one, other = next(ours, None), next(theirs, None)


class _Copy:
    """Copies files, small ones several at a time."""

    def __init__(
        self, done: Moved, source: Tree, target: Tree, say: Say, pool: ThreadPoolExecutor
    ) -> None:
        self._done = done
        self._source = source
        self._target = target
        self._say = say
        self._pool = pool
        self._waiting: deque[Future[int | None]] = deque()

    def __call__(self, entry: Entry) -> None:
        if entry.size_bytes > _SMALL_BYTES:
            self._count(self._copied(entry))
            return
        if len(self._waiting) >= 2 * _AT_ONCE:
            self._count(self._waiting.popleft().result())
        self._waiting.append(self._pool.submit(self._copied, entry))

    def finish(self) -> None:
        while self._waiting:
            self._count(self._waiting.popleft().result())

    def _copied(self, entry: Entry) -> int | None:
        try:
            copied(self._source, self._target, entry.name)
        except NotFound:
            return None  # it was deleted meanwhile
        return entry.size_bytes

    def _count(self, size: int | None) -> None:
        if size is None:
            self._done.gone += 1
            return
        self._done.files += 1
        self._done.bytes += size
        self._say(f"copying files: {self._done.files:,}, {self._done.bytes / 1e6:,.0f} MB")


@contextmanager
def _pool(done: Moved, source: Tree, target: Tree, say: Say) -> Iterator[_Copy]:
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="files") as pool:
        copy = _Copy(done, source, target, say, pool)
        try:
            yield copy
            copy.finish()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
