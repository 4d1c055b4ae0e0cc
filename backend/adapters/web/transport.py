"""The socket under every call: dials only what the gate has checked. Loads the HTTP library."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from ssl import SSLContext
from typing import Any, Final, cast

import httpcore2
import httpx2

from backend.adapters.web.gate import Gate
from backend.adapters.web.lines import Line
from backend.adapters.web.pools import Pools
from backend.adapters.web.targets import target_of
from backend.adapters.web.trust import TrustList

MAX_DIALS: Final = 4
KEEP_ALIVE_S: Final = 30.0


class CheckedDialler(httpcore2.AsyncNetworkBackend):
    """Opens connections by address; the name stays for TLS and the Host header."""

    def __init__(self, gate: Gate, *, trusted: bool) -> None:
        self._gate = gate
        self._trusted = trusted

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the library's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve *host* once, check all answers, dial them in turn until one picks up."""
        until = time.monotonic() + (timeout or 10.0)
        addresses = (await self._gate.addresses(host, port, trusted=self._trusted))[:MAX_DIALS]
        last: Exception | None = None
        for position, address in enumerate(addresses):
            left_s = max(until - time.monotonic(), 0.0) / (len(addresses) - position)
            try:
                return await Line.connect(
                    address,
                    port,
                    limit_s=left_s,
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as exc:
                last = exc
        raise last or httpcore2.ConnectError("no address picked up")

    async def sleep(self, seconds: float) -> None:
        """Wait, as the library asks between its tries."""
        await asyncio.sleep(seconds)


class GuardedTransport(httpx2.AsyncBaseTransport):
    """
    A transport for `httpx2.AsyncClient`, for libraries that insist on a client of their own.

    Checks each request by itself, so it also holds under a client that follows redirects.
    """

    def __init__(
        self, gate: Gate, trust: TrustList, *, tls: SSLContext, max_connections: int
    ) -> None:
        self._trust = trust
        # Apart, so that a connection opened under trust never serves a call without it.
        self._open, self._trusted = (
            Pools(
                partial(_pool, tls, CheckedDialler(gate, trusted=trusted)),
                max_connections=max_connections,
            )
            for trusted in (False, True)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; raises our own errors for what is refused, the library's for the rest."""
        return await self.send(request, self._trust)

    async def send(self, request: httpx2.Request, trust: TrustList) -> httpx2.Response:
        """Send one request under *trust*, which is what one caller may reach."""
        target = target_of(request.url, trust)
        inner = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(
                scheme=request.url.raw_scheme,
                host=target.host,
                port=target.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=cast("AsyncIterable[bytes]", request.stream),
            extensions={"timeout": request.extensions.get("timeout", {})},
        )
        pools = self._trusted if target.trusted else self._open
        with _library_errors():
            answer = await pools.send(inner)
        return httpx2.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Stream(answer.stream),
            request=request,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._open.aclose()
        await self._trusted.aclose()


def _pool(
    tls: SSLContext, dialler: CheckedDialler, max_connections: int
) -> httpcore2.AsyncConnectionPool:
    return httpcore2.AsyncConnectionPool(
        ssl_context=tls,
        max_connections=max_connections,
        keepalive_expiry=KEEP_ALIVE_S,
        network_backend=dialler,
    )


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _library_errors():
            async for part in self._inner:
                yield part

    async def aclose(self) -> None:
        with _library_errors():
            await self._inner.aclose()


_ERRORS: Final = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)


@contextmanager
def _library_errors() -> Iterator[None]:
    """Raise the outer library's error of the same name, as its own transport does."""
    try:
        yield
    except _ERRORS as exc:
        raise getattr(httpx2, type(exc).__name__)(str(exc)) from exc
