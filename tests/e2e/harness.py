"""A whole server as processes, its REST and WebSocket clients, and what must hold after any kill."""

import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2
import jwt
import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from backend.core import json
from backend.core.graph import Graph
from backend.core.ids import DEFAULT_USER_EMAIL, DEFAULT_USER_ID
from backend.util.identity import Identity, kill_for_certain, wait_until_gone
from tests.e2e.running import Running, family_of, free_ports
from tests.stores import STORES

Json = dict[str, Any]
T = TypeVar("T")

KEY: Final = "a key that only tests use, long enough"
SERVICES: Final = {
    "DatabaseManager": "DATABASE_API_PORT",
    "Scheduler": "EXECUTION_SCHEDULER_PORT",
    "NotificationManager": "NOTIFICATION_SERVICE_PORT",
    "WebsocketServer": "WEBSOCKET_SERVER_PORT",
    "AgentServer": "AGENT_API_PORT",
    "ExecutionManager": "EXECUTION_MANAGER_PORT",
}
FINAL: Final = frozenset({"COMPLETED", "FAILED", "TERMINATED"})
LIMIT_S: Final = 60.0


def until(check: Callable[[], T | None], *, limit_s: float = LIMIT_S, what: str = "") -> T:
    """Return what *check* gives once it is not None or False. Other processes wake nobody here."""
    end = time.monotonic() + limit_s
    while True:
        found = check()
        if found is not None and found is not False:
            return found
        assert time.monotonic() < end, f"waited {limit_s} s for {what or check}"
        time.sleep(0.01)


def token(user: str = DEFAULT_USER_ID) -> str:
    """Return a token of the owner, or of somebody else."""
    is_owner = user == DEFAULT_USER_ID
    claims = {
        "sub": user,
        "email": DEFAULT_USER_EMAIL if is_owner else f"{user}@example.com",
        "role": "authenticated",
        "owner": is_owner,
        "aud": "authenticated",
        "exp": int(time.time()) + 3600,
    }
    return jwt.encode(claims, KEY, "HS256")


class Server:
    """All six services on one data directory and on ports of their own. `finish` ends it for sure."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.store = STORES.at(data_dir, url=settings.get("DATABASE_URL"))
        self.ports = {name: int(port) for name, port in free_ports(SERVICES).items()}
        self._environment = {
            "AGPT_DATA_DIR": str(data_dir),
            "JWT_VERIFY_KEY": KEY,
            **{SERVICES[name]: str(port) for name, port in self.ports.items()},
            **settings,
        }
        self._running: Running | None = None
        self.family: set[Identity] = set()
        self.rest = Rest(f"http://127.0.0.1:{self.ports['AgentServer']}")

    def start(self, *, limit_s: float = LIMIT_S) -> "Server":
        """Start it, or start it again on the same data, and wait until all six are ready."""
        if self._running is not None:
            self._running.kill_all()
        running = self._running = Running("-m", "backend.app", environment=self._environment)
        running.wait_for("agpt is ready.", limit_s=limit_s)
        self.family |= running.family
        return self

    @property
    def settings(self) -> dict[str, str]:
        """Its settings, without what is its own: folder and ports."""
        own = {"AGPT_DATA_DIR", *SERVICES.values()}
        return {name: one for name, one in self._environment.items() if name not in own}

    def become(self, **environment: str) -> None:
        """Be another program from the next start on."""
        self._environment |= environment

    @property
    def running(self) -> Running:
        assert self._running is not None
        return self._running

    def pids(self) -> dict[str, int]:
        """Return the pid of each service that lives."""
        found = {}
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.running.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    title = " ".join(process.cmdline())
                    if title.startswith("agpt: ") and process.status() != psutil.STATUS_ZOMBIE:
                        found[title.removeprefix("agpt: ").strip()] = process.pid
        return {name: pid for name, pid in found.items() if name in SERVICES}

    def pid(self, service: str) -> int:
        """Return the pid of *service*, once it has one."""
        return until(lambda: self.pids().get(service), what=f"a process of {service}")

    def kill(self, service: str) -> int:
        """Kill one service without warning; return the pid that it had."""
        self._note_family()
        pid = self.pid(service)
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_supervisor(self) -> None:
        """Kill the foreground process alone."""
        self._note_family()
        self.running.signal(signal.SIGKILL)
        self.running.finish()

    def kill_everything(self) -> None:
        """Kill all processes at once, as a power cut does."""
        self._note_family()
        self.running.signal(signal.SIGKILL)
        kill_for_certain(self.family, limit_s=10)
        self.running.finish()

    def wait_ready(self, service: str, *, limit_s: float = LIMIT_S) -> None:
        """Wait until *service* says that it is ready."""
        port = self.ports[service]

        def is_healthy() -> bool:
            with suppress(httpx2.TransportError):
                return httpx2.get(f"http://localhost:{port}/health", timeout=5).status_code == 200
            return False

        until(is_healthy, limit_s=limit_s, what=f"{service} to be ready")

    def stop(self) -> float:
        """Stop it as an operator does; return how many seconds it took."""
        self._note_family()
        begin = time.monotonic()
        self.running.signal(signal.SIGTERM)
        code, errors = self.running.finish()
        assert (code, errors) == (0, "")
        return time.monotonic() - begin

    def finish(self) -> None:
        """End all that is left of it."""
        self.rest.close()
        if self._running is not None:
            self._note_family()
            print(self.log("Supervisor"))  # noqa: T201 - pytest shows it with a failure
            self._running.kill_all()
        kill_for_certain(self.family, limit_s=10)

    def assert_nothing_left(self) -> None:
        """No process of any of its lives is there, and every port can be bound."""
        assert wait_until_gone(self.family, limit_s=5) == []
        for port in self.ports.values():
            socket.create_server(("127.0.0.1", port)).close()

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return what a query finds in the database; see Store.rows."""
        return self.store.rows(query, *values)

    def log(self, service: str) -> str:
        """Return what a service has logged."""
        path = self.data_dir / "logs" / f"{service}.log"
        return path.read_text() if path.exists() else ""

    def _note_family(self) -> None:
        if psutil.pid_exists(self.running.pid):
            with suppress(psutil.NoSuchProcess):
                self.family.update(family_of(self.running.pid))


