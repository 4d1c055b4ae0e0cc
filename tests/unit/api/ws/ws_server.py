"""A WebSocket service with real sockets, a real bus and a real database, and a stand-in executor."""

import asyncio
import json
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from backend.adapters.bus.local import LocalPublisher, LocalSubscriber
from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.migrate import migrate
from backend.api.ws.client import Limits
from backend.api.ws.endpoint import create_ws_app
from backend.api.ws.protocol import uvicorn_options
from backend.core.block import BlockType
from backend.core.errors import NotAllowed
from backend.core.execution import NodeExecution, RunStats
from backend.core.graph import Graph
from backend.core.ids import ExecutionId, GraphId, UserId, derived_id
from backend.core.plan import NodePlan
from backend.core.records import ExecutionRecord, NewExecution
from backend.core.status import FINAL, Status
from backend.ports.bus import NodeChanged, RunChanged, graph_topic, run_topic
from backend.ports.storage import JournalBatch, RunChange

LIMIT_S = 10.0
GRAPH = GraphId(derived_id("graph"))
#: A node of the block whose inputs are the run's outputs.
OUTPUT_NODE = cast(
    "NodePlan",
    SimpleNamespace(
        id="node", block_id="block", block=SimpleNamespace(block_type=BlockType.OUTPUT)
    ),
)


class Executor:
    """Commits and publishes what a real one would, when a test says so."""

    def __init__(self, storage: SqlStorage, path: str) -> None:
        self.storage = storage
        self.path = path
        self.publisher = LocalPublisher(path)
        self.served: asyncio.Task[None] | None = None
        self.revisions: dict[ExecutionId, int] = {}

    async def start(self) -> None:
        self.publisher, ready = LocalPublisher(self.path), asyncio.Event()
        self.served = asyncio.create_task(self.publisher.serve(ready.set))
        await ready.wait()

    async def stop(self) -> None:
        if self.served is not None:
            self.served.cancel()
            await asyncio.wait([self.served])
            self.served = None

    async def change(
        self,
        run: ExecutionRecord,
        values: dict[int, Any],
        status: Status = Status.RUNNING,
        *,
        publish: bool = True,
    ) -> None:
        """Commit node executions by ordinal, and the run; then publish them."""
        revision = self.revisions.get(run.id, 1)
        nodes = []
        for ordinal, value in values.items():
            node = NodeExecution(ordinal, derived_id(run.id, ordinal), OUTPUT_NODE, 1)
            node.status, node.queue_us, node.queue_no = Status.COMPLETED, 2, ordinal
            node.input = {"name": "result", "value": value}
            node.outputs = [("output", value)]
            node.routed = 1
            revision += 1
            node.revision = revision
            nodes.append(node)
        revision += 1
        claim = run.id not in self.revisions
        self.revisions[run.id] = revision
        change = RunChange(
            run_id=run.id,
            attempt=1,
            claim=claim,
            stalls=None,
            values={
                "status": status.value,
                "revision": revision,
                "updated_us": 3,
                "started_us": 3,
                "ended_us": 4 if status in FINAL else None,
                "stats": RunStats(cost=1),
            },
            nodes=nodes,
        )
        batch = JournalBatch(owner="executor", changes=[change])
        assert not await self.storage.commit(self.storage.stage(batch))
        if publish:
            await self._publish(run, revision, len(nodes))

    async def publish_on(self, graph_id: GraphId, record: ExecutionRecord) -> None:
        """Publish on a graph what does not belong to its owner."""
        self.publisher.publish(graph_topic(graph_id), RunChanged(record=record))

    async def _publish(self, run: ExecutionRecord, revision: int, nodes: int) -> None:
        mine, topic = self.storage.of(run.user_id), run_topic(run.id)
        saved = await mine.execution(run.id, with_outputs=True)
        assert saved is not None
        for node in await mine.node_executions(
            run.id, limit=10_000, after_revision=revision - nodes - 1
        ):
            self.publisher.publish(topic, NodeChanged(run=saved, record=node))
        for name in (topic, graph_topic(run.graph_id)):
            self.publisher.publish(name, RunChanged(record=saved))


