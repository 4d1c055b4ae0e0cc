"""What a hostile server can send, and where it ends."""

import asyncio
import gzip
import random
import zlib

import pytest
from web_server import Maker, Server, answer_of

from backend.core.errors import WebFailed, WebTimedOut, WebTooLarge
from backend.ports.web import WebLimits


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"text" * 999, mtime=0)),
        ("gzip", gzip.compress(b"text" * 500, mtime=0) + gzip.compress(b"text" * 499, mtime=0)),
        ("deflate", zlib.compress(b"text" * 999)),
        ("deflate", zlib.compress(b"text" * 999)[2:-4]),
    ],
)
async def test_a_compressed_answer_is_unpacked(
    encoding: str, packed: bytes, server: Server, make: Maker
) -> None:
    server.answers["/"] = answer_of(packed, f"Content-Encoding: {encoding}")

    answer = await make("127.0.0.1").send("GET", server.url())

    assert answer.content == b"text" * 999


@pytest.mark.parametrize("max_bytes", [1_000_000, 100_000_000])
async def test_a_decompression_bomb_is_defused(max_bytes: int, server: Server, make: Maker) -> None:
    """By its size when that is over the limit, by its ratio when it is not."""
    bomb = gzip.compress(bytes(50_000_000))
    server.answers["/"] = answer_of(bomb, "Content-Encoding: gzip")

    with pytest.raises(WebTooLarge):
        await make("127.0.0.1").send("GET", server.url(), limits=WebLimits(max_bytes=max_bytes))


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", b"x"),
        ("gzip, gzip", b"x"),
        ("gzip", b"x"),
        ("gzip", gzip.compress(b"x", mtime=0)[:-9]),
    ],
)
async def test_broken_or_foreign_compression_is_a_failure(
    encoding: str, body: bytes, server: Server, make: Maker
) -> None:
    server.answers["/"] = answer_of(body, f"Content-Encoding: {encoding}")

    with pytest.raises(WebFailed):
        await make("127.0.0.1").send("GET", server.url())


async def test_an_answer_over_the_limit_is_cut_off_even_if_it_never_said_its_length(
    server: Server, make: Maker
) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    server.answers["/"] = endless
    server.answers["/said"] = answer_of(b"x" * 2000)
    client = make("127.0.0.1")

    with pytest.raises(WebTooLarge):
        await client.send("GET", server.url(), limits=WebLimits(max_bytes=1_000_000))
    with pytest.raises(WebTooLarge):
        await client.send("GET", server.url("/said"), limits=WebLimits(max_bytes=1999))


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"]
)
async def test_a_server_that_drips_ends_at_the_time_limit(
    start: bytes, server: Server, make: Maker
) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    server.answers["/"] = drip

    with pytest.raises(WebTimedOut):
        await make("127.0.0.1").send("GET", server.url(), limits=WebLimits(timeout_s=0.2))


async def test_a_server_that_says_nothing_ends_at_the_read_limit(
    server: Server, make: Maker
) -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    server.answers["/"] = silent

    with pytest.raises(WebTimedOut):
        await make("127.0.0.1", read_limit_s=0.05).send("GET", server.url())


@pytest.mark.parametrize(
    "headers", [["X: " + "x" * 200_000], ["X: " + "x" * 70_000], ["A: b"] * 500]
)
async def test_huge_headers_are_refused(headers: list[str], server: Server, make: Maker) -> None:
    server.answers["/"] = answer_of(b"", *headers)

    with pytest.raises(WebFailed):
        await make("127.0.0.1").send("GET", server.url())


@pytest.mark.parametrize(
    "nonsense", [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"]
)
async def test_what_is_no_http_is_a_failure_that_does_not_quote_the_banner(
    nonsense: bytes, server: Server, make: Maker
) -> None:
    server.answers["/"] = nonsense

    with pytest.raises(WebFailed) as caught:
        await make("127.0.0.1").send("GET", server.url("/"))

    assert "OpenSSH" not in str(caught.value)


async def test_an_honestly_packed_answer_is_measured_unpacked(server: Server, make: Maker) -> None:
    packed = gzip.compress(random.Random(1).randbytes(5_000).hex().encode())
    server.answers["/"] = answer_of(packed, "Content-Encoding: gzip")

    with pytest.raises(WebTooLarge):
        await make("127.0.0.1").send("GET", server.url(), limits=WebLimits(max_bytes=9_000))


async def test_bytes_that_unpack_to_nothing_count_too(server: Server, make: Maker) -> None:
    packed = gzip.compress(b"small") + bytes(5_000)
    head = b"HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.answers["/"] = head + f"{len(packed):x}\r\n".encode() + packed + b"\r\n0\r\n\r\n"

    with pytest.raises(WebTooLarge):
        await make("127.0.0.1").send("GET", server.url(), limits=WebLimits(max_bytes=4_000))
