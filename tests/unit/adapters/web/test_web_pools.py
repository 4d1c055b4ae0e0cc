"""Connections are kept, shared, and as many as the calls in flight need."""

import asyncio
import ssl

import httpcore2
import pytest
from web_server import Maker, Server, answer_of

from backend.adapters.web import GuardedWebClient
from backend.adapters.web import client as module
from backend.adapters.web.pools import POOL_SIZE, Pools


class _Gate:
    """Holds answers back until as many calls have come as are waited for."""

    def __init__(self, calls: int) -> None:
        self.inside = self.most = 0
        self._calls = calls
        self._open = asyncio.Event()

    async def __call__(self, writer: asyncio.StreamWriter) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.inside == self._calls:
            self._open.set()
        await self._open.wait()
        self.inside -= 1
        writer.write(answer_of(b"hello"))
        await writer.drain()


async def test_more_calls_at_once_than_one_pool_holds_all_get_through(
    server: Server, make: Maker
) -> None:
    calls = POOL_SIZE * 3 + 1
    gate = server.answers["/"] = _Gate(calls)
    client = make("127.0.0.1")

    for _ in range(2):
        answers = await asyncio.gather(*(client.send("GET", server.url()) for _ in range(calls)))
        assert [answer.status for answer in answers] == [200] * calls

    assert gate.most == server.connections == calls


async def test_no_more_connections_than_are_allowed(server: Server, make: Maker) -> None:
    allowed = POOL_SIZE + 3
    gate = server.answers["/"] = _Gate(allowed)
    client = make("127.0.0.1", max_connections=allowed)

    answers = await asyncio.gather(*(client.send("GET", server.url()) for _ in range(allowed * 3)))

    assert len(answers) == allowed * 3
    assert gate.most == server.connections == allowed


async def test_calls_that_were_given_up_or_refused_give_their_places_back(server: Server) -> None:
    server.answers["/slow"] = _Gate(99)
    made: list[int] = []

    def make(size: int) -> httpcore2.AsyncConnectionPool:
        made.append(size)
        return httpcore2.AsyncConnectionPool(max_connections=size)

    pools = Pools(make, max_connections=POOL_SIZE * 2)
    for path in [b"/slow", b"/nobody"] * POOL_SIZE:
        port = server.port if path == b"/slow" else 1
        url = httpcore2.URL(scheme=b"http", host=b"127.0.0.1", port=port, target=path)
        with pytest.raises((TimeoutError, httpcore2.ConnectError)):
            async with asyncio.timeout(0.01 if path == b"/slow" else 10):
                await pools.send(httpcore2.Request("GET", url, headers={"Host": "x"}))
    await pools.aclose()

    assert made == [POOL_SIZE]


async def test_calls_that_come_together_read_the_certificates_once(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ssl.SSLContext] = []

    def read() -> ssl.SSLContext:
        made.append(ssl.create_default_context())
        return made[-1]

    monkeypatch.setattr(module, "_system_tls", read)
    client = GuardedWebClient(("127.0.0.1",))

    await asyncio.gather(*(client.send("GET", server.url()) for _ in range(20)))
    await client.aclose()

    assert len(made) == 1


async def test_certificates_that_could_not_be_read_are_read_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    def read() -> ssl.SSLContext:
        tries.append("a try")
        if len(tries) == 1:
            raise OSError("too many open files")
        return ssl.create_default_context()

    monkeypatch.setattr(module, "_system_tls", read)
    client = GuardedWebClient(("127.0.0.1",))

    with pytest.raises(OSError, match="too many"):
        await client.send("GET", server.url())
    answer = await client.send("GET", server.url())
    await client.aclose()

    assert answer.status == 200
