"""A download is as guarded as any call, and arrives in pieces."""

import asyncio
import gzip

import pytest
from web_server import Maker, Server, answer_of

from backend.adapters.web import GuardedWebClient
from backend.core.errors import WebFailed, WebRefused, WebTimedOut, WebTooLarge
from backend.ports.web import WebLimits


async def fetched(client: GuardedWebClient, url: str, limits: WebLimits | None = None) -> bytes:
    async with client.download(url, limits=limits) as answer:
        return b"".join([piece async for piece in answer.pieces])


async def test_the_body_comes_in_pieces_that_make_it_up(server: Server, make: Maker) -> None:
    body = bytes(range(256)) * 4000
    packed = answer_of(gzip.compress(body), "Content-Encoding: gzip", "Content-Type: a/b; c=d")
    server.answers["/x"] = packed

    async with make("127.0.0.1").download(server.url("/x")) as answer:
        pieces = [piece async for piece in answer.pieces]

    assert (answer.status, answer.media_type, answer.url) == (200, "a/b", server.url("/x"))
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) <= 65_536


async def test_a_redirect_is_followed(server: Server, make: Maker) -> None:
    server.answers["/a"] = answer_of(b"", "Location: /b", status=302)

    assert await fetched(make("127.0.0.1"), server.url("/a")) == b"hello"


async def test_each_hop_is_judged(server: Server, make: Maker) -> None:
    server.answers["/a"] = answer_of(b"", "Location: http://10.0.0.1/", status=302)

    with pytest.raises(WebRefused):
        await fetched(make("127.0.0.1"), server.url("/a"))
    with pytest.raises(WebRefused):
        await fetched(make(), server.url("/a"))


async def test_a_circle_of_redirects_ends(server: Server, make: Maker) -> None:
    server.answers["/a"] = answer_of(b"", "Location: /a", status=302)

    with pytest.raises(WebFailed, match="too often"):
        await fetched(make("127.0.0.1"), server.url("/a"))


async def test_a_status_of_failure_is_an_answer_too(server: Server, make: Maker) -> None:
    server.answers["/a"] = answer_of(b"no", status=404)

    async with make("127.0.0.1").download(server.url("/a")) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("headers", [("Content-Length: 99999999",), ()])
async def test_what_is_too_large_is_cut_off(
    headers: tuple[str, ...], server: Server, make: Maker
) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(["HTTP/1.1 200 X", *headers, "", ""]).encode())
        while not writer.is_closing():
            writer.write(b"x" * 10_000)
            await writer.drain()

    server.answers["/"] = endless

    with pytest.raises(WebTooLarge):
        await fetched(make("127.0.0.1"), server.url(), WebLimits(max_bytes=100_000))


async def test_the_time_limit_counts_for_the_body_too(server: Server, make: Maker) -> None:
    async def stuck(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nx")
        await writer.drain()
        await asyncio.Event().wait()

    server.answers["/"] = stuck

    with pytest.raises(WebTimedOut):
        await fetched(make("127.0.0.1"), server.url(), WebLimits(timeout_s=0.1))


async def test_a_time_out_of_the_readers_own_stays_theirs(server: Server, make: Maker) -> None:
    async def read_with_an_error() -> None:
        async with make("127.0.0.1").download(server.url()):
            raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await read_with_an_error()
