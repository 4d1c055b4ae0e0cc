"""Which process is it? A pid is reused; a pid with its time of birth is not."""

import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_POLL_S = 0.02
_STATE, _THREADS, _START_TICKS = 0, 17, 19  # places after the name in /proc/<pid>/stat


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One process, for ever: no other one compares equal to it."""

    pid: int
    birth: str  #: opaque; equal for the same process only


def identify(pid: int) -> Identity | None:
    """Return who has *pid* now, or None if nobody does. A zombie is nobody."""
    birth = _birth_on_linux(pid) if sys.platform == "linux" else _birth_elsewhere(pid)
    return None if birth is None else Identity(pid=pid, birth=birth)


def is_alive(identity: Identity) -> bool:
    """Tell whether exactly this process still runs."""
    return identify(identity.pid) == identity


def send_signal(identity: Identity, number: signal.Signals) -> bool:
    """Send a signal to exactly this process. False if it is gone."""
    if not is_alive(identity):
        return False
    with suppress(ProcessLookupError):
        os.kill(identity.pid, number)
        return True
    return False


def wait_until_gone(identities: Iterable[Identity], *, limit_s: float) -> list[Identity]:
    """
    Wait until all are dead, at most *limit_s*. Returns those that are not.

    They need not be our children, so nothing wakes us up when they end: this polls.
    """
    end = time.monotonic() + limit_s
    left = [identity for identity in identities if is_alive(identity)]
    while left and time.monotonic() < end:
        time.sleep(_POLL_S)
        left = [identity for identity in left if is_alive(identity)]
    return left


def kill_for_certain(identities: Iterable[Identity], *, limit_s: float) -> list[Identity]:
    """Kill all and wait for their end. Returns those that the kernel still has after *limit_s*."""
    doomed = list(identities)
    for identity in doomed:
        send_signal(identity, signal.SIGKILL)
    return wait_until_gone(doomed, limit_s=limit_s)


def _birth_on_linux(pid: int) -> str | None:
    # Ticks since boot, not psutil's create_time: that one adds the boot time, which moves when
    # the clock is set, and then our own process would look like a stranger.
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    # The first thread may be gone before the others: what they hold, a port above all, is held.
    if fields[_STATE] == "X" or (fields[_STATE] == "Z" and int(fields[_THREADS]) <= 1):
        return None
    return f"{_boot_id()}/{fields[_START_TICKS]}"


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def _birth_elsewhere(pid: int) -> str | None:
    import psutil  # noqa: PLC0415 -- 5 MB that the supervisor on Linux does without

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return repr(process.create_time())
    except psutil.Error:
        return None
