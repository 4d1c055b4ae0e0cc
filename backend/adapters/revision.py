"""The revision of accounts: eight bytes of a file that all processes of this machine have mapped."""

import mmap
import os
from pathlib import Path
from typing import Final

from backend.core.errors import CannotStart

_BYTES: Final = 8


class FileRevision:
    """See backend.ports.accounts.Revision. Reading is a copy of eight bytes of memory, no call."""

    def __init__(self, path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(descriptor).st_size < _BYTES:
                    os.ftruncate(descriptor, _BYTES)
                self._memory = mmap.mmap(descriptor, _BYTES)
            finally:
                os.close(descriptor)
        except OSError as exc:
            raise CannotStart(f"{path} cannot be used: {exc.strerror}") from exc

    def current(self) -> bytes:
        return self._memory[:_BYTES]

    def change(self) -> None:
        # Drawn, not counted: two processes that change it at once must not come to the same number.
        self._memory[:_BYTES] = os.urandom(_BYTES)