class Rest:
    """A client that lives through restarts: it asks again, where asking twice is harmless."""

    def __init__(self, origin: str, user: str = DEFAULT_USER_ID) -> None:
        self._client = httpx2.Client(
            base_url=origin, headers={"Authorization": f"Bearer {token(user)}"}, timeout=20
        )

    def close(self) -> None:
        self._client.close()

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        """Ask once."""
        return self._client.request(method, f"/api{path}", json=body, headers=headers)

    def get(self, path: str) -> Any:
        """Read, again and again while the server is away."""

        def answer() -> httpx2.Response | None:
            with suppress(httpx2.TransportError):
                got = self.ask("GET", path)
                return got if got.status_code < 500 else None
            return None

        got = until(answer, what=f"GET {path}")
        assert got.status_code == 200, got.text
        return got.json()

    def post(self, path: str, body: Any = None) -> Any:
        """Ask once; it must be done."""
        got = self.ask("POST", path, body)
        assert got.status_code == 200, got.text
        return got.json()

    def add(self, graph: Graph) -> str:
        """Save *graph* and return the id that it got."""
        return str(self.post("/graphs", {"graph": as_body(graph)})["id"])

    def start(self, graph_id: str, **inputs: Any) -> str:
        """Start a run and return its id."""
        return str(self.post(f"/graphs/{graph_id}/execute", {"inputs": inputs})["id"])

    def run(self, graph_id: str, run_id: str) -> Json:
        """Return a run with its node executions."""
        found: Json = self.get(f"/graphs/{graph_id}/executions/{run_id}")
        return found

    def ended(self, graph_id: str, run_id: str, *, limit_s: float = LIMIT_S) -> Json:
        """Return a run when it has ended."""

        def end() -> Json | None:
            run = self.run(graph_id, run_id)
            return run if run["status"] in FINAL else None

        return until(end, limit_s=limit_s, what=f"the end of run {run_id}")

    def stop(self, graph_id: str, run_id: str) -> Any:
        """Stop a run."""
        return self.post(f"/graphs/{graph_id}/executions/{run_id}/stop")


