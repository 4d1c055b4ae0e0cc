"""Files of large values: `<folder>/<root run>/<SHA-256>.value`, beside the other files of a run.

A file is named by its content, so the same value is there once, and a second writing of it is
harmless. It is deleted with the folder of its run.
"""

import hashlib
import os
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from backend.adapters.files.draft import DRAFT, NO_LINKS, VALUE, sync_folder
from backend.core.errors import Unavailable, ValueLost

#: Beside the database: the files of runs, large values of rows among them.
FILES: Final = "files"
#: A run's id, as it may name a folder.
_RUN: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
#: Files known to be on disk, so that they are not flushed again.
_REMEMBERED: Final = 1_000


def digest_of(data: bytes) -> str:
    """Return the name of a value whose JSON text is *data*."""
    return hashlib.sha256(data).hexdigest()


class ValueStore(Protocol):
    """Where large values lie. All methods block, and may be called from any thread."""

    def write(self, files: Mapping[tuple[str, str], bytes]) -> None:
        """
        Write *files*, by root run and digest; there, with their names, when this returns.

        Raises:
            Unavailable: If they cannot be written; some of them may have been.
        """

    def read(self, root: str, digest: str, size_bytes: int) -> bytes:
        """
        Return the JSON text of a value.

        Raises:
            ValueLost: If it is not there as it was written.
            Unavailable: If that cannot be told now.
        """


class ValueFiles:
    """See `ValueStore`. The files of one installation, in a folder."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        """
        Use *folder*, made on first use.

        Args:
            durable: False for a folder that nobody will look into again.
        """
        self.folder = folder
        self._durable = durable
        self._lock = threading.Lock()
        self._on_disk: OrderedDict[tuple[str, str], None] = OrderedDict()

    def write(self, files: Mapping[tuple[str, str], bytes]) -> None:
        try:
            for root in {root: None for root, _ in files}:
                self._write_run(root, {key[1]: files[key] for key in files if key[0] == root})
        except OSError as exc:
            raise Unavailable(f"the folder of values cannot be written: {exc.strerror}") from exc

    def read(self, root: str, digest: str, size_bytes: int) -> bytes:
        try:
            data = self.place(root, digest).read_bytes()
        except OSError as exc:
            raise ValueLost(lost("is missing", digest, size_bytes)) from exc
        if digest_of(data) != digest:
            raise ValueLost(lost("is damaged", digest, size_bytes))
        return data

    def place(self, root: str, digest: str) -> Path:
        """Return where a value lies."""
        return self.folder / root / f"{digest}{VALUE}"

    def _write_run(self, root: str, values: Mapping[str, bytes]) -> None:
        if not _RUN.fullmatch(root):
            raise AssertionError(f"{root[:80]!r} can be no run")
        folder = self.folder / root
        if not folder.is_dir():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            if self._durable:
                sync_folder(self.folder)
        else:
            # Its row may not be there yet, nor for long: the sweep leaves alone what is fresh.
            os.utime(folder)
        # One that is there, but was not written by us, may be damaged, or not flushed: it is replaced.
        fresh = [digest for digest in values if not self._is_on_disk(root, digest)]
        for digest in fresh:
            self._write_one(self.place(root, digest), values[digest])
        if fresh and self._durable:
            sync_folder(folder)
        with self._lock:
            self._on_disk.update(((root, digest), None) for digest in fresh)
            while len(self._on_disk) > _REMEMBERED:
                self._on_disk.popitem(last=False)

    def _is_on_disk(self, root: str, digest: str) -> bool:
        # Looked for all the same: the folder may have been swept, and its run asked for again.
        return (root, digest) in self._on_disk and self.place(root, digest).is_file()

    def _write_one(self, place: Path, data: bytes) -> None:
        part = place.with_name(f"{place.name}.{secrets.token_hex(8)}{DRAFT}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINKS | getattr(os, "O_BINARY", 0)
        try:
            with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                if self._durable:
                    os.fsync(file.fileno())
            part.replace(place)
        except OSError:
            part.unlink(missing_ok=True)
            raise


def lost(what: str, digest: str, size_bytes: int) -> str:
    """Say what is wrong with a value."""
    return f"the file of a value of {size_bytes} bytes {what} (SHA-256 {digest})"
