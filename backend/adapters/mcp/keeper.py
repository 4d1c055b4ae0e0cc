"""Keeps one tool server: starts it, watches it, and leaves nothing of it behind.

A program of its own, that imports nothing of ours: between the executor and the server, so that all
that the server has started ends with the executor, however that ends. Its standard streams are the
server's. By its socket, whose descriptor is its argument, it is told what to start, as a line of
JSON, and tells in one line how that ended; when the other side is closed, all is killed.
"""

import ctypes
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
#: Memory is looked at so often; the kernel bounds each process in between.
_LOOK_MS: Final = 200
_PAUSE_S: Final = 0.005
_LONGEST_LINE: Final = 4 * 1024 * 1024


def main() -> None:
    """Keep one server until it ends, or is over a limit, or nobody wants it any more."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    order = _line(control)
    if order is None:
        return
    if sys.platform.startswith("linux"):
        # What loses its parent becomes our child: a daemon of the server's cannot slip away.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        said = _kept(control, order)
    finally:
        _kill_all()
    if said is not None:
        with suppress(OSError):  # nobody may be there to hear it
            control.sendall(json.dumps(said).encode() + b"\n")


def _kept(control: socket.socket, order: dict[str, Any]) -> dict[str, Any] | None:
    """Return how it ended; None if nobody wants to know."""
    most: int = order["memory_bytes"]

    def limited() -> None:
        if sys.platform.startswith("linux"):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))

    try:
        child = subprocess.Popen(  # noqa: S603 - the administrator's own list; no shell
            order["command"],
            env=order["env"],
            cwd=order["folder"],
            start_new_session=True,
            preexec_fn=limited,  # noqa: PLW1509 - this process has one thread
        )
    except OSError as exc:
        return {"failed": exc.strerror or str(exc)}
    except subprocess.SubprocessError as exc:
        return {"failed": str(exc)}
    _let_go_of_streams()
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while not poll.poll(_LOOK_MS):
        code = _ended(child.pid)
        if code is not None:
            child.returncode = code
            return {"code": code}
        if _resident() > most:
            child.returncode = 0  # it is killed and waited for with all others
            return {"over": "memory"}
    child.returncode = 0
    return None


def _let_go_of_streams() -> None:
    """Leave the streams to the server: their other ends must see when it closes them."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    os.close(nothing)


def _ended(pid: int) -> int | None:
    """Wait for all that has ended; return the code of *pid* if that is among them."""
    code = None
    with suppress(ChildProcessError):
        while True:
            ended, status = os.waitpid(-1, os.WNOHANG)
            if ended == 0:
                break
            if ended == pid:
                code = os.waitstatus_to_exitcode(status)
    return code


def _kill_all() -> None:
    """Kill all that came from us, until there is nothing left."""
    while True:
        for pid in _descendants():
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            # One that was begun while we looked is seen the next time.
            time.sleep(_PAUSE_S)
            continue
        return


def _descendants() -> list[int]:
    """Return the processes that came from this one, children before their own."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        more = children.get(waiting.pop(), [])
        found += more
        waiting += more
    return found


def _parents() -> list[tuple[int, int]]:
    """Return all processes of this machine, each with its parent's. Of Linux alone we know them."""
    found: list[tuple[int, int]] = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            # The name, in parentheses, may hold anything: what counts stands after it.
            told = (place / "stat").read_text(errors="replace").rpartition(")")[2].split()
            found.append((int(place.name), int(told[1])))
    return found


def _resident() -> int:
    """Return the bytes of memory of all that came from us."""
    total = 0
    for pid in _descendants():
        with suppress(OSError, ValueError, IndexError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return total * resource.getpagesize()


def _line(control: socket.socket) -> Any:
    """Return what is told in one line; None at the end."""
    found = bytearray()
    while not found.endswith(b"\n"):
        piece = control.recv(64 * 1024)
        if not piece or len(found) > _LONGEST_LINE:
            return None
        found += piece
    return json.loads(found)


if __name__ == "__main__":
    main()