class Socket:
    """A WebSocket client that keeps what it was sent."""

    def __init__(self, server: Server, user: str = DEFAULT_USER_ID) -> None:
        self._stack = ExitStack()
        self._connection: ClientConnection = self._stack.enter_context(
            connect(
                f"ws://127.0.0.1:{server.ports['WebsocketServer']}/ws?token={token(user)}",
                open_timeout=20,
                close_timeout=2,
            )
        )
        self.frames: list[Json] = []

    def close(self) -> None:
        self._stack.close()

    def subscribe(self, run_id: str, *, after: int | None = None) -> None:
        """Ask for the changes of a run."""
        data = {"graph_exec_id": run_id}
        self._ask(
            "subscribe_graph_execution",
            data if after is None else {**data, "after_sequence": after},
        )

    def subscribe_graph(self, graph_id: str) -> None:
        """Ask for the changes of a graph's runs."""
        self._ask("subscribe_graph_executions", {"graph_id": graph_id})

    def _ask(self, method: str, data: Json) -> None:
        self._connection.send(json.text({"method": method, "data": data}))
        answer = self.asked_for()
        assert (answer["method"], answer["success"]) == (method, True), answer

    def receive(self, *, limit_s: float = 30.0) -> Json:
        """Return the next frame."""
        frame: Json = json.loads(self._connection.recv(limit_s))
        self.frames.append(frame)
        return frame

    def asked_for(self, *, limit_s: float = 30.0) -> Json:
        """Return the next frame that is not a notification, which come unasked at any time."""
        frame = self.receive(limit_s=limit_s)
        while frame["method"] == "notification":
            frame = self.receive(limit_s=limit_s)
        return frame

    def until_closed(self, *, limit_s: float = 30.0) -> int | None:
        """Return the code with which the server closes this, whatever it sends before."""
        try:
            while True:
                self.receive(limit_s=limit_s)
        except ConnectionClosed as exc:
            return None if exc.rcvd is None else exc.rcvd.code

    def until_ended(self) -> list[Json]:
        """Return the events up to the one that says that the run has ended."""
        return self.until_run_is(*FINAL)

    def until_run_is(self, *statuses: str) -> list[Json]:
        """Return the events up to the one that says that the run has one of *statuses*."""
        events: list[Json] = []
        while True:
            events.append(self.asked_for())
            data = events[-1]["data"]
            if events[-1]["method"] == "graph_execution_event" and data["status"] in statuses:
                return events


def as_body(graph: Graph) -> Json:
    """Return *graph* as a client sends it."""
    return {
        "id": graph.id,
        "name": graph.name,
        "description": graph.description,
        "nodes": [
            {"id": n.id, "block_id": n.block_id, "input_default": n.input_default}
            for n in graph.nodes
        ],
        "links": [
            {
                "source_id": link.source_id,
                "source_name": link.source_name,
                "sink_id": link.sink_id,
                "sink_name": link.sink_name,
                "is_static": link.is_static,
            }
            for link in graph.links
        ],
        "sub_graphs": [as_body(sub) for sub in graph.sub_graphs],
    }


@contextmanager
def serving(data_dir: Path, **settings: str) -> Iterator[Server]:
    """A server that is gone afterwards, whatever happens."""
    server = Server(data_dir, **settings)
    try:
        yield server.start()
    finally:
        server.finish()


def assert_consistent(server: Server) -> None:
    """What must hold of the rows of all runs that have ended, after whatever was done to them."""
    open_runs = server.rows("SELECT id, status FROM executions WHERE ended_us IS NULL")
    assert open_runs == []
    ids = Counter(row[0] for row in server.rows("SELECT id FROM node_executions"))
    assert [one for one, count in ids.items() if count > 1] == []
    unended = server.rows(
        "SELECT n.id, n.status FROM node_executions n JOIN executions e ON e.id = n.run_id"
        " WHERE n.status IN ('QUEUED', 'RUNNING') AND e.status IN ('COMPLETED', 'FAILED')"
    )
    assert unended == []
    gaps = server.rows(
        "SELECT run_id FROM node_executions GROUP BY run_id HAVING max(ordinal) + 1 <> count(*)"
    )
    assert gaps == []
