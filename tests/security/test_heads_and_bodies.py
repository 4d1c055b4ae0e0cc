"""Requests that are too much, too slow, or two things at once, over a real socket."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from backend.api import middleware
from backend.api.wary import WaryProtocol
from tests.security.real_server import LIMIT_S, RealServer, real_server, status_of


@pytest.fixture
async def server() -> AsyncIterator[RealServer]:
    async with real_server(body_limit_bytes=100_000) as made:
        yield made


async def alive(server: RealServer) -> bool:
    return status_of(await server.send(server.request("GET", "/health/live"))) == 200


async def test_a_plain_request_passes(server: RealServer) -> None:
    assert status_of(await server.send(server.request("GET", "/api/graphs"))) == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /health/live?" + b"q" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /" + b"p" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 200 + b"\r\n", 431),
        (b"GET /health/live HTTP/1.1\r\nX: " + b"x" * 60_000 + b"\r\nY: " + b"y" * 60_000, 431),
        (b"GET /" + b"p" * 500_000, 431),
        (b"GET /health/live HTTP/1.1\r\n" + b"n" * 500_000, 431),
    ],
    ids=["query", "path", "count", "size", "a line without end", "a name without end"],
)
async def test_a_head_over_a_limit_is_refused_and_closed(
    server: RealServer, head: bytes, status: int
) -> None:
    assert status_of(await server.send(head)) == status
    assert await alive(server)


async def test_an_endless_head_is_cut_off(server: RealServer) -> None:
    """It comes in small pieces, each of which is fine."""
    begun = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"

    answer = await server.send(begun, *[b"X-More: " + b"y" * 990 + b"\r\n"] * 200)

    assert status_of(answer) == 431
    assert await alive(server)


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /hea",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /api/graphs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
        b"POST /api/graphs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
    ids=["nothing", "a line", "a header", "a body", "a chunk"],
)
async def test_who_begins_and_does_not_go_on_is_let_go(
    server: RealServer, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("head_s", "body_s"):
        monkeypatch.setattr(WaryProtocol, name, 0.05)
    if b"POST" in begun:  # a stranger would be refused before the body
        token = server.rest.as_user("ann")["Authorization"].encode()
        begun = begun.replace(b"Host: x", b"Host: x\r\nAuthorization: " + token)

    answer = await server.send(begun)

    assert status_of(answer) in ((0,) if not begun else (408,))


async def test_more_connections_than_there_is_room_for_are_told_so(
    server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WaryProtocol, "max_connections", 2)
    held = [await server.open() for _ in range(2)]
    for reader, writer in held:
        writer.write(server.request("GET", "/health/live", Connection="keep-alive"))
        await reader.readuntil(b"}")

    assert status_of(await server.send(b"")) == 503

    for _, writer in held:
        writer.close()
        await writer.wait_closed()
    async with asyncio.timeout(LIMIT_S):
        while not await alive(server):
            pass


@pytest.mark.slow
async def test_a_body_that_drips_is_let_go_and_a_slow_one_is_not(
    server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WaryProtocol, "body_s", 0.05)
    monkeypatch.setattr(WaryProtocol, "body_bytes", 10)

    async def sent_in_pieces_of(size: int) -> int:
        body = b'{"graph": ' + b" " * 90
        whole = server.request("POST", "/api/graphs", body)
        reader, writer = await server.open()
        writer.write(whole[: -len(body)])
        try:
            for at in range(0, len(body), size):
                writer.write(body[at : at + size])
                await writer.drain()
                await asyncio.sleep(0.01)
            async with asyncio.timeout(LIMIT_S):
                return status_of(await reader.read())
        except ConnectionError:
            return 408  # it was let go while it dripped
        finally:
            writer.close()

    assert await sent_in_pieces_of(1) == 408
    assert await sent_in_pieces_of(50) == 422


async def test_a_second_request_has_its_own_time(
    server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WaryProtocol, "head_s", 0.05)
    reader, writer = await server.open()
    whole = server.request("GET", "/health/live").replace(b"Connection: close\r\n", b"")
    writer.write(whole)
    await reader.readuntil(b'{"status":"alive"}')

    await asyncio.sleep(0.15)  # nothing is begun: only keep-alive counts
    writer.write(whole)
    assert status_of(await reader.readuntil(b'{"status":"alive"}')) == 200
    writer.write(whole[:10])

    async with asyncio.timeout(LIMIT_S):
        assert status_of(await reader.read()) == 408
    writer.close()


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 5, 6"],
        ["Content-Length: +5"],
        ["Content-Length: 0x5"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding : chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: x"],
        [" Transfer-Encoding: chunked"],
        ["X: a\rTransfer-Encoding: chunked"],
        ["X: a\x00b"],
    ],
)
async def test_a_request_with_two_ends_is_none(
    server: RealServer, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes after the first end would be the next request of somebody else."""
    failed: list[object] = []
    monkeypatch.setattr(middleware.log, "exception", lambda *said, **_: failed.append(said))
    hidden = b"0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    head = "\r\n".join(["POST /health/live HTTP/1.1", "Host: x", *lines, "", ""]).encode()

    answer = await server.send(head + hidden)

    assert status_of(answer) == 400
    assert b"alive" not in answer
    await asyncio.sleep(0)
    assert await alive(server)
    assert failed == []  # whoever was answering hears that nobody is there


async def test_a_body_over_the_limit_is_refused_however_it_comes(server: RealServer) -> None:
    whole = server.request("POST", "/api/graphs", b" " * 200_000)
    reader, writer = await server.open()
    writer.write(whole.replace(b"Connection: close\r\n", b""))
    said = await reader.readuntil(b"\r\n")
    writer.close()
    chunked = server.request("POST", "/api/graphs", Content_Length="-", Transfer_Encoding="chunked")
    unsaid = await server.send(chunked, *[b"2710\r\n" + b" " * 10_000 + b"\r\n"] * 20, b"0\r\n\r\n")

    assert status_of(said) == 413
    assert status_of(unsaid) in (0, 413)  # it may close while we are still sending
    assert await alive(server)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_a_packed_body_is_not_unpacked(server: RealServer, encoding: str) -> None:
    """So it cannot be a bomb."""
    bomb = bytes.fromhex("1f8b08000000000000ff") + b"\0" * 50
    request = server.request("POST", "/api/graphs", bomb, Content_Encoding=encoding)

    assert status_of(await server.send(request)) == 422
