"""Files of runs: bytes under an id, each with an owner. Blocks reach them through `sdk/files.py`."""

import re
from collections.abc import AsyncIterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NewType, Protocol

from backend.core.ids import ExecutionId, UserId

FileId = NewType("FileId", str)

#: Before a file's id it makes the reference by which a file travels between blocks.
SCHEME: Final = "workspace://"
#: The pieces in which files are read and written.
PIECE_BYTES: Final = 256 * 1024

_MEGABYTE: Final = 1024 * 1024
_NO_NAME: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_NAME_CHARACTERS: Final = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class FileLimits:
    """How much may be stored. Each names the setting that moves it when it bites."""

    file_bytes: int = 100 * _MEGABYTE
    run_bytes: int = 1024 * _MEGABYTE
    run_files: int = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class NewFile:
    """
    A file about to be stored.

    Attributes:
        run_id: The run it belongs to, and with which it is deleted; None: to its owner alone.
        key: The same key in the same run is the same file, which makes storing idempotent; empty:
            a file of its own.
        expires_us: From then on it is not there any more; None: it stays.
    """

    run_id: ExecutionId | None
    name: str
    media_type: str = "application/octet-stream"
    key: str = ""
    expires_us: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFile:
    """
    A file that is on disk whole.

    Attributes:
        name: Only shown: nothing is found by it.
        expires: Whether it goes by itself; a run that needs it longer keeps a copy.
    """

    id: FileId
    name: str
    media_type: str
    size_bytes: int
    expires: bool = False

    @property
    def reference(self) -> str:
        """How blocks hand the file on."""
        return f"{SCHEME}{self.id}"


class UserFiles(Protocol):
    """What one user owns. Somebody else's id is answered like one that does not exist."""

    async def save(self, new: NewFile, content: AsyncIterable[bytes]) -> StoredFile:
        """
        Store *content* to its end; on disk when this returns, and nothing of it when it raises.

        A file of the same key is replaced. Holds one piece of *content* at a time.

        Raises:
            TooLarge: If the file, or all files of its run, would be over a limit.
            Unavailable: If the place cannot be written.
        """

    async def keep(self, file_id: FileId, new: NewFile) -> StoredFile:
        """
        Store the content of a file of this user once more, as *new*; see `save`.

        The two live and go apart, but may be one on the disk. Raises NotFound like `find`.
        """

    async def find(self, file_id: FileId) -> StoredFile:
        """Return a file. Raises NotFound if there is none, or it is not this user's."""

    async def own(self, *, most: int) -> list[StoredFile]:
        """Return this user's files that belong to no run, the newest first, *most* at most."""

    async def open(self, file_id: FileId) -> BinaryIO:
        """Return the content, seekable; the caller closes it. Raises NotFound like `find`."""


class Files(Protocol):
    """All of them."""

    limits: FileLimits

    def of(self, user_id: UserId) -> UserFiles:
        """Return what *user_id* owns."""

    def scratch(self) -> AbstractAsyncContextManager[Path]:
        """
        Give a private folder that goes with its context.

        What a crash leaves of it looks like the files of a run that is gone, and goes like those.
        Raises Unavailable if the place cannot be written.
        """

    async def delete_run(self, run_id: ExecutionId, *, untouched_s: float = 0.0) -> bool:
        """
        Delete all files of a run, unless it got some in the last *untouched_s*.

        Returns:
            Whether any were deleted. Twice is harmless.
        """

    async def delete_expired(self) -> int:
        """Delete the files whose time has passed, and what crashes left; return how many files."""

    async def runs(self, *, untouched_s: float) -> list[ExecutionId]:
        """Return all runs with files that got none in the last *untouched_s*, in any order."""


def shown_name(name: str) -> str:
    """Return *name* as it may be shown and saved: no path, nothing that a file system refuses."""
    return _NO_NAME.sub("_", name).strip()[:_NAME_CHARACTERS] or "file"
