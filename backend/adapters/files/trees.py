"""All files of users and runs, in a folder or in a bucket, by the same names: for what copies them whole.

A tree has files `<folder>/<name>`; what else lies there (drafts, folders of blocks at work, marks)
is not in it. Nothing here holds a long file in memory.
"""

import hashlib
import os
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, TypeAlias

from backend.adapters.files.draft import DRAFT, NO_LINKS, sync_folder
from backend.core.errors import AgentServerError, NotFound, Unavailable

if TYPE_CHECKING:
    from backend.adapters.files.bucket import Bucket

#: Files of a run under way that are gone when the run is.
SCRATCH: Final = "scratch-"
_PIECE: Final = 1024 * 1024
#: What is read ahead.
_SHORT_BYTES: Final = 1024 * 1024
_AHEAD_THREADS: Final = 8
_AHEAD_MOST: Final = 16
#: What is longer goes up in parts.
_AT_ONCE_BYTES: Final = 5 * 1024 * 1024


class Readable(Protocol):
    """What a file is read from, once."""

    def read(self, size: int, /) -> bytes:
        """Return at most *size* bytes; none at the end."""


#: What opens a file.
Opening: TypeAlias = Callable[[], AbstractContextManager[tuple[int, Readable]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One file. *modified_s* since the epoch, by the clock of who keeps it."""

    name: str
    size_bytes: int
    modified_s: float


class Tree(Protocol):
    """
    Where files lie. A file is there whole, or not there. All methods block.

    Each raises Unavailable when it cannot be used; those that read one file NotFound if there is none.
    """

    def entries(self) -> Iterator[Entry]:
        """Yield all files, by name: the same order for each kind of tree."""

    def find(self, name: str) -> Entry:
        """Return one file."""

    def opened(self, name: str) -> AbstractContextManager[tuple[int, Readable]]:
        """Give the length of a file, and what it is read from: that much, or Unavailable."""

    def put(self, name: str, source: Readable, size: int) -> None:
        """Give a file its content, of *size* bytes, in place of what it had; on disk afterwards."""

    def delete(self, name: str) -> None:
        """Delete a file; one that is not there is left out."""


class FolderTree:
    """See `Tree`. The folder `files` of a data directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def entries(self) -> Iterator[Entry]:
        yield from self._below(self.root, "")

    def _below(self, folder: Path, before: str) -> Iterator[Entry]:
        for name, one in sorted(_named(folder), key=lambda pair: pair[0]):
            if name.endswith("/"):
                yield from self._below(folder / one.name, before + name)
            elif before:  # at the top there are none
                with suppress(FileNotFoundError):
                    yield _entry(before + name, one.stat(follow_symlinks=False))

    def find(self, name: str) -> Entry:
        try:
            return _entry(name, (self.root / name).lstat())
        except OSError as exc:
            raise NotFound(f"There is no file {name}.") from exc

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[int, Readable]]:
        try:
            descriptor = os.open(self.root / name, os.O_RDONLY | NO_LINKS)
        except FileNotFoundError as exc:
            raise NotFound(f"There is no file {name}.") from exc
        with os.fdopen(descriptor, "rb") as file:
            yield os.fstat(descriptor).st_size, file

    def put(self, name: str, source: Readable, size: int) -> None:
        place = self.root / name
        # One by one: those between would be open to others.
        for folder in reversed(place.relative_to(self.root).parents):
            (self.root / folder).mkdir(mode=0o700, exist_ok=True, parents=folder == Path())
        written(place, source, size)

    def delete(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)


class BucketTree:
    """See `Tree`. The objects of a bucket; those at its top are marks."""

    def __init__(self, bucket: "Bucket") -> None:
        self.bucket = bucket

    def __str__(self) -> str:
        return str(self.bucket)

    def entries(self) -> Iterator[Entry]:
        for one in self.bucket.listed_now():
            folder, _, name = one.name.partition("/")
            # What nobody of ours has named so could not be put into a folder.
            if (
                name
                and name not in (".", "..")
                and "/" not in name
                and folder not in ("", ".", "..")
            ):
                yield Entry(name=one.name, size_bytes=one.size_bytes, modified_s=one.modified_s)

    def find(self, name: str) -> Entry:
        one = self.bucket.find_now(name)
        return Entry(name=name, size_bytes=one.size_bytes, modified_s=one.modified_s)

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[int, Readable]]:
        with closing(self.bucket.opened_now(name)) as opened:
            yield opened.size_bytes, opened

    def put(self, name: str, source: Readable, size: int) -> None:
        pieces = _Pieces(source, size)
        if size <= _AT_ONCE_BYTES:
            self.bucket.put_now(name, b"".join(pieces))
            return
        try:
            self.bucket.put_now(name, pieces)
        except (AgentServerError, OSError) as exc:
            # The client has a word of its own for what its source says.
            if pieces.problem is not None:
                raise pieces.problem from exc
            raise

    def delete(self, name: str) -> None:
        self.bucket.delete_now([name])


