"""So much of a core for one process alone: what several have that share a machine's cores.

Linux only, and only for who may make control groups (version 1 or 2): root, mostly.
"""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_ROOT: Final = Path("/sys/fs/cgroup")
#: Short, so that who has used its share up waits less than a step of the work that is measured.
_PERIOD_US: Final = 20_000
_numbers = itertools.count()


def can_limit() -> bool:
    """Say whether processes can be given a share here."""
    group = _parent() / f"agpt-bench-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        return False
    has_cpu = (group / "cpu.max").exists() or (group / "cpu.cfs_quota_us").exists()
    group.rmdir()
    return has_cpu


@contextmanager
def limited(pid: int, *, cores: float) -> Iterator[None]:
    """
    Let a process and what it starts have so much of a core, and no more.

    Raises:
        OSError: If that may not be said here.
    """
    group = _parent() / f"agpt-bench-{os.getpid()}-{next(_numbers)}"
    group.mkdir()
    try:
        quota_us = int(cores * _PERIOD_US)
        if (group / "cpu.max").exists():
            (group / "cpu.max").write_text(f"{quota_us} {_PERIOD_US}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota_us))
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        # What is in it goes back to where everybody is: a group with processes cannot be removed.
        for one in (group / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                (_parent() / "cgroup.procs").write_text(one)
        group.rmdir()


def _parent() -> Path:
    return _ROOT / "cpu" if (_ROOT / "cpu").is_dir() else _ROOT
