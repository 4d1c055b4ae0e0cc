"""Connections on the event loop's transports: on both kinds of loops, in the clear and under TLS."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpcore2
import pytest

from backend.adapters.web import GuardedWebClient
from backend.adapters.web.lines import Line
from backend.core.errors import WebFailed
from tests.certificates import Authority

MUCH = b"0123456789" * 1_000_000
NAME = "api.example.com"


class Peer:
    """The other side of one connection."""

    def __init__(self) -> None:
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self.here = asyncio.Event()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.here.set()


@asynccontextmanager
async def connected(tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Line, Peer]]:
    """Give a connection, and who is at its other end."""
    peer = Peer()
    server = await asyncio.start_server(peer.take, "127.0.0.1", 0, ssl=tls)
    line = await Line.connect("127.0.0.1", server.sockets[0].getsockname()[1], limit_s=5)
    if tls is None:
        await peer.here.wait()
    try:
        yield line, peer
    finally:
        await line.aclose()
        if peer.here.is_set():
            peer.writer.close()
        server.close()


@pytest.fixture
async def both() -> AsyncIterator[tuple[Line, Peer]]:
    async with connected() as made:
        yield made


@pytest.fixture
def line(both: tuple[Line, Peer]) -> Line:
    return both[0]


@pytest.fixture
def peer(both: tuple[Line, Peer]) -> Peer:
    return both[1]


def is_readable(line: Line) -> bool:
    return bool(line.get_extra_info("is_readable"))


async def until_readable(line: Line) -> None:
    async with asyncio.timeout(5):
        while not is_readable(line):  # noqa: ASYNC110 -- that is what is asked
            await asyncio.sleep(0.001)


async def read_all(line: Line, count: int) -> bytes:
    found = b""
    while len(found) < count and (piece := await line.read(65_536, 5)):
        assert len(piece) <= 65_536
        found += piece
    return found


# Whether something has come: what the pool asks before it uses a connection again.


async def test_nothing_has_come(line: Line) -> None:
    assert not is_readable(line)
    await line.write(b"asked")
    assert not is_readable(line)


async def test_something_has_come(line: Line, peer: Peer) -> None:
    peer.writer.write(b"unasked")

    await until_readable(line)
    assert await line.read(2) == b"un"
    assert await line.read(100) == b"asked"
    assert not is_readable(line)


async def test_the_other_side_has_left(line: Line, peer: Peer) -> None:
    peer.writer.close()

    await until_readable(line)
    assert await line.read(100, 5) == b""


async def test_the_end_is_seen_before_the_loop_has_turned(line: Line, peer: Peer) -> None:
    """A busy loop learns late what the system knows."""
    with closing(socket.fromfd(peer.writer.get_extra_info("socket").fileno(), 2, 1)) as other:
        other.shutdown(socket.SHUT_RDWR)
    assert is_readable(line)


async def test_one_that_is_closed_is_not_taken_for_another(line: Line) -> None:
    """Its number is the next connection's."""
    number = line.get_extra_info("socket").fileno()
    await line.aclose()
    await asyncio.sleep(0.01)
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        assert other.fileno() <= number
        assert is_readable(line)
    with pytest.raises(httpcore2.WriteError):
        await line.write(b"late")


# Reading and writing.


async def test_much_comes_in_order_and_waits_at_the_other_side(line: Line, peer: Peer) -> None:
    peer.writer.write(MUCH)
    await asyncio.sleep(0.1)
    # What has come ahead is bounded: the rest is in the system, or not sent.
    transport = peer.writer.transport
    assert transport.get_write_buffer_size() > 0
    assert await read_all(line, len(MUCH)) == MUCH


async def test_much_is_written_in_order(line: Line, peer: Peer) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(line.write(MUCH, 5))
        assert await peer.reader.readexactly(len(MUCH)) == MUCH


async def test_silence_is_told(line: Line) -> None:
    with pytest.raises(httpcore2.ReadTimeout):
        await line.read(100, 0.02)


async def test_who_does_not_read_is_told(line: Line) -> None:
    with pytest.raises(httpcore2.WriteTimeout):
        await line.write(MUCH * 2, 0.05)


async def test_one_that_breaks_ends_who_reads_and_who_writes(line: Line, peer: Peer) -> None:
    writes = asyncio.create_task(line.write(MUCH * 2, 5))
    await asyncio.sleep(0.05)
    peer.writer.transport.abort()
    with pytest.raises(httpcore2.WriteError):
        await writes
    with pytest.raises(httpcore2.ReadError):
        await line.read(100, 5)


async def test_who_is_not_there_is_told() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(httpcore2.ConnectError):
        await Line.connect("127.0.0.1", port, limit_s=5)


# Under TLS.


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def serving(authority: Authority, *hosts: str) -> ssl.SSLContext:
    """Return what a server has that is *hosts*."""
    signed = authority.sign("server", *hosts)
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(signed.certificate, signed.key)
    return made


def trusting(*files: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for file in files:
        made.load_verify_locations(file)
    return made


async def test_a_connection_becomes_a_secret_one(authority: Authority) -> None:
    async with connected(serving(authority, NAME)) as (line, peer):
        secret = await line.start_tls(trusting(authority.file), NAME, 5)
        await peer.here.wait()
        assert secret.get_extra_info("ssl_object").version() == "TLSv1.3"
        await secret.write(b"asked", 5)
        assert await peer.reader.readexactly(5) == b"asked"
        peer.writer.write(MUCH)
        assert isinstance(secret, Line)
        assert await read_all(secret, len(MUCH)) == MUCH
        # What TLS says for itself, as tickets of the session, is nothing that has come.
        assert not is_readable(secret)
        peer.writer.close()
        await until_readable(secret)


@pytest.mark.parametrize("hosts", [["other.example.com"], []])
async def test_who_is_another_is_not_spoken_to(authority: Authority, hosts: list[str]) -> None:
    async with connected(serving(authority, *hosts)) as (line, _):
        with pytest.raises(httpcore2.ConnectError):
            await line.start_tls(trusting(authority.file), NAME, 5)
        assert is_readable(line)  # it is closed


async def test_who_says_nothing_is_told() -> None:
    async with connected() as (line, _):
        with pytest.raises(httpcore2.ConnectTimeout):
            await line.start_tls(trusting(), NAME, 0.05)
        assert is_readable(line)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request with its first line."""
    while head := await reader.readuntil(b"\r\n\r\n"):
        said = head.partition(b"\r\n")[0]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(said), said))


@pytest.mark.parametrize(("host", "knows"), [(NAME, True), (NAME, False), ("b.example.com", True)])
async def test_calls_are_secret_and_go_to_who_it_is(
    authority: Authority, tmp_path: Path, host: str, *, knows: bool
) -> None:
    async def resolve(_: str, __: int) -> list[str]:
        return ["127.0.0.1"]

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=serving(authority, NAME))
    port = server.sockets[0].getsockname()[1]
    stranger = Authority(tmp_path, "stranger")
    client = GuardedWebClient(
        [f"{host}:{port}"],
        resolver=resolve,
        tls=trusting(authority.file if knows else stranger.file),
    )
    try:
        if host == NAME and knows:
            for _ in range(3):
                said = await client.send("GET", f"https://{host}:{port}/path")
                assert said.content == b"GET /path HTTP/1.1"
        else:
            with pytest.raises(WebFailed):
                await client.send("GET", f"https://{host}:{port}/path")
    finally:
        await client.aclose()
        server.close()
