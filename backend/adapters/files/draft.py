"""A file being written: private until it is whole and on disk, then there at once under its name."""

import os
import secrets
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

#: A link that somebody laid in a file's place is not followed. Windows has no such flag.
NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)

DRAFT: Final = ".part"
FACTS: Final = ".json"
#: Ends the names of large values of rows, which lie beside the files of their run.
VALUE: Final = ".value"


class Draft:
    """
    One file under way. All methods block, and may be called from any thread.

    `discard` may overtake a call that waits for its thread, because that call's caller was
    cancelled; the call does nothing then.
    """

    def __init__(self, place: Path, *, durable: bool) -> None:
        """Take the *place* at which the file will lie."""
        self._place = place
        self._durable = durable
        self._lock = threading.Lock()
        self._part = place.with_name(f"{place.name}.{secrets.token_hex(8)}{DRAFT}")
        self._file: BinaryIO | None = None
        self._is_linked = False
        self._is_over = False

    def write(self, piece: bytes) -> None:
        """Add *piece*; the first makes the file."""
        with self._lock:
            if not self._is_over:
                self._opened().write(piece)

    def link(self, source: Path) -> bool:
        """
        Take the content of *source*, which nobody changes any more, without copying it.

        Returns:
            False where the file system cannot do that; nothing has happened then.
        """
        with self._lock:
            if self._is_over:
                return True
            try:
                os.link(source, self._part, follow_symlinks=False)
            except (OSError, NotImplementedError):
                return False
            self._is_linked = True
            return True

    def finish(self, facts: bytes) -> int | None:
        """Give the file its place, with *facts* beside it; return how large the one before was."""
        with self._lock:
            if self._is_over:
                return None
            if not self._is_linked:  # else it is on disk already
                self._close(self._opened())
            before = _size(self._place)
            self._part.replace(self._place)
            # Two names of one file: to give one the place of the other does nothing.
            self._part.unlink(missing_ok=True)
            self._is_over = True
            # The facts come last: a file is there when they are.
            beside = self._place.with_name(self._place.name + FACTS)
            part = beside.with_name(f"{beside.name}.{secrets.token_hex(8)}{DRAFT}")
            with _created(part) as file:
                file.write(facts)
                self._close(file)
            part.replace(beside)
            if self._durable:
                sync_folder(self._place.parent)
            return before

    def discard(self) -> None:
        """Remove what was written; after `finish` it does nothing."""
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
            file = self._file
            if file is not None:
                with suppress(OSError):  # a full disk may refuse the last bytes: they go anyway
                    file.close()
            if file is not None or self._is_linked:
                self._part.unlink(missing_ok=True)

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self._file = _created(self._part)
        return self._file

    def _close(self, file: BinaryIO) -> None:
        file.flush()
        if self._durable:
            os.fsync(file.fileno())
        file.close()


def sync_folder(folder: Path) -> None:
    """Put the names in *folder* on disk."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _created(path: Path) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINKS | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def _size(path: Path) -> int | None:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return None
