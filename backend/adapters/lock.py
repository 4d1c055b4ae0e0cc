"""The kernel's word that there is one executor per data directory (design decision 5)."""

import asyncio
import fcntl
import os
import time
from pathlib import Path
from typing import Final, Self

from backend.core.errors import CannotStart

#: An executor that was killed holds its lock until the kernel has cleaned up after it.
_WAIT_S: Final = 5.0


class ExecutorLock:
    """Held until released, or until the process is gone, however it goes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    async def take(cls, path: Path) -> Self:
        """
        Take the lock.

        Raises:
            CannotStart: If another executor holds it; says which.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        limit = time.monotonic() + _WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                if time.monotonic() < limit:
                    await asyncio.sleep(0.02)
                    continue
                holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
                os.close(descriptor)
                raise CannotStart(
                    f"the data directory {path.parent} is in use by pid {holder or 'unknown'}"
                ) from exc
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return cls(descriptor)

    def release(self) -> None:
        """Let go; twice is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
