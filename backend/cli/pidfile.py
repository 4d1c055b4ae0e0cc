"""
`~/.config/agpt/running.tmp`: the pid of the background server, in decimal and nothing else.

Its birth lies beside it in `running.started`: a pid alone may have been given to another program,
and that one must never be touched.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from backend.core.errors import CannotStart
from backend.util.identity import Identity, identify


class Owner(StrEnum):
    """Whose the pid in the file is now."""

    NOBODY = "nobody"  #: no file, no readable pid, or no such process
    OURS = "ours"
    STRANGER = "stranger"  #: another program got the pid
    UNKNOWN = "unknown"  #: somebody has it, and nothing says who


def get_pid_path() -> Path:
    """Return where the pid is kept."""
    return Path.home() / ".config" / "agpt" / "running.tmp"


def get_pid() -> int | None:
    """Return the pid in the file; None if the file is missing or unreadable."""
    try:
        text = get_pid_path().read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    pid = int(text) if text.isdecimal() and len(text) <= len(str(2**31)) else 0
    return pid or None


def write_pid(pid: int) -> None:
    """Write *pid*, and the birth of the process that has it."""
    path = get_pid_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    identity = identify(pid)
    if identity is None:
        _started_path().unlink(missing_ok=True)
    else:
        _replace(_started_path(), identity.birth)
    # Last: a reader that sees the pid must find its birth.
    _replace(path, str(pid))


def remove_pid() -> None:
    """Remove both files. Twice is harmless."""
    get_pid_path().unlink(missing_ok=True)
    _started_path().unlink(missing_ok=True)


def owner_of_pid() -> tuple[Owner, Identity | None]:
    """Say whose the pid in the file is now, and who that is."""
    pid = get_pid()
    present = None if pid is None else identify(pid)
    if present is None:
        return Owner.NOBODY, None
    try:
        birth = _started_path().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return Owner.UNKNOWN, present
    return (Owner.OURS if birth == present.birth else Owner.STRANGER), present


@contextmanager
def starting_alone() -> Iterator[None]:
    """Keep a second `agpt start` of the same user out. Raises CannotStart if one is at work."""
    path = get_pid_path().with_name("running.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise CannotStart(f"{path} cannot be written: {exc.strerror}.") from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as exc:
        raise CannotStart("Another `agpt start` is at work.") from exc
    finally:
        os.close(descriptor)


def _started_path() -> Path:
    return get_pid_path().with_name("running.started")


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
