"""Connections for the HTTP library, on the event loop's own transports.

The library brings its own, on a layer that serves several kinds of event loops: each read and write
costs turns of the loop there, and the pool's question whether something has come looks the socket up
anew. A fifth of what a call cost was that.
"""

import asyncio
import select
import ssl
from collections import deque
from collections.abc import Iterable
from typing import Any, Final, Self, cast

import httpcore2

#: What has come and is not read yet: the other side waits when it is more.
_AHEAD_BYTES: Final = 256 * 1024
_SOCKET: Final = {"server_addr": "peername", "client_addr": "sockname"}


class Line(httpcore2.AsyncNetworkStream):
    """A connection, in the clear or under TLS. One reads at a time, and one writes."""

    def __init__(self, transport: asyncio.Transport, wire: "_Wire") -> None:
        self._transport = transport
        self._wire = wire
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    @classmethod
    async def connect(
        cls,
        address: str,
        port: int,
        *,
        limit_s: float,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> Self:
        """
        Dial *address*, a number, not a name.

        Raises:
            httpcore2.ConnectTimeout, httpcore2.ConnectError: It did not pick up.
        """
        local = None if local_address is None else (local_address, 0)
        try:
            async with asyncio.timeout(limit_s):
                transport, wire = await asyncio.get_running_loop().create_connection(
                    _Wire, address, port, local_addr=local
                )
        except TimeoutError as exc:
            raise httpcore2.ConnectTimeout(str(exc)) from exc
        except OSError as exc:
            raise httpcore2.ConnectError(str(exc)) from exc
        for option in socket_options or ():
            transport.get_extra_info("socket").setsockopt(*option)
        return cls(transport, wire)

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the library's signature
    ) -> bytes:
        """See the library. Nothing: the other side has ended."""
        try:
            return await self._wire.read(max_bytes, timeout)
        except TimeoutError as exc:
            raise httpcore2.ReadTimeout(str(exc)) from exc
        except OSError as exc:
            raise httpcore2.ReadError(str(exc)) from exc

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109 -- the library's signature
    ) -> None:
        """See the library. It may return when the system has room for the rest."""
        if not buffer:
            return
        if self._transport.is_closing():
            raise httpcore2.WriteError("the connection is closed") from self._wire.error
        self._transport.write(buffer)
        try:
            await self._wire.until_room(timeout)
        except TimeoutError as exc:
            raise httpcore2.WriteTimeout(str(exc)) from exc
        except OSError as exc:
            raise httpcore2.WriteError(str(exc)) from exc

    async def aclose(self) -> None:
        """Close it; twice is harmless. The library does so when nothing is under way, or all is lost."""
        self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- the library's signature
    ) -> httpcore2.AsyncNetworkStream:
        """See the library. A connection on which it failed is closed."""
        try:
            async with asyncio.timeout(timeout):
                secured = await asyncio.get_running_loop().start_tls(
                    self._transport, self._wire, ssl_context, server_hostname=server_hostname
                )
        except BaseException as exc:
            self._transport.abort()
            if isinstance(exc, TimeoutError):
                raise httpcore2.ConnectTimeout(str(exc)) from exc
            if isinstance(exc, OSError):  # what is wrong with a certificate is one, too
                raise httpcore2.ConnectError(str(exc)) from exc
            raise
        assert secured is not None
        self._transport = secured
        self._wire.connection_made(secured)
        return self

    def get_extra_info(self, info: str) -> Any:
        """See the library. What is closed counts as readable: its end can be read."""
        if info == "is_readable":
            return self._transport.is_closing() or self._wire.has_come or bool(self._poll.poll(0))
        return self._transport.get_extra_info(_SOCKET.get(info, info))


class _Wire(asyncio.Protocol):
    """What has come, and whether there is room for what is to go."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self._transport: asyncio.Transport | None = None
        self._pieces: deque[bytes] = deque()
        self._ahead_bytes = 0
        self._has_ended = False
        self._is_paused = False
        self._is_full = False
        self._waits_to_read: asyncio.Future[None] | None = None
        self._waits_to_write: asyncio.Future[None] | None = None

    @property
    def has_come(self) -> bool:
        """Whether a read would return at once."""
        return bool(self._pieces) or self._has_ended

    async def read(self, max_bytes: int, limit_s: float | None) -> bytes:
        """Return what comes next. Raises TimeoutError or OSError."""
        if not self.has_come:
            self._waits_to_read = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(limit_s):
                    await self._waits_to_read
            finally:
                self._waits_to_read = None
        if self._pieces:
            return self._taken(max_bytes)
        if self.error is not None:
            raise ConnectionError(str(self.error)) from self.error
        return b""

    async def until_room(self, limit_s: float | None) -> None:
        """Wait until what was written is little. Raises TimeoutError or OSError."""
        if not self._is_full:
            return
        self._waits_to_write = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(limit_s):
                await self._waits_to_write
        finally:
            self._waits_to_write = None
        if self._is_full:
            raise ConnectionError("the connection ended") from self.error

    def _taken(self, max_bytes: int) -> bytes:
        piece = self._pieces.popleft()
        if len(piece) > max_bytes:
            self._pieces.appendleft(piece[max_bytes:])
            piece = piece[:max_bytes]
        self._ahead_bytes -= len(piece)
        if self._is_paused and self._ahead_bytes < _AHEAD_BYTES // 2:
            self._is_paused = False
            assert self._transport is not None
            if not self._transport.is_closing():
                self._transport.resume_reading()
        return piece

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        self._ahead_bytes += len(data)
        assert self._transport is not None
        is_much = self._ahead_bytes > _AHEAD_BYTES and not self._is_paused
        if is_much and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()
        _wake(self._waits_to_read)

    def eof_received(self) -> None:
        self._has_ended = True
        _wake(self._waits_to_read)

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_ended = True
        self.error = exc
        _wake(self._waits_to_read)
        _wake(self._waits_to_write)

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        _wake(self._waits_to_write)


def _wake(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