class Watcher:
    """A client."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, frame: object) -> None:
        await self.connection.send(frame if isinstance(frame, str) else json.dumps(frame))

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(LIMIT_S):
            frame: dict[str, Any] = json.loads(await self.connection.recv())
            return frame

    async def ask(self, method: str, data: Any = None) -> dict[str, Any]:
        await self.send({"method": method, "data": data})
        return await self.next()

    async def watch(self, run: ExecutionRecord, **data: Any) -> None:
        answer = await self.ask("subscribe_graph_execution", {"graph_exec_id": run.id, **data})
        assert answer["success"], answer

    async def events(self, count: int) -> list[dict[str, Any]]:
        return [await self.next() for _ in range(count)]

    async def closed_with(self) -> int:
        async with asyncio.timeout(LIMIT_S):
            await self.connection.wait_closed()
        return self.connection.close_code or 0


class WSServer:
    def __init__(self, storage: SqlStorage, executor: Executor, port: int) -> None:
        self.storage = storage
        self.executor = executor
        self.port = port
        self.expired: set[str] = set()

    async def user_of(self, token: str) -> UserId:
        if not token.startswith("token-") or token in self.expired:
            raise NotAllowed
        return UserId(token.removeprefix("token-"))

    @asynccontextmanager
    async def connect(self, user: str = "ann", **options: Any) -> AsyncIterator[Watcher]:
        url = f"ws://127.0.0.1:{self.port}/ws?token=token-{user}"
        options.setdefault("max_size", None)
        async with connect(url, compression=None, ping_interval=None, **options) as connection:
            yield Watcher(connection)

    async def get(self, path: str, header: str = "") -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n".encode()
        )
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
        head, _, body = answer.partition("\r\n\r\n")
        return int(head.split()[1]), body

    async def metric(self, name: str) -> int:
        _, text = await self.get("/metrics")
        [line] = [one for one in text.splitlines() if one.startswith(f"agpt_ws_{name} ")]
        return int(line.split()[1])

    async def new_run(
        self, number: int = 1, user: str = "ann", graph_id: GraphId = GRAPH
    ) -> ExecutionRecord:
        owner = self.storage.of(UserId(user))
        await owner.save_user(email=f"{user}@example.com", name=None, now_us=1)
        if await owner.graph(graph_id) is None:
            graph = Graph(id=graph_id, name="g", description="", user_id=UserId(user))
            await owner.add_graphs([graph], now_us=1)
        return await self.storage.submit(
            NewExecution(
                id=ExecutionId(derived_id(user, number)),
                user_id=UserId(user),
                graph_id=graph_id,
                graph_version=1,
                inputs={"a": 1},
                created_us=number,
            )
        )


@cache
def _empty_database() -> bytes:
    """Return a database with all its tables. Made once: migrations are tested elsewhere."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agpt.sqlite"
        migrate(path)
        return path.read_bytes()


@asynccontextmanager
async def ws_server(limits: Limits | None = None, **options: Any) -> AsyncIterator[WSServer]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agpt.sqlite"
        path.write_bytes(_empty_database())
        storage, events = open_storage(path, synchronous="NORMAL"), f"ipc://{folder}/events"
        executor, subscriber = Executor(storage, events), LocalSubscriber(events)
        await executor.start()
        listener = socket.create_server(("127.0.0.1", 0))
        made = WSServer(storage, executor, listener.getsockname()[1])
        app = create_ws_app(
            storage=storage,
            subscriber=subscriber,
            tokens=made.user_of,
            allowed_origins=options.pop("allowed_origins", ("http://localhost:3000",)),
            limits=limits,
            **options,
        )
        async with _served(app, listener):
            yield made
        await executor.stop()
        await subscriber.close()
        await storage.close()


@asynccontextmanager
async def _served(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(app, log_config=None, **uvicorn_options())
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))
    while not server.started:
        assert not serving.done(), serving.result()
        await asyncio.sleep(0.005)
    try:
        yield
    finally:
        server.should_exit = True
        await serving
        listener.close()
