"""HTTP as uvicorn speaks it, for clients that mean no good: endless heads, and ever so slow ones."""

import asyncio
import resource
from asyncio import TimerHandle
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

#: Files that are no connections: the database, its threads, what blocks read and write.
_OTHER_FILES: Final = 256
_TOO_LONG: Final = "The head of the request is too large"
_TOO_SLOW: Final = "The request came too slowly"


def connections_allowed() -> int:
    """Return how many connections this process may hold, and still open its own files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    few, many = _OTHER_FILES, WaryProtocol.max_connections
    return many if soft == resource.RLIM_INFINITY else max(few, min(many, soft - _OTHER_FILES))


class TooMuch(Exception):
    """A head is over a limit; the answer has been chosen."""


class WaryProtocol(HttpToolsProtocol):
    """
    Limits what a request may take before any route sees it.

    The size of bodies is `BodyLimit`'s and the routes' affair; here it is how fast they come.
    """

    max_head_bytes: ClassVar[int] = 65_536
    max_headers: ClassVar[int] = 100
    max_target_bytes: ClassVar[int] = 16_384  #: path and query
    head_s: ClassVar[float] = 20.0  #: for a whole head, from its first byte or the connection
    body_s: ClassVar[float] = 20.0  #: in each such time `body_bytes` must come
    body_bytes: ClassVar[int] = 1_024
    max_connections: ClassVar[int] = 50_000
    last_s: ClassVar[float] = 2.0  #: for a client that still sends to read its refusal

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = False
        self._head_bytes = 0
        self._received = 0
        self._refusal = (400, "")
        self._is_refused = False
        self._timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._refuse(503, "Too many connections; try again in a moment")
            return
        self._timer = self.loop.call_later(self.head_s, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; most requests come in one piece, and pay nothing for this."""
        if self._is_refused:
            return
        self._received += len(data)
        super().data_received(data)
        self._after(len(data))

    def _after(self, received: int) -> None:
        if self._is_refused:
            return
        if self._in_head:
            self._head_bytes += received
            if self._head_bytes > self.max_head_bytes:
                self._refuse(431, _TOO_LONG)
            elif self._timer is None and not self.transport.is_closing():
                self._timer = self.loop.call_later(self.head_s, self._give_up)
        elif self._timer is None and self._wants_more():
            self._timer = self.loop.call_later(self.body_s, self._look_again, self._received)

    def on_message_begin(self) -> None:
        """Note where a head begins."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """Note where it ends, and look at its size."""
        self._in_head = False
        self._stop_waiting()
        if len(self.headers) > self.max_headers:
            self._refusal = (431, _TOO_LONG)
            raise TooMuch
        if len(self.url) > self.max_target_bytes:
            self._refusal = (414, "The address is too long")
            raise TooMuch
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, or too much of one, and close."""
        status, why = self._refusal
        self._refuse(status, why or msg)

    def _refuse(self, status: int, why: str) -> None:
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        self._stop_waiting()
        if self._has_begun_to_answer():
            self.transport.abort()
            return
        body = why.encode()
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
            + b"content-length: %d\r\n\r\n" % len(body)
            + body
        )
        # Closed at once, with something still to be read, it would be reset, and the answer lost.
        self.transport.write_eof()
        self._timer = self.loop.call_later(self.last_s, self.transport.abort)

    def _has_begun_to_answer(self) -> bool:
        """Say whether half an answer is out; whoever makes one hears that nobody is there."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        cycle.disconnected = True
        cycle.message_event.set()
        return bool(cycle.response_started)

    def _give_up(self) -> None:
        self._timer = None
        if self._received:
            self._refuse(408, _TOO_SLOW)
        else:
            self.transport.close()

    def _look_again(self, received: int) -> None:
        """Close a connection whose body does not come; one that we do not read waits for us."""
        self._timer = None
        if not self._wants_more():
            return
        if self._received - received >= self.body_bytes or self.flow.read_paused:
            self._timer = self.loop.call_later(self.body_s, self._look_again, self._received)
            return
        self._refuse(408, _TOO_SLOW)

    def _wants_more(self) -> bool:
        """Say whether the body of the request under way is not here yet."""
        cycle = self.cycle
        return (
            cycle is not None
            and cycle.more_body
            and not cycle.response_complete
            and not self.transport.is_closing()
        )

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
