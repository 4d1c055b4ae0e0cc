"""A server of its own for each measurement: empty data directory, free ports, all six services."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from backend.selfcheck.processes import free_ports

PORTS = (
    "AGENT_API_PORT",
    "WEBSOCKET_SERVER_PORT",
    "EXECUTION_MANAGER_PORT",
    "EXECUTION_SCHEDULER_PORT",
    "DATABASE_API_PORT",
    "NOTIFICATION_SERVICE_PORT",
)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server. *ready_s* is what it needed from nothing to ready."""

    process: psutil.Process
    environment: dict[str, str]
    data_dir: Path
    port: int
    websocket_port: int
    token: str
    ready_s: float

    def processes(self) -> list[psutil.Process]:
        """Return the supervisor and all below it."""
        return [self.process, *self.process.children(recursive=True)]

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU time of each process so far, user and system, by its title."""
        figures: dict[str, float] = {}
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                figures[_title(process)] = times.user + times.system
        return figures

    def open_things(self) -> dict[str, tuple[int, int]]:
        """Return how many file handles and threads each process has, by its title."""
        figures: dict[str, tuple[int, int]] = {}
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                figures[_title(process)] = (process.num_fds(), process.num_threads())
        return figures

    def find(self, title: str) -> psutil.Process:
        """Return the process of that title."""
        return next(process for process in self.processes() if _title(process) == title)

    def memory(self) -> dict[str, float]:
        """Return the proportional memory (PSS) of each process in MB, and the sum."""
        figures: dict[str, float] = {}
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                figures[_title(process)] = round(process.memory_full_info().pss / 2**20, 1)
        figures["sum"] = round(sum(figures.values()), 1)
        return figures


def _title(process: psutil.Process) -> str:
    """Return a service's name, or what else the process is."""
    words = " ".join(process.cmdline())
    if words.startswith("agpt: "):
        return words.removeprefix("agpt: ").strip()
    for part in ("forkserver", "resource_tracker"):
        if part in words:
            return part
    return "supervisor"


@contextlib.contextmanager
def server(
    *,
    prepare: Callable[[Path], None] = lambda _: None,
    program: str = "backend.app",
    wait_for: tuple[str, ...] = PORTS,
    **settings: str,
) -> Iterator[Server]:
    """
    Start a server with *settings* in an empty place, and stop it at the end.

    Args:
        prepare: Fills the data directory before the start.
        program: The module that is run: all services, or one of them.
        wait_for: The settings of the ports that must answer before it counts as ready.
    """
    with tempfile.TemporaryDirectory(prefix="agpt-bench-") as place:
        ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
        environment = {
            **os.environ,
            **ports,
            "HOME": place,
            "AGPT_DATA_DIR": f"{place}/data",
            "LOG_LEVEL": "warning",
            **settings,
        }
        prepare(Path(place) / "data")
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", program],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parent.parent,
        )
        try:
            _wait_until_ready(process, [int(ports[name]) for name in wait_for])
            ready_s = time.perf_counter() - started
            yield Server(
                process=psutil.Process(process.pid),
                environment=environment,
                data_dir=Path(place) / "data",
                port=int(ports["AGENT_API_PORT"]),
                websocket_port=int(ports["WEBSOCKET_SERVER_PORT"]),
                token=_token(environment),
                ready_s=ready_s,
            )
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            if process.stderr is not None:
                process.stderr.close()


def _wait_until_ready(process: subprocess.Popen[bytes], ports: list[int]) -> None:
    """Wait until /health of every service answers 200."""
    limit = time.monotonic() + 60
    waiting = set(ports)
    while waiting:
        for port in list(waiting):
            if _healthy(port):
                waiting.discard(port)
        if process.poll() is not None or time.monotonic() > limit:
            message = process.stderr.read().decode() if process.stderr else ""
            raise RuntimeError(f"the server did not start: {message}")
        time.sleep(0.01)


def _healthy(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.settimeout(1)
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _token(environment: dict[str, str]) -> str:
    command = [sys.executable, "-m", "backend.cli", "token"]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return found.stdout.strip()
