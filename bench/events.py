"""Live events: from being published to being read from a WebSocket, with few sockets and with many."""

import asyncio
import secrets
import sqlite3
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import jwt
import orjson
from websockets.asyncio.client import ClientConnection, connect

from backend.adapters.bus.local import LocalPublisher
from backend.adapters.ipc import socket_path
from backend.core.ids import (
    BlockId,
    ExecutionId,
    GraphId,
    NodeExecutionId,
    NodeId,
    UserId,
)
from backend.core.records import ExecutionRecord, NodeRecord
from backend.core.status import Status
from backend.ports.bus import NodeChanged, run_topic
from bench.figures import spread
from bench.seed import Sizes, graph_id, run_id, seed
from bench.server import Server, server

_SIZES = Sizes(
    runs=40, nodes=1, graphs=2, versions=1, schedules=0, reviews=40, notices=0, strangers_runs=0
)
_FIRST_SEQUENCE = 1_000
#: A user may have fifty.
_SOCKETS_OF_ONE = 40
_GROUPS = 10
#: A tick of the load: what is due in it is published at once, as a commit does.
_TICK_S = 0.01


async def events(
    *, busy: int = 4, idle: int = 196, rate: int = 1_000, seconds: float = 10.0
) -> dict[str, Any]:
    """
    Return the latencies with *busy* sockets alone, and beside *idle* ones.

    Args:
        rate: Events a second, of all busy sockets together.
    """
    return {
        "events_per_s": rate,
        "few sockets": {"sockets": busy, **await _measure(busy, 0, rate, seconds)},
        "many sockets": {"sockets": busy + idle, **await _measure(busy, idle, rate, seconds)},
    }


async def _measure(busy: int, idle: int, rate: int, seconds: float) -> dict[str, Any]:
    key = secrets.token_urlsafe(32)
    with server(
        prepare=lambda data: _fill(data / "agpt.db", busy),
        program="backend.ws",
        wait_for=("WEBSOCKET_SERVER_PORT",),
        JWT_VERIFY_KEY=key,
    ) as place:
        load = _Load(place, busy=busy, total=int(rate * seconds))
        async with AsyncExitStack() as stack:
            # This process is the executor: it publishes what the server hands on.
            serving = asyncio.create_task(load.publisher.serve(lambda: None))
            stack.callback(serving.cancel)
            sockets = [
                await _watch(stack, place, key, number if number < busy else _idle(number, busy))
                for number in range(busy + idle)
            ]
            await load.until_wanted()
            cpu_s = sum(place.cpu_s().values())
            readers = [
                asyncio.create_task(load.read(socket, number))
                for number, socket in enumerate(sockets[:busy])
            ]
            await load.publish(rate)
            await asyncio.wait(readers, timeout=5)
            used_s = sum(place.cpu_s().values()) - cpu_s
            for reader in readers:
                reader.cancel()
            if not load.took_ms:
                raise RuntimeError("no event has arrived")
        return {
            "published": load.published,
            "received": len(load.took_ms),
            **spread(load.took_ms),
            "cpu_ms_per_event": round(used_s / max(1, load.published) * 1000, 3),
        }


def _idle(number: int, busy: int) -> int:
    """Return the run that an idle socket watches, one for all sockets of its user."""
    return busy + (number - busy) // _SOCKETS_OF_ONE


def _owner(number: int) -> str:
    return f"user-{number}"


def _fill(database: Path, busy: int) -> None:
    """Make runs, each of another user: one may have only so many sockets."""
    seed(database, _SIZES, now_us=time.time_ns() // 1000)
    connection = sqlite3.connect(database)
    for number in range(busy + _GROUPS):
        connection.execute(
            "UPDATE executions SET user_id = ? WHERE id = ?", (_owner(number), run_id(_run(number)))
        )
    connection.commit()
    connection.close()


async def _watch(stack: AsyncExitStack, place: Server, key: str, number: int) -> ClientConnection:
    now = int(time.time())
    claims = {"sub": _owner(number), "aud": "authenticated", "iat": now, "exp": now + 3600}
    token = jwt.encode(claims, key, algorithm="HS256")
    address = f"ws://127.0.0.1:{place.websocket_port}/ws?token={token}"
    socket = await stack.enter_async_context(connect(address, proxy=None))
    wish = {"method": "subscribe_graph_execution", "data": {"graph_exec_id": run_id(_run(number))}}
    await socket.send(orjson.dumps(wish).decode())
    answer = orjson.loads(await socket.recv())
    if not answer["success"]:
        raise RuntimeError(f"the subscription was refused: {answer}")
    return socket


def _run(number: int) -> int:
    """Return the number of a run that is not hidden; see seed."""
    return number + (number >= 3) + (number >= 22)


class _Load:
    """Publishes, and notes when each event arrives."""

    def __init__(self, place: Server, *, busy: int, total: int) -> None:
        self.publisher = LocalPublisher(socket_path(place.data_dir, "events"))
        self.took_ms: list[float] = []
        self.published = 0
        self._sent_s: dict[tuple[int, int], float] = {}
        self._busy = busy
        self._total = total

    async def until_wanted(self) -> None:
        """Wait until the server has asked for the runs of all busy sockets."""
        async with asyncio.timeout(30):
            while not all(  # noqa: ASYNC110 -- ZeroMQ tells nobody of a wish
                self.publisher.wanted(run_topic(ExecutionId(run_id(_run(number)))))
                for number in range(self._busy)
            ):
                await asyncio.sleep(0.01)

    async def publish(self, rate: int) -> None:
        """Publish *rate* events a second, by turns for each of the busy runs."""
        started = time.perf_counter()
        while self.published < self._total:
            due = min(self._total, int((time.perf_counter() - started) * rate))
            while self.published < due:
                number = self.published % self._busy
                sequence = _FIRST_SEQUENCE + self.published // self._busy
                self._sent_s[number, sequence] = time.perf_counter()
                self.publisher.publish(
                    run_topic(ExecutionId(run_id(_run(number)))), _change(number, sequence)
                )
                self.published += 1
            await asyncio.sleep(_TICK_S)

    async def read(self, socket: ClientConnection, number: int) -> None:
        """Note the latency of each event of a socket, to the last one."""
        last = _FIRST_SEQUENCE + (self._total - 1 - number) // self._busy
        async for text in socket:
            frame = orjson.loads(text)
            sequence = int(frame["data"]["sequence"])
            sent_s = self._sent_s.pop((number, sequence), None)
            if sent_s is not None:
                self.took_ms.append((time.perf_counter() - sent_s) * 1000)
            if sequence == last:
                return


def _change(number: int, sequence: int) -> NodeChanged:
    run, now_us = _run(number), time.time_ns() // 1000
    record = ExecutionRecord(
        id=ExecutionId(run_id(run)),
        user_id=UserId(_owner(number)),
        graph_id=GraphId(graph_id(0)),
        graph_version=1,
        status=Status.RUNNING,
        inputs={"input_1": "Hello", "input_2": "World"},
        created_us=now_us,
        started_us=now_us,
        revision=sequence,
    )
    node = NodeRecord(
        run_id=record.id,
        ordinal=sequence,
        id=NodeExecutionId(f"{run}-{sequence}"),
        node_id=NodeId("t"),
        block_id=BlockId("t"),
        status=Status.COMPLETED,
        inputs={"value": "Hello, World!!!"},
        outputs={"output": ["Hello, World!!!"]},
        add_us=now_us,
        queue_us=now_us,
        start_us=now_us,
        end_us=now_us,
        revision=sequence,
    )
    return NodeChanged(run=record, record=node)
