"""Folders below `<root>/<user id>/`, reached step by step: no link is ever followed."""

import asyncio
import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from backend.core.errors import BadRequest, NotConfigured, NotFound, TooLarge, Unavailable
from backend.core.ids import UserId
from backend.ports.drops import Away, Dropped

T = TypeVar("T")

_USER: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}")
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Not blocking: a pipe that nobody writes to would hold a thread for ever.
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
#: Others of the machine's users may put files into it if the operator lets them into the root.
_MODE: Final = 0o770
_NAMES_TRIED: Final = 1_000
_FOREIGN: Final = frozenset({errno.ELOOP, errno.ENOTDIR})


class FolderDrops:
    """See backend.ports.drops.Drops."""

    def __init__(self, root: Path | None) -> None:
        """Use the folder *root*, made on first use; None: there are no such folders here."""
        self._root = root

    def of(self, user_id: UserId, folder: str) -> "FolderDrop":
        if self._root is None:
            raise NotConfigured("no folders are watched here: an operator can set FILE_DROP=true")
        if not _USER.fullmatch(user_id):
            raise BadRequest("a user of this id can have no drop folder")
        if not _NAME.fullmatch(folder) or folder in tuple(Away):
            raise BadRequest(f"{folder[:60]!r} cannot be the name of a drop folder")
        return FolderDrop(self._root, user_id, folder)


class FolderDrop:
    """See backend.ports.drops.DropFolder."""

    def __init__(self, root: Path, user_id: str, folder: str) -> None:
        self._root = root
        self._steps = (user_id, folder)

    async def listed(self, *, most: int) -> list[Dropped]:
        return await self._in_thread(lambda place: _listed(place, most))

    async def open(self, file: Dropped) -> BinaryIO:
        return await self._in_thread(lambda place: _opened(place, file))

    async def is_still(self, file: Dropped) -> bool:
        return await self._in_thread(lambda place: _at(place, file.name) == file)

    async def put_away(self, file: Dropped, where: Away) -> None:
        await self._in_thread(lambda place: _put_away(place, file, where))

    async def _in_thread(self, work: Callable[[int], T]) -> T:
        def inside() -> T:
            try:
                self._root.mkdir(mode=_MODE, parents=True, exist_ok=True)
                with _folder(self._root, *self._steps) as place:
                    return work(place)
            except OSError as exc:
                raise Unavailable(f"the drop folder cannot be used: {exc.strerror}") from exc

        return await asyncio.to_thread(inside)


@contextmanager
def _folder(root: Path | int, *steps: str) -> Iterator[int]:
    """Open the folder at the end of *steps*, each made if it is not there."""
    # The operator may have put the root itself behind a link.
    now = os.dup(root) if isinstance(root, int) else os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for step in steps:
            with suppress(FileExistsError):
                os.mkdir(step, _MODE, dir_fd=now)
            try:
                below = os.open(step, _FOLDER, dir_fd=now)
            except OSError as exc:
                if exc.errno in _FOREIGN:
                    raise BadRequest(
                        f"{step!r} is no folder of its own: links are refused"
                    ) from exc
                raise
            os.close(now)
            now = below
        yield now
    finally:
        os.close(now)


def _listed(place: int, most: int) -> list[Dropped]:
    found: list[Dropped] = []
    with os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not _is_text(entry.name):
                continue
            dropped = _at(place, entry.name)
            if dropped is None:
                continue
            found.append(dropped)
            if len(found) > most:
                raise TooLarge(
                    f"there are more than {most} files in the folder: let them be moved when they "
                    "are done (afterwards: move), or take some away"
                )
    return sorted(found, key=lambda file: (file.modified_ns, file.name))


def _is_text(name: str) -> bool:
    """Say whether *name* can be told to others: not all names of files are UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _at(place: int, name: str) -> Dropped | None:
    """Return the file of that name; None if there is none, or it is a link or no plain file."""
    try:
        facts = os.stat(name, dir_fd=place, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return _plain(name, facts)


def _plain(name: str, facts: os.stat_result) -> Dropped | None:
    # A second name of a file that lies elsewhere would show what its owner never put here.
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
        return None
    return Dropped(
        name=name,
        inode=facts.st_ino,
        size_bytes=facts.st_size,
        modified_ns=facts.st_mtime_ns,
    )


def _opened(place: int, file: Dropped) -> BinaryIO:
    gone = NotFound(f"the file {file.name[:100]!r} is gone, or has changed")
    try:
        handle = os.open(file.name, _READ, dir_fd=place)
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ELOOP):
            raise gone from exc
        raise
    if _plain(file.name, os.fstat(handle)) != file:
        os.close(handle)
        raise gone
    return os.fdopen(handle, "rb")


def _put_away(place: int, file: Dropped, where: Away) -> None:
    if _at(place, file.name) != file:
        return
    with _folder(place, where.value) as away:
        stem, dot, ending = file.name.rpartition(".")
        for number in range(_NAMES_TRIED):
            name = file.name
            if number:
                name = f"{stem}-{number}.{ending}" if dot and stem else f"{file.name}-{number}"
            if not _is_taken(away, name):
                # Only this server writes there, so nobody takes the name in between.
                os.rename(file.name, name, src_dir_fd=place, dst_dir_fd=away)
                return
        raise Unavailable(f"{_NAMES_TRIED} files in {where.value!r} have that name")


def _is_taken(away: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=away, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
