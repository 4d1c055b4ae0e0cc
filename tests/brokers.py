"""RabbitMQ for tests: each test has an installation of its own there, and removes it."""

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

import pytest
from aiormq.abc import AbstractConnection

from backend.adapters.broker.link import Broker, open_channel
from backend.adapters.broker.names import Names
from backend.adapters.broker.tidy import drop
from backend.adapters.dispatch.rabbit_places import declare
from tests.services import require_service


class Rabbit:
    """Makes connections to one broker, for one installation."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.names = Names(f"test-{uuid.uuid4().hex}")
        self._opened: list[Broker] = []

    async def broker(self, url: str = "") -> Broker:
        """Return a new connection, as each process has one."""
        made = Broker(url or self.url, service="agpt: test")
        self._opened.append(made)
        await made.open()
        return made

    async def prepare(self) -> None:
        """Make the queues of signals: what is sent while several make them may be lost (3.10)."""
        broker = await self.broker()

        async def make(connection: AbstractConnection) -> bool:
            async with open_channel(connection) as channel:
                await declare(broker, channel, self.names)
            return True

        assert await broker.ask(make, limit_s=10.0)

    async def close(self) -> None:
        """Close all connections, and remove what the installation has."""
        for broker in self._opened:
            await broker.close()
        await drop(self.url, self.names)


@pytest.fixture
async def rabbit() -> AsyncIterator[Rabbit]:
    """An installation on the broker, with nothing on it; without RabbitMQ the test is skipped."""
    made = Rabbit(require_service("rabbitmq"))
    yield made
    await made.close()


class Proxy:
    """A way to a broker that can be cut, and blocked. Use it as a context manager."""

    def __init__(self, url: str, *, at: socket.socket | None = None) -> None:
        """
        Prepare it.

        Args:
            at: Where it listens; else at a free port of this machine.
        """
        self._at = at
        self._parts = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._port = 0
        self.blocked = False

    @property
    def url(self) -> str:
        """The broker's address, by this way."""
        login, at, _ = self._parts.netloc.rpartition("@")
        return self._parts._replace(netloc=f"{login}{at}127.0.0.1:{self._port}").geturl()

    async def __aenter__(self) -> Self:
        listening = self._at or socket.create_server(("127.0.0.1", 0))
        self._server = await asyncio.start_server(self._pass, sock=listening)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """End all connections; new ones get through unless it is *blocked*."""
        for writer in self._writers:
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self.blocked:
                return
            there = await asyncio.open_connection(self._parts.hostname, self._parts.port or 5672)
            self._writers.add(there[1])
            await asyncio.wait(
                [
                    asyncio.ensure_future(_copy(reader, there[1])),
                    asyncio.ensure_future(_copy(there[0], writer)),
                ]
            )
            self._writers.discard(there[1])
        finally:
            self._writers.discard(writer)
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
