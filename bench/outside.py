"""Something outside that steps of a run ask, slowly, and that counts how often each did."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Outside:
    """Answers `POST /<step>` after a while."""

    def __init__(self, slow_s: float) -> None:
        self._slow_s = slow_s
        self.asked: Counter[str] = Counter()
        self.last_s = 0.0  #: when it was asked last, by time.perf_counter
        self._news = asyncio.Condition()
        self._talks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Give the address while it listens."""
        listener = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        async with listener:
            port = listener.sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{port}"
        # Who talked to it has gone, and waits for no answer any more.
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def wait_for(self, requests: int) -> None:
        """Wait until it was asked so often."""
        async with self._news:
            await self._news.wait_for(lambda: self.asked.total() >= requests)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.create_task(self._answer_all(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Whoever asks may be killed in the middle.
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    await self._answer(reader, writer)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        fields = dict(
            line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line
        )
        await reader.readexactly(int(fields.get("content-length", "0")))
        step = head.split(" ", 2)[1].strip("/")
        async with self._news:
            self.asked[step] += 1
            self.last_s = time.perf_counter()
            self._news.notify_all()
        await asyncio.sleep(self._slow_s)
        body = b'{"done": true}'
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        await writer.drain()
