"""What bubblewrap is told: which folders are there, for reading only, and what is taken away."""

import json
import math
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from backend.core.errors import Unavailable
from backend.ports.sandbox import SandboxLimits

_INSIDE: Final = "/run/inside.py"
#: Root may be anybody: numbers that no account has, so that each sandbox is a user of its own, and
#: the kernel's limit on processes counts those of one sandbox only.
_FIRST_USER: Final = 1_879_048_192
_USERS: Final = 65_536
_MOST_FILES: Final = 256


def found() -> str:
    """Return where bubblewrap is. Raises Unavailable."""
    place = shutil.which("bwrap")
    if place is None:
        raise Unavailable("bubblewrap (the program bwrap) is not installed")
    return place


def user_of(number: int) -> int:
    """Return who runs the code of the *number*-th sandbox; 0: who runs this."""
    return _FIRST_USER + number % _USERS if os.geteuid() == 0 else 0


def command(
    limits: SandboxLimits, *, channel: int, seccomp: int | None, life_s: float, user: int
) -> list[str]:
    """
    Return how a sandbox is started.

    Args:
        channel: The descriptor of the socket to the program inside.
        seccomp: The one of the filter of system calls.
        life_s: Seconds of processor time that one process may take.
        user: See `user_of`.
    """
    python, folders = _python()
    told = {
        "channel": channel,
        "user": user,
        "limits": {
            "RLIMIT_CORE": 0,
            "RLIMIT_CPU": math.ceil(life_s) + 1,
            # What a process could write to; RLIMIT_AS would count what is only reserved, too.
            "RLIMIT_DATA": limits.memory_bytes,
            "RLIMIT_FSIZE": limits.disk_bytes,
            "RLIMIT_NOFILE": _MOST_FILES,
            "RLIMIT_NPROC": limits.processes,
            "RLIMIT_MEMLOCK": 0,
            "RLIMIT_MSGQUEUE": 0,
        },
    }
    own = [] if user else ["--unshare-user", "--uid", "1000", "--gid", "1000"]
    filtered = [] if seccomp is None else ["--seccomp", str(seccomp)]
    return [
        found(),
        *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
        *("--unshare-cgroup-try", *own, "--hostname", "sandbox"),
        *("--die-with-parent", "--new-session", "--clearenv", *filtered),
        *folders,
        *("--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"),
        *("--ro-bind", str(Path(__file__).with_name("inside.py")), _INSIDE),
        *("--perms", "1777", "--size", str(limits.disk_bytes), "--tmpfs", "/tmp"),  # noqa: S108 - of the sandbox
        *("--remount-ro", "/", "--chdir", "/tmp"),  # noqa: S108 - of the sandbox
        *("--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME", "/tmp"),  # noqa: S108 - of the sandbox
        *("--setenv", "LANG", "C.UTF-8", "--setenv", "PYTHONDONTWRITEBYTECODE", "1"),
        *("--setenv", "LD_LIBRARY_PATH", f"{Path(python).parent.parent}/lib"),
        *(python, "-I", _INSIDE, json.dumps(told)),
    ]


def _python() -> tuple[str, list[str]]:
    """Return where Python is inside, and what must be there for it and for the shell."""
    prefix = Path(sys.base_prefix)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    # Folders that bubblewrap makes by itself are for root only.
    folders = [*_open("/usr", "/usr/share", "/etc", "/run", "/python")]
    folders += _read_only(Path("/usr"), Path("/usr"), "bin", "lib", "lib32", "lib64")
    folders += _optional("/usr/share/zoneinfo", "/etc/alternatives", "/etc/ld.so.cache")
    for place in ("/bin", "/lib", "/lib32", "/lib64"):
        if Path(place).is_symlink():
            folders += ["--symlink", str(Path(place).readlink()), place]
        else:
            folders += _optional(place)
    if prefix == Path("/usr"):
        return f"/usr/bin/{name}", folders
    # Its own prefix may lie in a folder that nobody else may enter; here it lies in the open.
    folders += _read_only(prefix, Path("/python"), "bin", "lib")
    return f"/python/bin/{name}", folders


def _open(*places: str) -> Iterator[str]:
    for place in places:
        yield from ("--perms", "0755", "--dir", place)


def _read_only(there: Path, here: Path, *names: str) -> Iterator[str]:
    for name in names:
        yield from ("--ro-bind-try", str(there / name), str(here / name))


def _optional(*places: str) -> list[str]:
    return [word for place in places for word in ("--ro-bind-try", place, place)]
