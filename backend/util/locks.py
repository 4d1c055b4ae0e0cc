"""
Who uses a data directory: kernel locks, so that a crash of any kind gives them back.

Every server holds a shared lock on `server.lock` and an exclusive one per service it runs, so the
services of one directory may run under one supervisor or under several, but none of them twice.
Who needs the whole directory for itself (`agpt run --data-dir`) takes `server.lock` exclusively.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

from backend.core.errors import CannotStart

SERVER_LOCK: Final = "server.lock"


class HeldLock:
    """A lock of this process, until `release()` or its end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Give it back. Twice is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def share_data_dir(data_dir: Path) -> HeldLock:
    """Take part in *data_dir* as a server. Raises CannotStart if somebody has it alone."""
    return _take(data_dir, data_dir / SERVER_LOCK, fcntl.LOCK_SH)


def take_data_dir_alone(data_dir: Path) -> HeldLock:
    """Take *data_dir* for this process alone. Raises CannotStart if anybody uses it."""
    return _take(data_dir, data_dir / SERVER_LOCK, fcntl.LOCK_EX)


def take_service(data_dir: Path, service: str) -> HeldLock:
    """Take the right to run *service* on *data_dir*. Raises CannotStart if somebody runs it."""
    return _take(data_dir, data_dir / "run" / f"{service}.lock", fcntl.LOCK_EX)


def _take(data_dir: Path, path: Path, kind: int) -> HeldLock:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise CannotStart(f"{path} cannot be opened: {exc.strerror}.") from exc
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        raise CannotStart(
            f"The data directory {data_dir} is in use by {_holder(data_dir, path)}."
            " Stop that server, or choose another directory with AGPT_DATA_DIR."
        ) from exc
    if kind == fcntl.LOCK_EX:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return HeldLock(descriptor)


def _holder(data_dir: Path, path: Path) -> str:
    """Say who holds *path*; for a shared lock, who runs a service."""
    for candidate in (path, *sorted((data_dir / "run").glob("*.lock"))):
        if candidate.name != SERVER_LOCK and not _is_held(candidate):
            continue
        text = candidate.read_text(encoding="ascii", errors="replace").strip()
        if text.isdecimal():
            return f"pid {text}"
    return "another process"


def _is_held(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
