"""Clients that do not read: they cost little, lose nothing, and harm nobody else."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import psutil
import pytest

from backend.api.ws import frames
from backend.api.ws.client import Limits
from backend.api.ws.messages import WSMethod, event_frame
from backend.core.ids import UserId
from backend.core.records import ExecutionRecord
from backend.core.status import Status
from backend.ports.bus import RunChanged, run_topic
from tests.unit.api.ws.ws_server import Watcher, WSServer, ws_server

MEGABYTE = 1_048_576


@asynccontextmanager
async def stalled(server: WSServer, run: ExecutionRecord) -> AsyncIterator[Watcher]:
    """Give a client that watches *run*, and reads nothing unless it is asked to."""
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.setblocking(False)
    await asyncio.get_running_loop().sock_connect(small, ("127.0.0.1", server.port))
    async with server.connect(sock=small, max_queue=1, close_timeout=0.1) as client:
        await client.watch(run)
        yield client


@pytest.mark.slow
async def test_a_client_that_never_reads_costs_no_memory() -> None:
    async with ws_server() as server:
        run = await server.new_run()
        record = await server.storage.of(UserId("ann")).execution(run.id)
        assert record is not None
        async with stalled(server, run), server.connect() as lively:
            await lively.watch(run)
            value = "x" * 50_000

            async def publish(count: int, first: int) -> None:
                for number in range(first, first + count):
                    change = replace(record, revision=number, outputs={"o": [value]})
                    server.executor.publisher.publish(run_topic(run.id), RunChanged(record=change))
                    assert (await lively.next())["data"]["sequence"] == number

            await publish(100, 2)
            before = psutil.Process().memory_info().rss

            await publish(4_000, 102)

            grown = psutil.Process().memory_info().rss - before
            assert grown < 20 * MEGABYTE
            assert await server.metric("queue_overflows_total") == 1


@pytest.mark.slow
async def test_a_slow_client_gets_the_newest_state_when_it_reads_again() -> None:
    async with ws_server(Limits(queue_frames=5)) as server:
        run = await server.new_run()
        async with stalled(server, run) as slow, server.connect() as lively:
            await lively.watch(run)
            for number in range(300):
                await server.executor.change(run, {number % 10: f"{number}" + "x" * 3000})
                await lively.events(2)
            await server.executor.change(run, {}, Status.COMPLETED)

            frames = [await slow.next()]
            while frames[-1]["data"]["status"] != "COMPLETED" or "id" not in frames[-1]["data"]:
                frames.append(await slow.next())

            numbers = [frame["data"]["sequence"] for frame in frames]
            assert numbers == sorted(set(numbers))
            assert len(frames) < 500
            last = {f["data"]["node_exec_id"]: f for f in frames if "node_exec_id" in f["data"]}
            seen = {f["data"]["input_data"]["value"].rstrip("x") for f in last.values()}
            assert seen == {str(number) for number in range(290, 300)}
            assert await server.metric("queue_overflows_total") > 0


async def test_a_client_that_takes_nothing_for_long_is_cut_off() -> None:
    async with ws_server(Limits(send_s=0.2)) as server:
        run = await server.new_run()
        async with stalled(server, run):
            for number in range(60):
                await server.executor.change(run, {number: "x" * 50_000})

            async with asyncio.timeout(10):
                while await server.metric("sockets") or connections_to(server.port) > 0:
                    pass


def connections_to(port: int) -> int:
    """Count the server's ends of connections that somebody else has not given up."""
    return sum(
        one.status == psutil.CONN_ESTABLISHED and bool(one.laddr) and one.laddr.port == port
        for one in psutil.Process().net_connections("tcp")
    )


async def test_answers_are_not_lost_when_nobody_reads_them() -> None:
    async with ws_server(Limits(queue_frames=3)) as server, server.connect(max_queue=1) as ann:
        count = 3_000

        async def ask() -> None:
            for _ in range(count):
                await ann.send({"method": "heartbeat"})

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ask())
            answers = [await ann.next() for _ in range(count)]

        assert all(answer["data"] == "pong" for answer in answers)


async def test_a_frame_is_serialised_once_for_all_sockets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = 0

    def counting(method: WSMethod, data: dict[str, Any], channel: str) -> bytes:
        nonlocal built
        built += 1
        return event_frame(method, data, channel)

    monkeypatch.setattr(frames, "event_frame", counting)
    async with ws_server() as server, AsyncExitStack() as stack:
        run = await server.new_run()
        watchers = [await stack.enter_async_context(server.connect()) for _ in range(10)]
        for watcher in watchers:
            await watcher.watch(run)
            await watcher.ask("heartbeat")

        await server.executor.change(run, {0: "x"})

        for watcher in watchers:
            await watcher.events(2)
        assert built == 2
