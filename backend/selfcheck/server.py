"""A private server of a check: started, killed, started again, stopped, and looked for afterwards."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from backend.core import json
from backend.core.errors import CannotStart
from backend.selfcheck.defects import defects_in
from backend.selfcheck.plan import EXECUTOR, SERVICES
from backend.selfcheck.processes import descendants, free_ports, processes_with, until
from backend.settings import Settings
from backend.util.identity import (
    Identity,
    identify,
    is_alive,
    kill_for_certain,
    send_signal,
    wait_until_gone,
)
from backend.util.record import ServerRecord, ServiceRecord, read_records

#: A busy machine starts slowly, and soundly all the same.
START_LIMIT_S: Final = 300.0
STOP_LIMIT_S: Final = 45.0
#: A service whose supervisor is gone ends by itself within two seconds; a busy machine may need more.
ORPHAN_LIMIT_S: Final = 10.0
_PORTS: Final = (
    "DATABASE_API_PORT",
    "EXECUTION_SCHEDULER_PORT",
    "NOTIFICATION_SERVICE_PORT",
    "WEBSOCKET_SERVER_PORT",
    "AGENT_API_PORT",
    "EXECUTION_MANAGER_PORT",
)
#: An executor of a cluster says its id, which is new with each process, when it has joined.
_JOINED: Final = "executor_joined"
#: A package with one block, as pip would install it: so the server finds it by its entry point.
_PACKAGE: Final = "agpt_selfcheck_blocks-1.dist-info"
_METADATA: Final = "Metadata-Version: 2.1\nName: agpt-selfcheck-blocks\nVersion: 1\n"
_ENTRY_POINTS: Final = "[agpt.blocks]\nselfcheck = backend.selfcheck.blocks\n"


class PrivateServer:
    """
    Services under their supervisor, in a folder and on ports of their own.

    Attributes:
        name: What people read when something is wrong with it.
        services: The names of its services.
        family: Every process that was ever seen of it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "server",
        module: str = "backend.app",
        services: Sequence[str] = SERVICES,
        **settings: str,
    ) -> None:
        """
        Prepare it in *folder*, which is there and shared with nobody but other servers.

        Args:
            module: What is started.
            settings: Of its environment, by the names of the variables.
        """
        self.name = name
        self.services = tuple(services)
        self.data_dir = folder / ("data" if name == "server" else name)
        self.ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
        self.family: set[Identity] = set()
        self._executors: set[str] = set()
        self._module = module
        self._folder = folder
        self._said = folder / f"{name}.log"
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._environment = _environment(
            _packages(folder),
            AGPT_DATA_DIR=str(self.data_dir),
            **dict(zip(_PORTS, map(str, self.ports.values()), strict=True)),
            **settings,
        )

    def start(self) -> None:
        """
        Start it, or start it again on the same data; returns when all of it is ready.

        Raises:
            CannotStart: If it is not ready in time, or ends; says what it has said.
        """
        self.begin()
        self.wait_ready()

    def begin(self) -> None:
        """Start it, and do not wait; see `wait_ready`."""
        self._reap()
        with self._said.open("ab") as log:
            self._supervisor = subprocess.Popen(  # noqa: S603 -- modules of ours
                [sys.executable, "-m", self._module],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._note(identify(self._supervisor.pid))

    def wait_ready(self) -> None:
        """Wait until all of it is ready; raises as `start` does."""
        if not until(lambda: self.is_ready or self.has_ended, limit_s=START_LIMIT_S):
            raise CannotStart(
                f"The private {self.name} is not ready after {START_LIMIT_S:.0f} seconds."
            )
        if self.has_ended:
            raise CannotStart(f"The private {self.name} does not start: {self.last_words()}")

    @property
    def has_ended(self) -> bool:
        """Whether the supervisor is gone."""
        return self._supervisor is None or self._supervisor.poll() is not None

    @property
    def is_ready(self) -> bool:
        """Whether all services are."""
        record = self._record()
        return record is not None and [one.state for one in record.services].count("ready") == len(
            self.services
        )

    def last_words(self) -> str:
        """Return the last line that the supervisor has written."""
        log = self._said
        lines = (
            log.read_text(encoding="utf-8", errors="replace").split("\n") if log.exists() else []
        )
        return next((line.strip() for line in reversed(lines) if line.strip()), "it says nothing")

    def living(self, names: Iterable[str]) -> dict[str, Identity]:
        """Return the processes of those of *names* that have one now."""
        record = self._record()
        found: dict[str, Identity] = {}
        for one in () if record is None else record.services:
            if one.name in names and _runs(one):
                found[one.name] = one.identity
                self._note(one.identity)
        return found

    def executors(self) -> frozenset[str]:
        """Return the ids of the executors that it has had, in a cluster."""
        log = self.data_dir / "logs" / f"{EXECUTOR}.log"
        said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        joined = [json.loads(line) for line in said.split("\n") if f'"{_JOINED}"' in line]
        self._executors |= {one["executor"] for one in joined}
        return frozenset(self._executors)

    def defects(self) -> list[str]:
        """Return the errors of its own that it has noted, in sentences."""
        return defects_in(self.data_dir / "logs", self._said)

    def supervisor(self) -> Identity | None:
        """Return the supervisor, if it lives."""
        return None if self._supervisor is None else identify(self._supervisor.pid)

    def everybody(self) -> list[Identity]:
        """Return all processes of it that live now."""
        self.note_family()
        return [one for one in self.family if is_alive(one)]

    def note_family(self) -> None:
        """
        Remember who belongs to it: the supervisor, its services, and what helps it to fork.

        Each is seen in its own way: services write their title over their environment, and helpers
        are in no record.
        """
        for record in read_records(self.data_dir).values():
            for one in filter(is_alive, record.processes()):
                self._note(one)
        if self._supervisor is not None:
            for pid in descendants(self._supervisor.pid):
                self._note(identify(pid))
        for one in processes_with(f"AGPT_DATA_DIR={self.data_dir}"):
            self._note(one)

    def stop(self) -> list[str]:
        """Stop it as an operator does; return what went wrong, in sentences."""
        self.note_family()
        if self._supervisor is None or self.has_ended:
            return [f"The {self.name} had ended before it was told to stop."]
        self._supervisor.send_signal(signal.SIGTERM)
        try:
            code = self._supervisor.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            return [
                f"The {self.name} has not stopped {STOP_LIMIT_S:.0f} seconds after it was told to."
            ]
        return (
            [f"Told to stop, the {self.name} ended with exit code {code}: {self.last_words()}"]
            if code
            else []
        )

    def left_behind(self) -> list[str]:
        """Return what is still there of a server that has stopped: processes, ports, sockets."""
        self.note_family()
        alive = wait_until_gone(self.family, limit_s=ORPHAN_LIMIT_S)
        found = [f"process {one.pid} still runs" for one in alive]
        for name in self.services:
            port = self.ports[name]
            try:
                socket.create_server(("127.0.0.1", port)).close()
            except OSError as exc:
                found.append(f"port {port} of {name} is still taken: {exc.strerror}")
        run = self.data_dir / "run"
        found += [f"socket {path.name} is still there" for path in sorted(run.glob("*.sock"))]
        found += [f"record {path.name} is still there" for path in sorted(run.glob("*.json"))]
        return found

    def kill_all(self) -> None:
        """End all that is left of it, for certain. Twice is harmless."""
        self.note_family()
        for one in self.family:
            send_signal(one, signal.SIGCONT)
        kill_for_certain(self.family, limit_s=ORPHAN_LIMIT_S)
        self._reap()

    def _record(self) -> ServerRecord | None:
        if self._supervisor is None:
            return None
        for record in read_records(self.data_dir).values():
            if record.supervisor.pid == self._supervisor.pid:
                return record
        return None

    def _note(self, identity: Identity | None) -> None:
        if identity is not None:
            self.family.add(identity)

    def _reap(self) -> None:
        """Take in the exit code of a supervisor that has ended: until then it is a zombie."""
        if self._supervisor is not None:
            self._supervisor.wait(ORPHAN_LIMIT_S)
            self._supervisor = None


def _runs(service: ServiceRecord) -> bool:
    return service.pid != 0 and is_alive(service.identity)


def _environment(packages: Path, **own: str) -> dict[str, str]:
    """Return the environment of the private server: this one, without settings of other servers."""
    settings = {name.upper() for name in Settings.model_fields}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in settings and not name.startswith("AGPT_")
    }
    paths = [str(packages), *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, **own, "PYTHONPATH": os.pathsep.join(paths)}


def _packages(folder: Path) -> Path:
    """Put the block of the check where servers in *folder* find it; return where that is."""
    packages = folder / "packages"
    (packages / _PACKAGE).mkdir(parents=True, exist_ok=True)
    (packages / _PACKAGE / "METADATA").write_text(_METADATA, encoding="utf-8")
    (packages / _PACKAGE / "entry_points.txt").write_text(_ENTRY_POINTS, encoding="utf-8")
    return packages
