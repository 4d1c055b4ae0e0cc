"""A connection that says cheaply whether something has come on it.

The library's pool asks so at each call, of each connection that waits in it; the streams below it
look their socket up anew each time, which was an eighth of what a call cost.
"""

import select
from ssl import SSLContext
from typing import Any

import httpcore2


class Line(httpcore2.AsyncNetworkStream):
    """A stream of the library's, and its socket."""

    def __init__(self, inner: httpcore2.AsyncNetworkStream) -> None:
        self._inner = inner
        self._socket = inner.get_extra_info("socket")
        self._poll = select.poll()
        if self._socket is not None and self._socket.fileno() >= 0:
            self._poll.register(self._socket.fileno(), select.POLLIN)

    def read(self, max_bytes: int, timeout: float | None = None) -> Any:
        """See the library."""
        return self._inner.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> Any:
        """See the library."""
        return self._inner.write(buffer, timeout)

    def aclose(self) -> Any:
        """See the library."""
        return self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- the library's signature
    ) -> httpcore2.AsyncNetworkStream:
        """See the library."""
        return Line(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """See the library. What is closed counts as readable: its end can be read."""
        if info != "is_readable":
            return self._inner.get_extra_info(info)
        # Once it is closed, its number may be another connection's.
        if self._socket is None or self._socket.fileno() < 0:
            return True
        return bool(self._poll.poll(0))
