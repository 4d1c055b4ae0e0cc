"""Puts the files of an archive into a bucket, and reads back what was put there."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from typing import Final, Self

from backend.adapters.files.trees import BucketTree, Hashed, Readable, hash_of, require_hash
from backend.core.errors import Conflict, NotFound

#: Lies at the top of the bucket while its files are put there: they may be of that restore.
MARK: Final = "restoring"
#: So small files wait in memory, a few of them.
_SMALL_BYTES: Final = 1024 * 1024
_AT_ONCE: Final = 8


class BucketFiller:
    """
    Fills a bucket. Overwrites nothing: where rows are replaced, files with their names must be theirs.

    Use it in a `with`. Files that are there when it breaks off belong to no row; they go with the
    next sweep, or are taken for what they are by the next restore.
    """

    def __init__(self, tree: BucketTree, *, merges: bool) -> None:
        """
        Fill *tree*.

        Args:
            merges: There may be files already. Otherwise there is none, or a mark.
        """
        self._tree = tree
        self._merges = merges
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fill")
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        if not self._merges:
            self._tree.bucket.put_now(MARK, b"")
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def file(self, name: str, source: Readable, size: int) -> None:
        """
        Put a file of *size* bytes there; a small one may only be there after `finish`.

        Raises:
            Conflict: If another one has its name.
        """
        if size > _SMALL_BYTES:
            self._put(name, source, size)
            return
        content = bytearray()
        while piece := source.read(size + 1 - len(content)):
            content += piece
        if len(self._waiting) >= 2 * _AT_ONCE:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(self._put, name, BytesIO(content), len(content)))

    def link(self, name: str, to: str) -> None:
        """Put a file there that is the same as the one at *to*."""
        self.finish()
        with self._tree.opened(to) as (size, source):
            self._put(name, source, size)

    def finish(self) -> None:
        """Wait until all of them are there."""
        while self._waiting:
            self._waiting.popleft().result()

    def unmark(self) -> None:
        """Say that what is there is whole, and has its rows."""
        if not self._merges:
            self._tree.bucket.delete_now([MARK])

    def _put(self, name: str, source: Readable, size: int) -> None:
        hashed = Hashed(source)
        if self._merges:
            try:
                found = hash_of(self._tree, name)
            except NotFound:
                pass
            else:
                while hashed.read(_SMALL_BYTES):
                    pass
                if hashed.hex != found:
                    raise Conflict(
                        f"{self._tree} has another {name}, and nothing there is overwritten: set"
                        " FILES_URL to another prefix."
                    )
                return
        self._tree.put(name, hashed, size)
        require_hash(self._tree, name, hashed.hex)
