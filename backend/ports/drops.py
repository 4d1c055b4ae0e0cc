"""Folders into which people put files, so that agents get them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Protocol

from backend.core.ids import UserId


class Away(StrEnum):
    """Where a file goes that was looked at; a folder beside it."""

    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Dropped:
    """A file as it was when somebody looked; another inode, size or time is another file."""

    name: str
    inode: int
    size_bytes: int
    modified_ns: int  #: since the epoch

    @property
    def mark(self) -> str:
        """What tells it from others."""
        return f"{self.inode}:{self.size_bytes}:{self.modified_ns}"


class DropFolder(Protocol):
    """
    One folder of one user.

    Links, folders, and names that begin with a dot are not there. Every method raises Unavailable
    if the place cannot be read or written.
    """

    async def listed(self, *, most: int) -> list[Dropped]:
        """
        Return what lies there, oldest first. The folder is made if it is not there.

        Raises:
            BadRequest: If the place is none of ours: a link leads there.
            TooLarge: If there are more than *most*.
        """

    async def open(self, file: Dropped) -> BinaryIO:
        """
        Return the content; the caller closes it.

        Raises:
            NotFound: If it is not there any more, or has become another file.
        """

    async def is_still(self, file: Dropped) -> bool:
        """Say whether it lies there unchanged."""

    async def put_away(self, file: Dropped, where: Away) -> None:
        """Move it, under a name that is free; one that is gone or has changed is left."""


class Drops(Protocol):
    """All of them."""

    def of(self, user_id: UserId, folder: str) -> DropFolder:
        """Return a folder. Raises NotConfigured where there are none, BadRequest for such a user."""
