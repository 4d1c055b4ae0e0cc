"""Run a command and, when it has ended, end and report every process that it left behind.

A process that was detached from its parent is found too: on Linux this program adopts the orphans
of everything it has started. Needs nothing but the standard library, so that it runs before any
environment exists. Elsewhere it only runs the command.
"""

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

PR_SET_CHILD_SUBREAPER = 36
#: Time for processes that notice by themselves that their parent is gone.
GRACE_S = 5.0
EXIT_LEFT_BEHIND = 70
EXIT_TOO_LONG = 124


class Interrupted(Exception):
    """A signal asked this program to end. The number is the exit code."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


def main() -> int:
    """Run the command of the command line; its exit code, or one that says what was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit-s", type=int, default=0, help="end it after so many seconds")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    if not sys.platform.startswith("linux"):
        return subprocess.call(options.command)
    return run(options.command, limit_s=options.limit_s)


def run(command: list[str], *, limit_s: int = 0) -> int:
    """Run *command* to its end and leave nothing of it behind."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGALRM, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    signal.alarm(limit_s)
    child = subprocess.Popen(command)
    try:
        exit_code = _reap_until(child.pid)
        left = _still_there_after(GRACE_S)
    except Interrupted as interrupted:
        _say("the time is over" if interrupted.exit_code == EXIT_TOO_LONG else "interrupted")
        exit_code, left = interrupted.exit_code, {}
    finally:
        signal.alarm(0)
        _end_all()
    for pid, title in left.items():
        _say(f"left behind, and killed now: {pid} {title}")
    return EXIT_LEFT_BEHIND if left and exit_code == 0 else exit_code


def descendants() -> dict[int, str]:
    """All living processes below this one: their command lines by process id."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            parent = _parent_of(entry)
            if parent is not None:
                parents[int(entry.name)] = parent
    below = {os.getpid()}
    while new := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= new
    return {pid: _title_of(pid) for pid in sorted(below - {os.getpid()})}


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise Interrupted(EXIT_TOO_LONG if number == signal.SIGALRM else 128 + number)


def _reap_until(wanted: int) -> int:
    # Adopted orphans must be waited for as init would, or tests that look for them see zombies.
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == wanted:
            return os.waitstatus_to_exitcode(status) & 0xFF


def _still_there_after(grace_s: float) -> dict[int, str]:
    end = time.monotonic() + grace_s
    while True:
        _reap_ended()
        left = descendants()
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.05)


def _end_all() -> None:
    while left := descendants():
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        _reap_ended()
        time.sleep(0.02)


def _reap_ended() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _parent_of(entry: Path) -> int | None:
    try:
        # The name in parentheses may hold spaces and parentheses; what follows it does not.
        state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return None
    return None if state == "Z" else int(parent)


def _title_of(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return b" ".join(words).decode(errors="replace").strip()


def _say(text: str) -> None:
    sys.stderr.write(f"leave_nothing: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
