"""Virus scans against a small clamd of the tests, which speaks its protocol over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

import pytest

from backend.adapters.clamav import ClamdScanner
from backend.core.errors import BadRequest, Unavailable

VIRUS = b"X5O!P%@AP"
LIMIT = 1_000

Handler: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Clamd:
    """Answers PING and INSTREAM in a session; hangs up on what is longer than LIMIT."""

    def __init__(self) -> None:
        self.scanned: list[bytes] = []
        self.answer = b""
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = 0
        with suppress(OSError, asyncio.IncompleteReadError):
            assert await reader.readuntil(b"\0") == b"zIDSESSION\0"
            while True:
                command = await reader.readuntil(b"\0")
                number += 1
                if command == b"zPING\0":
                    answer = b"PONG\0"
                else:
                    assert command == b"zINSTREAM\0"
                    answer = await self.verdict(reader)
                writer.write(b"%d: %s" % (number, answer))
                await writer.drain()
                if answer.endswith(b"exceeded. ERROR\0"):
                    break
        writer.close()

    async def verdict(self, reader: asyncio.StreamReader) -> bytes:
        content = b""
        while length := int.from_bytes(await reader.readexactly(4), "big"):
            content += await reader.readexactly(length)
            if len(content) > LIMIT:
                return b"INSTREAM size limit exceeded. ERROR\0"
        self.scanned.append(content)
        if self.answer:
            return self.answer
        return b"stream: Eicar-Test FOUND\0" if VIRUS in content else b"stream: OK\0"


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    async with await asyncio.start_server(handler, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Something else has that port."""
    writer.write(b"220 mail.example\r\n\0")
    with suppress(OSError):
        await writer.drain()
        await reader.read()
    writer.close()


async def through(scanner: ClamdScanner, *pieces: bytes) -> bytes:
    async def content() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return b"".join([piece async for piece in scanner.checked(content())])


async def closed_port() -> int:
    async with listening(hang_up) as port:
        return port


async def test_each_file_is_looked_at_in_one_connection() -> None:
    clamd = Clamd()
    async with listening(clamd.serve) as port:
        for _ in range(3):
            await through(ClamdScanner("", port), b"x")

    assert clamd.connections == 3


@pytest.mark.parametrize("number", [b"", b"1: ", b"3: ", b"22: "])
async def test_an_answer_to_something_else_is_no_verdict(number: bytes) -> None:
    """Clean is only what was said to be clean."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"zPING\0")
        writer.write(b"1: PONG\0")
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\0\0\0\0")
            writer.write(number + b"stream: OK\0")
            await writer.drain()
        writer.close()

    async with listening(serve) as port:
        with pytest.raises(Unavailable):
            await through(ClamdScanner("127.0.0.1", port), b"x")


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
async def test_what_is_clean_passes_in_its_pieces(host: str) -> None:
    clamd = Clamd()
    async with listening(clamd.serve) as port:
        scanner = ClamdScanner(host, port)

        assert await through(scanner, b"ab", b"", b"c") == b"abc"
        assert await scanner.said() == f"on, by clamd at 127.0.0.1:{port}"

    assert clamd.scanned == [b"abc"]
    assert clamd.connections == 2  # one for the file, and one to say who looks


@pytest.mark.parametrize("pieces", [(VIRUS,), (b"..." + VIRUS[:4], VIRUS[4:] + b"...")])
async def test_what_is_found_is_refused_by_name(pieces: tuple[bytes, ...]) -> None:
    async with listening(Clamd().serve) as port:
        with pytest.raises(BadRequest, match="found 'Eicar-Test' in it"):
            await through(ClamdScanner("", port), *pieces)


async def test_what_is_too_large_to_be_looked_at_is_refused() -> None:
    async with listening(Clamd().serve) as port:
        with pytest.raises(BadRequest, match="larger than the virus scanner looks at"):
            await through(ClamdScanner("", port), *[b"x" * 600] * 40)


@pytest.mark.parametrize(
    "answer", [b"stream: out of memory ERROR\0", b"\0", b"stream: OK FOUNDLING\0"]
)
async def test_what_could_not_be_looked_at_is_not_taken(answer: bytes) -> None:
    clamd = Clamd()
    clamd.answer = answer
    async with listening(clamd.serve) as port:
        with pytest.raises(Unavailable):
            await through(ClamdScanner("", port), b"x")


async def test_a_scanner_that_was_named_and_is_not_there_lets_nothing_in() -> None:
    scanner = ClamdScanner("127.0.0.1", await closed_port())

    with pytest.raises(Unavailable, match="cannot be reached"):
        await through(scanner, b"x")

    assert (await scanner.said()).startswith("no file is taken: ")


@pytest.mark.parametrize("handler", [hang_up, greet])
async def test_a_scanner_that_was_named_and_is_something_else_lets_nothing_in(
    handler: Handler,
) -> None:
    async with listening(handler) as port:
        with pytest.raises(Unavailable, match="cannot be used"):
            await through(ClamdScanner("127.0.0.1", port), b"x")


@pytest.mark.parametrize("handler", [None, hang_up, greet])
async def test_where_none_was_named_and_none_answers_nothing_is_scanned(
    handler: Handler | None,
) -> None:
    if handler is None:
        scanner = ClamdScanner("", await closed_port())
        assert await through(scanner, VIRUS) == VIRUS
        assert (await scanner.said()).startswith("off: no clamd answers at 127.0.0.1:")
        return
    async with listening(handler) as port:
        assert await through(ClamdScanner("", port), VIRUS) == VIRUS


async def test_a_scanner_that_hangs_up_in_the_middle_lets_nothing_in() -> None:
    """One that has said it is there must look at the file."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"zPING\0")
        writer.write(b"1: PONG\0")
        await writer.drain()
        writer.close()

    async with listening(serve) as port:
        with pytest.raises(Unavailable):
            await through(ClamdScanner("", port), b"x", b"y")
