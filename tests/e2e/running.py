"""A server of the tests as a process: what it says, who belongs to it, how it ends."""

import itertools
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from backend.util.identity import Identity, identify, wait_until_gone

ROOT = Path(__file__).parents[2]
LIMIT_S = 30.0


#: Below what the system gives to those who do not choose, so that no connection takes one between
#: the look and the use; each process of tests has ports of its own.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PORTS = itertools.cycle(range(12_000 + _WORKER * 2_000, 14_000 + _WORKER * 2_000))


def free_port() -> int:
    """Return a port that nobody has, and that no other test of this run is given."""
    while True:
        port = next(_PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def free_ports(names: Iterable[str]) -> dict[str, str]:
    """Return a free port for each of *names*, no two the same."""
    return {name: str(free_port()) for name in names}


def ask(port: int) -> str:
    """Connect and return the one word that a fake service answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as client:
        return client.makefile().read()


def family_of(pid: int) -> list[Identity]:
    """Return a process and all below it."""
    process = psutil.Process(pid)
    pids = [pid, *(child.pid for child in process.children(recursive=True))]
    return [found for found in map(identify, pids) if found is not None]


class Running:
    """A program whose lines can be waited for. `finish()` or `kill_all()` ends it."""

    def __init__(self, *arguments: str, environment: dict[str, str], inside: str = "") -> None:
        """Start it; *inside* is the network namespace that it is in, if that is another one."""
        there = ["ip", "netns", "exec", inside] if inside else []
        self.process = subprocess.Popen(
            [*there, sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.family: set[Identity] = set()
        self.lines: list[str] = []
        self._news: queue.Queue[str | None] = queue.Queue()
        self._errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read_lines, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_for(self, *beginnings: str, limit_s: float = LIMIT_S) -> list[str]:
        """Wait until new lines begin with each of *beginnings*, in any order; returns them."""
        wanted = list(beginnings)
        found: dict[str, str] = {}
        end = time.monotonic() + limit_s
        while wanted:
            line = self._news.get(timeout=max(0.01, end - time.monotonic()))
            assert line is not None, f"ended without {wanted}: {self.lines} {self._errors}"
            for beginning in wanted:
                if line.startswith(beginning):
                    found[beginning] = line
                    wanted.remove(beginning)
                    break
        if psutil.pid_exists(self.pid):
            self.family.update(family_of(self.pid))
        return [found[beginning] for beginning in beginnings]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def finish(self, limit_s: float = LIMIT_S) -> tuple[int, str]:
        """Wait for the end; returns the exit code and all that was written as error."""
        code = self.process.wait(limit_s)
        for reader in self._readers:
            reader.join(limit_s)
        return code, "".join(self._errors)

    def kill_all(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.family.update(family_of(self.pid))
            self.process.kill()
        for identity in self.family:
            if identify(identity.pid) == identity:
                with suppress(ProcessLookupError):  # it may have ended since it was looked at
                    os.kill(identity.pid, signal.SIGKILL)
        wait_until_gone(self.family, limit_s=5)
        self.finish()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _read_lines(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            self._news.put(line.rstrip())
        self._news.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self._errors.extend(self.process.stderr)
