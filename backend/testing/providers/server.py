"""A small HTTP server on loopback in threads of its own, which answers by a function."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self, TypeAlias
from urllib.parse import parse_qs, urlsplit

_MAX_BODY_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Request:
    """
    One request, as it came.

    Attributes:
        path: Without the query.
        query: The last value of each name.
        headers: Names in lower case.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Return the body read as JSON. Raises ValueError if it is none."""
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """
    What is answered.

    Attributes:
        status: 0: the connection ends without a word.
        body: Bytes; or pieces of them, which are sent as they come, in chunks.
        breaks_off: The connection is cut after the body, as if the server had died: with bytes, in
            the middle of them; with pieces, without the end of the last chunk.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""
    breaks_off: bool = False

    @classmethod
    def json(
        cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> "Reply":
        """Return *value* as JSON."""
        return cls(
            status=status,
            headers={"content-type": "application/json", **(headers or {})},
            body=json.dumps(value).encode(),
        )


Handler: TypeAlias = Callable[[Request], Reply]


class StandIn:
    """
    A server on a free port of 127.0.0.1, from its making until `close`, or as a context.

    Args:
        handle: Called for each request, in a thread of the connection; several at once.

    Attributes:
        origin: ``http://127.0.0.1:<port>``.
        requests: All that came, in the order in which they were read.
        closing: Set when the server ends: whoever waits in *handle* waits for this, too.
    """

    def __init__(self, handle: Handler) -> None:
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._ending = threading.Lock()
        self._handle = handle
        handler = type("_Handler", (_Connection,), {"owner": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        # Looked at often: the end of a test waits for it.
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="stand-in", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def answer(self, request: Request) -> Reply:
        """Record *request* and return what is answered to it."""
        self.requests.append(request)
        return self._handle(request)

    def close(self) -> None:
        """Serve no more; open connections are cut, and their threads are gone. Twice is harmless."""
        with self._ending:  # who comes second waits until all is gone
            if self.closing.is_set():
                return
            self.closing.set()
            self._server.shutdown()
            self._thread.join()
            self._server.cut()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    """Knows its connections, so that it can end them."""

    daemon_threads = False  # `server_close` waits for them
    request_queue_size = 1024  # a thousand runs may call at once

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients go away in the middle, and the tests that cut them know it."""

    def cut(self) -> None:
        """End all connections."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):  # it has just ended by itself
                connection.shutdown(socket.SHUT_RDWR)


class _Connection(BaseHTTPRequestHandler):
    owner: StandIn
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _respond(self) -> None:
        size = min(int(self.headers.get("Content-Length") or 0), _MAX_BODY_BYTES)
        parts = urlsplit(self.path)
        reply = self.owner.answer(
            Request(
                method=self.command,
                path=parts.path,
                query={name: values[-1] for name, values in parse_qs(parts.query).items()},
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(size),
            )
        )
        if not reply.status:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if isinstance(reply.body, bytes):
            self._whole(reply.body, breaks_off=reply.breaks_off)
        else:
            self._pieces(reply.body, breaks_off=reply.breaks_off)

    def _whole(self, body: bytes, *, breaks_off: bool) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if breaks_off:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif self.command != "HEAD":
            self.wfile.write(body)

    def _pieces(self, pieces: Iterable[bytes], *, breaks_off: bool) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            if piece:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
        if breaks_off:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _respond  # noqa: N815 -- the library's names
