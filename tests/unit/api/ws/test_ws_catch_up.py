"""What happens while storage is being read: the moments that real sockets hit only by luck."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from starlette.websockets import WebSocketDisconnect

from backend.api.ws.client import Client, Counts, Limits
from backend.api.ws.hub import Hub
from backend.api.ws.watch import RunWatch
from backend.core.errors import Unavailable
from backend.core.ids import UserId
from backend.core.records import ExecutionRecord, NodeRecord
from backend.ports.bus import Attached, EventSubscriber, NodeChanged, RunChanged, run_topic
from backend.ports.storage import UserStorage
from backend.testing.bus import node_changed, run_changed

RUN = run_changed(revision=1).record
TOPIC = run_topic(RUN.id)


class Bus:
    """A subscriber whose topics are live at once; the test says what arrives."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    def subscribe(self, topic: str) -> None:
        self.queue.put_nowait((topic, Attached(topic=topic)))

    def unsubscribe(self, topic: str) -> None:
        del topic

    async def changes(self) -> AsyncIterator[tuple[str, Any]]:
        while True:
            yield await self.queue.get()


class Rows:
    """One run's rows, which may change between two questions."""

    user_id = UserId("ann")

    def __init__(self) -> None:
        self.run = RUN
        self.nodes: dict[int, NodeRecord] = {}
        self.before_nodes: list[Callable[[], None]] = []
        self.failures = 0

    def change(self, ordinal: int) -> list[RunChanged | NodeChanged]:
        """Commit a change of a node and the run; return the events."""
        node = replace(node_changed(revision=self.run.revision + 1).record, ordinal=ordinal)
        self.nodes[ordinal] = node
        self.run = replace(self.run, revision=self.run.revision + 2)
        return [NodeChanged(run=self.run, record=node), RunChanged(record=self.run)]

    async def execution(self, run_id: str, *, with_outputs: bool = False) -> ExecutionRecord:
        del run_id, with_outputs
        if self.failures:
            self.failures -= 1
            raise Unavailable
        return self.run

    async def node_executions(
        self, run_id: str, *, limit: int, after_revision: int
    ) -> list[NodeRecord]:
        del run_id
        if self.before_nodes:
            self.before_nodes.pop(0)()
        found = [node for node in self.nodes.values() if node.revision > after_revision]
        answer = sorted(found, key=lambda node: node.revision)[:limit]
        await asyncio.sleep(0)  # the way back from the database
        return answer


class Scene:
    def __init__(self) -> None:
        self.bus, self.rows, self.sent = Bus(), Rows(), asyncio.Queue[int]()
        self.hub = Hub(cast("EventSubscriber", self.bus), Limits())
        self.client = Client(
            user_id=UserId("ann"),
            token="",
            send=self._send,
            close=self._close,
            abort=lambda: None,
            limits=self.hub.limits,
            counts=Counts(),
        )
        self.watch = RunWatch(self.client, cast("UserStorage", self.rows), RUN.id, RUN.revision)

    async def _send(self, text: str) -> None:
        self.sent.put_nowait(json.loads(text)["data"]["sequence"])
        await asyncio.sleep(0)

    async def _close(self, code: int) -> None:
        raise WebSocketDisconnect(code)

    def happens(self, events: list[RunChanged | NodeChanged]) -> None:
        """Let events arrive at this very moment."""
        for event in events:
            self.hub._on_change(TOPIC, event)

    async def seen(self, count: int) -> list[int]:
        async with asyncio.timeout(5):
            return [await self.sent.get() for _ in range(count)]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    tasks = [asyncio.create_task(made.hub.run()), asyncio.create_task(made.client.pump())]
    await made.hub.watch(made.watch)
    yield made
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_what_happens_after_the_last_look_is_not_lost(scene: Scene) -> None:
    """It arrives while the answer is on its way: not in the answer, and not yet live."""
    scene.rows.change(0)

    def later() -> None:
        asyncio.get_running_loop().call_soon(lambda: scene.happens(scene.rows.change(1)))

    scene.rows.before_nodes = [lambda: None, later]
    scene.client.refresh(scene.watch)

    assert await scene.seen(4) == [2, 3, 4, 5]


async def test_a_run_is_not_told_before_nodes_that_came_with_it(scene: Scene) -> None:
    """The node is committed after the first look at the nodes, before the look at the run."""
    scene.rows.change(0)

    def commit() -> None:
        asyncio.get_running_loop().call_soon(lambda: scene.rows.change(1) and None)

    scene.rows.before_nodes = [commit]
    scene.client.refresh(scene.watch)

    assert await scene.seen(3) == [2, 4, 5]


async def test_more_than_can_be_kept_meanwhile_is_read_again(scene: Scene) -> None:
    scene.rows.change(0)

    def flood() -> None:
        for number in range(150):
            scene.happens(scene.rows.change(number % 3))

    scene.rows.before_nodes = [lambda: None, flood]
    scene.client.refresh(scene.watch)

    seen = await scene.seen(1)
    while seen[-1] != scene.rows.run.revision:
        seen += await scene.seen(1)
    assert seen == sorted(set(seen))
    assert {node.revision for node in scene.rows.nodes.values()} <= set(seen)


async def test_a_database_that_does_not_answer_is_asked_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.api.ws.client._AGAIN_S", 0.01)
    scene.rows.change(0)
    scene.rows.failures = 3

    scene.client.refresh(scene.watch)

    assert await scene.seen(2) == [2, 3]
