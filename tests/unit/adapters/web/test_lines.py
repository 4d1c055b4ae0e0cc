"""Whether something has come on a connection: what the pool asks before it uses one again."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import closing

import httpcore2
import pytest

from backend.adapters.web.lines import Line


class Peer:
    """The other side of one connection."""

    def __init__(self) -> None:
        self.writer: asyncio.StreamWriter | None = None
        self.here = asyncio.Event()

    async def take(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.here.set()


@pytest.fixture
async def peer() -> Peer:
    return Peer()


@pytest.fixture
async def line(peer: Peer) -> AsyncIterator[Line]:
    server = await asyncio.start_server(peer.take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made = Line(await httpcore2.AnyIOBackend().connect_tcp("127.0.0.1", port))
    await peer.here.wait()
    yield made
    await made.aclose()
    assert peer.writer is not None
    peer.writer.close()
    server.close()


def is_readable(line: Line) -> bool:
    return bool(line.get_extra_info("is_readable"))


async def until_readable(line: Line) -> None:
    async with asyncio.timeout(5):
        while not is_readable(line):  # noqa: ASYNC110 -- that is what is asked
            await asyncio.sleep(0.001)


async def test_nothing_has_come(line: Line) -> None:
    assert not is_readable(line)
    await line.write(b"asked")
    assert not is_readable(line)


async def test_something_has_come(line: Line, peer: Peer) -> None:
    assert peer.writer is not None
    peer.writer.write(b"unasked")

    # The stream reads ahead only when it is asked to: what has come lies in the socket.
    await until_readable(line)
    assert await line.read(100) == b"unasked"


async def test_the_other_side_has_left(line: Line, peer: Peer) -> None:
    assert peer.writer is not None
    peer.writer.close()

    await until_readable(line)


async def test_one_that_is_closed_is_not_taken_for_another(line: Line) -> None:
    """Its number is the next connection's."""
    number = line.get_extra_info("socket").fileno()
    await line.aclose()
    await asyncio.sleep(0)
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        assert other.fileno() <= number
        assert is_readable(line)