class Hashed:
    """A file that is hashed while it is read."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._hash = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        """Return at most *size* bytes; none at the end."""
        data = self._source.read(size)
        self._hash.update(data)
        return data

    @cached_property
    def hex(self) -> str:
        """The SHA-256 of what was read."""
        return self._hash.hexdigest()


def hash_of(tree: Tree, name: str) -> str:
    """Return the SHA-256 of a file, read from its beginning to its end. Raises NotFound."""
    with tree.opened(name) as (_, source):
        hashed = Hashed(source)
        while hashed.read(_PIECE):
            pass
        return hashed.hex


def read_ahead(tree: Tree, entries: Iterable[Entry]) -> Iterator[tuple[Entry, Opening]]:
    """
    Yield *entries*, in their order, each with what opens it; as `Tree.opened` does.

    Short files are read before they are asked for, several at once: most of the time of a store in
    the network is the way there. At most `_AHEAD_MOST` of `_SHORT_BYTES` are held.
    """
    waiting: deque[tuple[Entry, Opening]] = deque()
    with ThreadPoolExecutor(_AHEAD_THREADS, thread_name_prefix="read-ahead") as pool:
        try:
            for entry in entries:
                opening: Opening = partial(tree.opened, entry.name)
                if entry.size_bytes <= _SHORT_BYTES:
                    opening = partial(_ready, opening, pool.submit(_short, tree, entry.name))
                waiting.append((entry, opening))
                if len(waiting) >= _AHEAD_MOST:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _ready(opening: Opening, reading: "Future[bytes | None]") -> Iterator[tuple[int, Readable]]:
    content = reading.result()
    if content is not None:
        yield len(content), BytesIO(content)
        return
    with opening() as opened:
        yield opened


def _short(tree: Tree, name: str) -> bytes | None:
    """Return a file that is as short as it was said to be; else None."""
    with tree.opened(name) as (size, source):
        return b"".join(_Pieces(source, size)) if size <= _SHORT_BYTES else None


def copied(source: Tree, target: Tree, name: str) -> None:
    """
    Copy a file, and read it back.

    Raises:
        NotFound: If it is not in *source*.
        Unavailable: If what is in *target* is not what was read.
    """
    with source.opened(name) as (size, file):
        hashed = Hashed(file)
        target.put(name, hashed, size)
        require_hash(target, name, hashed.hex)


def require_hash(tree: Tree, name: str, digest: str) -> None:
    """Raise Unavailable if a file that was written has not the SHA-256 *digest*."""
    try:
        found = hash_of(tree, name)
    except NotFound:
        found = "none"
    if found != digest:
        raise Unavailable(f"{tree} does not give back what was written: {name}")


def written(place: Path, source: Readable, size: int) -> None:
    """Write a file of *size* bytes, whole or not at all, for its owner alone; on disk afterwards."""
    part = place.with_name(f"{place.name}.{secrets.token_hex(8)}{DRAFT}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINKS
    try:
        with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
            _fill(file, _Pieces(source, size))
        part.replace(place)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(place.parent)


def _fill(file: BinaryIO, pieces: Iterator[bytes]) -> None:
    file.writelines(pieces)
    file.flush()
    os.fsync(file.fileno())


class _Pieces:
    """The content of a file, of a length that was told, piece by piece."""

    def __init__(self, source: Readable, size: int) -> None:
        self._read: Callable[[int], bytes] = source.read
        self._left = size
        #: What went wrong while it was read.
        self.problem: Exception | None = None

    def __iter__(self) -> "_Pieces":
        return self

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        try:
            piece = self._some()
        except (AgentServerError, OSError) as exc:
            self.problem = exc
            raise
        self._left -= len(piece)
        return piece

    def _some(self) -> bytes:
        piece = self._read(min(_PIECE, self._left))
        if not piece:
            raise Unavailable("a file is shorter than it was said to be: it changes")
        return piece


def _named(folder: Path) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    """Yield what counts in *folder*; the names of folders end with a slash, as those in them go on."""
    try:
        entries = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return  # it went meanwhile, with what was in it
    with entries:
        for one in entries:
            if one.is_dir(follow_symlinks=False):
                if not one.name.startswith(SCRATCH):
                    yield f"{one.name}/", one
            elif one.is_file(follow_symlinks=False) and _is_ours(one.name):
                yield one.name, one


def _entry(name: str, found: os.stat_result) -> Entry:
    # The later one: a file that was given a place has the time at which it was written.
    return Entry(
        name=name, size_bytes=found.st_size, modified_s=max(found.st_mtime, found.st_ctime)
    )


def _is_ours(name: str) -> bool:
    """Say whether *name* is no draft, and can be written down."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return not name.endswith(DRAFT)
