"""The ways of members to their servers, by this process, which can cut them or let nothing through.

They go by ports of this machine. No privilege is needed, and nobody else's connection is touched.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

T = TypeVar("T")

_PORTS: Final = {"postgresql": 5432, "postgres": 5432, "amqp": 5672}
_HERE: Final = "127.0.0.1"
_PIECE: Final = 65_536
_LIMIT_S: Final = 20.0


def may_be_cut(url: str) -> bool:
    """
    Say whether the way to *url* can lead through here.

    Not by a socket of the file system, nor to one of several hosts, nor where a certificate must
    be for the host that a client believes to ask: of PostgreSQL it can be told, of a broker not.
    """
    parts = urlsplit(url)
    named = {name for name, _ in parse_qsl(parts.query)}
    return (
        parts.scheme in _PORTS
        and bool(parts.hostname)
        and "," not in parts.netloc
        and named.isdisjoint({"host", "hostaddr", "port"})
    )


class Ways:
    """All ways of a check, on a thread of their own. Close them."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ways", daemon=True)
        self._thread.start()
        self._made: list[Way] = []

    def to(self, url: str) -> "Way":
        """Return a new way to *url*; it is open."""
        way = Way(url)
        self.do(way.open)
        self._made.append(way)
        return way

    def cut(self, ways: Iterable["Way"]) -> int:
        """End all connections on these; new ones come through. Return how many there were."""
        return self.do(lambda: _gathered(way.cut for way in ways))

    def hold(self, ways: Iterable["Way"]) -> None:
        """Let nothing through on these, and say so to nobody."""
        for way in ways:
            self._loop.call_soon_threadsafe(way.passable.clear)

    def release(self, ways: Iterable["Way"]) -> None:
        """Let everything through again, first what was on its way."""
        for way in ways:
            self._loop.call_soon_threadsafe(way.passable.set)

    def close(self) -> None:
        """End all. Twice is harmless."""
        if self._loop.is_closed():
            return
        self.do(lambda: _gathered(way.close for way in self._made))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def do(self, work: Callable[[], Awaitable[T]]) -> T:
        """Have the thread do *work*; return what comes of it."""

        async def done() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(_LIMIT_S)


async def _gathered(works: Iterable[Callable[[], Awaitable[int]]]) -> int:
    return sum([await work() for work in works])


class Way:
    """
    One way of one member. All but `url` is used from the thread of `Ways`.

    Attributes:
        passable: Whether something comes through.
    """

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self.passable = asyncio.Event()
        self.passable.set()
        self._server: asyncio.Server | None = None
        self._going: set[asyncio.Task[None]] = set()
        self._port = 0

    @property
    def url(self) -> str:
        """The server's address, by this way; its name stays, for certificates are for that."""
        login, at, _ = self._parts.netloc.rpartition("@")
        if self._parts.scheme == "amqp":
            return urlunsplit(self._parts._replace(netloc=f"{login}{at}{_HERE}:{self._port}"))
        query = dict(parse_qsl(self._parts.query)) | {"hostaddr": _HERE}
        host = self._parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        return urlunsplit(
            self._parts._replace(
                netloc=f"{login}{at}{host}:{self._port}", query=urlencode(query, quote_via=quote)
            )
        )

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._come, _HERE, 0)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> int:
        """See `Ways.cut`."""
        going = list(self._going)
        for task in going:
            task.cancel()
        if going:
            await asyncio.wait(going)
        return len(going)

    async def close(self) -> int:
        """End it."""
        if self._server is not None:
            self._server.close()
        return await self.cut()

    async def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._join(reader, writer))
        self._going.add(task)
        task.add_done_callback(self._going.discard)
        await asyncio.wait([task])

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry both directions until one side ends; then the other is ended too, at once."""
        writers = [writer]
        works: list[asyncio.Task[None]] = []
        try:
            await self.passable.wait()
            port = self._parts.port or _PORTS[self._parts.scheme]
            there = await asyncio.open_connection(self._parts.hostname, port)
            writers.append(there[1])
            works += [
                asyncio.create_task(self._carry(reader, there[1])),
                asyncio.create_task(self._carry(there[0], writer)),
            ]
            await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass  # nobody is there: the member sees it by the end of its connection
        finally:
            for work in works:
                work.cancel()
            for one in writers:
                one.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(_PIECE):
                await self.passable.wait()
                writer.write(piece)
                await writer.drain()
            await self.passable.wait()  # an end is told no sooner than what was said before it
            writer.close()
            await writer.wait_closed()
        except OSError:
            return
