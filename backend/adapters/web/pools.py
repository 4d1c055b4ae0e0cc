"""Connections kept open, in small pools: what the library's pool does per call grows with its size."""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, Final

import httpcore2

#: Connections of one pool. It looks through all of them at each call, so that a large one makes
#: every call dear; and few enough calls at a time stay in the first pool, and find theirs open.
POOL_SIZE: Final = 32


class Pools:
    """
    As many pools of POOL_SIZE connections as the calls in flight need; new ones are made as needed.

    Args:
        make: Makes a pool of so many connections.
        max_connections: Of all pools together; more calls wait, within their time limits.
    """

    def __init__(
        self, make: Callable[[int], httpcore2.AsyncConnectionPool], *, max_connections: int
    ) -> None:
        self._make = make
        self._max_connections = max_connections
        self._pools: list[_Pool] = []

    async def send(self, request: httpcore2.Request) -> httpcore2.Response:
        """Send one request; its place in a pool is free again when the answer is closed."""
        pool = self._choose()
        pool.in_flight += 1
        try:
            answer = await pool.connections.handle_async_request(request)
        except BaseException:
            pool.in_flight -= 1
            raise
        return httpcore2.Response(
            status=answer.status,
            headers=answer.headers,
            content=_Answer(answer.stream, pool),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        pools, self._pools = self._pools, []
        for pool in pools:
            await pool.connections.aclose()

    def _choose(self) -> "_Pool":
        for pool in self._pools:
            if pool.in_flight < pool.size:
                return pool
        left = self._max_connections - sum(pool.size for pool in self._pools)
        if left > 0:
            size = min(POOL_SIZE, left)
            self._pools.append(_Pool(self._make(size), size))
            return self._pools[-1]
        return min(self._pools, key=lambda pool: pool.in_flight / pool.size)


class _Pool:
    def __init__(self, connections: httpcore2.AsyncConnectionPool, size: int) -> None:
        self.connections = connections
        self.size = size
        self.in_flight = 0


class _Answer:
    """The body of an answer; gives its place back when it is closed."""

    def __init__(self, inner: Any, pool: _Pool) -> None:
        self._inner: AsyncIterable[bytes] = inner
        self._close = inner.aclose
        self._pool: _Pool | None = pool

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._inner:
            yield part

    async def aclose(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.in_flight -= 1
        await self._close()
