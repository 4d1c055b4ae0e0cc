"""The server of these tests, opened and closed."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop
from web_server import Maker, Server

from backend.adapters.web import GuardedWebClient


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Services run on uvloop, the command line does not."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await made.serve(reader, writer)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    made.port = listener.sockets[0].getsockname()[1]
    yield made
    listener.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def make() -> AsyncIterator[Maker]:
    made: list[GuardedWebClient] = []

    def maker(*trusted: str, **options: object) -> GuardedWebClient:
        made.append(GuardedWebClient(trusted, tls=ssl.create_default_context(), **options))  # type: ignore[arg-type] # one of several
        return made[-1]

    yield maker
    for client in made:
        await client.aclose()
