"""What lies in a data directory beside the rows, and which of it belongs to them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from backend.adapters.files.draft import DRAFT
from backend.adapters.files.trees import SCRATCH, BucketTree, read_ahead
from backend.adapters.moving.archive import Writer
from backend.core.errors import NotFound

#: Files of users and runs, with large values of rows.
FILES: Final = "files"
#: Those; letters that were written; what was dropped for agents. Not: sockets, locks, logs, the
#: settings, what the doctor has set aside.
FOLDERS: Final = (FILES, "outbox", "drop")
KEYS: Final = "keys"


class FileCopier:
    """Copies the files of an installation into an archive, each once however often it is asked."""

    def __init__(
        self, data_dir: Path, writer: Writer, bucket: BucketTree | None, *, in_bucket: bool
    ) -> None:
        """
        Copy into *writer*.

        Args:
            in_bucket: Files of users and runs lie in a bucket: in *bucket*, if they are wanted.
        """
        self._data_dir = data_dir
        self._in_bucket = in_bucket
        self._bucket = bucket
        self._writer = writer
        #: What was copied, by the hashes of the names: names would take ten times the room.
        self._copied: set[int] = set()
        #: Files with several names, by device and inode: the name under which they are in.
        self._linked: dict[tuple[int, int], str] = {}

    def copy(self) -> Iterator[int]:
        """Copy what was not copied yet; yields how many files there are in the archive by then."""
        for place in files_in(self._data_dir, in_bucket=self._in_bucket):
            name = place.relative_to(self._data_dir).as_posix()
            if hash(name) in self._copied or not _is_text(name):
                continue
            if self._copy_one(place, name):
                self._copied.add(hash(name))
                yield len(self._copied)
        yield from self._copy_bucket()

    def _copy_bucket(self) -> Iterator[int]:
        bucket = self._bucket
        if bucket is None:
            return
        wanted = (
            entry for entry in bucket.entries() if hash(f"{FILES}/{entry.name}") not in self._copied
        )
        for entry, opened in read_ahead(bucket, wanted):
            name = f"{FILES}/{entry.name}"
            try:
                with opened() as (size, content):
                    self._writer.file(name, content, size)
            except NotFound:
                continue  # it was deleted since: so was what belongs to it
            self._copied.add(hash(name))
            yield len(self._copied)

    def _copy_one(self, place: Path, name: str) -> bool:
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return False  # it was deleted since: so was what belongs to it
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            inode = (found.st_dev, found.st_ino)
            if inode in self._linked:
                self._writer.link(name, self._linked[inode])
                return True
            self._writer.file(name, file, found.st_size)
            if found.st_nlink > 1:
                self._linked[inode] = name
        return True


def files_in(data_dir: Path, *, in_bucket: bool = False) -> Iterator[Path]:
    """
    Yield the files of *data_dir* that belong to its rows.

    Args:
        in_bucket: Those of users and runs lie elsewhere; what is in their folder is on its way.
    """
    for top in FOLDERS:
        if not (in_bucket and top == FILES):
            yield from _below(data_dir / top)


def _below(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith(SCRATCH):
                yield from _below(folder / entry.name)
        elif entry.is_file(follow_symlinks=False) and not entry.name.endswith(DRAFT):
            yield folder / entry.name


def _is_text(name: str) -> bool:
    """Say whether *name* can be written down; one that cannot is none of ours."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
