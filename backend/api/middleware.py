"""What every request passes, as plain ASGI: the outer border, security headers, limits, compression.

No BaseHTTPMiddleware: it costs a task and two queues for each request.
"""

import itertools
import secrets
from collections.abc import Iterable
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.answers import answer
from backend.api.errors import body_of

log = structlog.get_logger(__name__)

_SECURITY: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"x-xss-protection", b"1; mode=block"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
)
_NO_STORE: Final = (
    (b"cache-control", b"no-store, no-cache, must-revalidate, private"),
    (b"pragma", b"no-cache"),
    (b"expires", b"0"),
)

#: What a browser may keep. Whole paths, not prefixes: `/api/blocks/{id}/execute` is private.
_CACHEABLE_PATHS: Final = frozenset(
    {"/api/blocks", "/docs", "/redoc", "/openapi.json", "/favicon.ico"}
)
_CACHEABLE_PREFIXES: Final = ("/static/", "/assets/")


def _is_cacheable(path: str) -> bool:
    return path in _CACHEABLE_PATHS or path.startswith(_CACHEABLE_PREFIXES)


class Border:
    """
    The outermost ring: an id for each request, headers for each answer, and no error goes past.

    One of the three places that catch everything: a request must never end without an answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"{self._prefix}-{next(self._numbers):x}"
        scope["request_id"] = request_id
        headers = [*_SECURITY, (b"x-request-id", request_id.encode())]
        if not _is_cacheable(scope["path"]):
            headers.extend(_NO_STORE)
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            return  # nobody is there who could read an answer
        except Exception:  # the border of a request
            # The path only: a query string may hold what must not be in a log.
            log.exception(
                "request_failed", method=scope["method"], path=scope["path"], request_id=request_id
            )
            if started:
                raise  # half an answer is out; the server cuts the connection
            detail = f"Something went wrong inside the server; its log knows request {request_id}"
            failed = answer(body_of(scope["method"], scope["path"], 500, detail), 500)
            await failed(scope, receive, send_with_headers)


class BodyLimit:
    """Refuses bodies over a limit before they are read, or as soon as they turn out to be."""

    def __init__(
        self, app: ASGIApp, *, limit_bytes: int, exempt: frozenset[str] = frozenset()
    ) -> None:
        """Limit all bodies but those of the paths in *exempt*, whose routes see to it themselves."""
        self._app = app
        self._limit = limit_bytes
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if (
            scope["type"] != "http"
            or scope["method"] in ("GET", "HEAD", "OPTIONS")
            or scope["path"] in self._exempt
        ):
            await self._app(scope, receive, send)
            return
        length = _content_length(scope["headers"])
        if length is None:
            await self._app(scope, self._counted(receive), send)
        elif length < 0:
            refused = answer({"detail": "Content-Length is not a number"}, 400)
            await refused(scope, receive, send)
        elif length > self._limit:
            refused = answer({"detail": self._why()}, 413)
            await refused(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _counted(self, receive: Receive) -> Receive:
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._limit:
                # FastAPI lets only its own kind of error out of the reading of a body.
                raise HTTPException(413, self._why())
            return message

        return counted

    def _why(self) -> str:
        return f"The body is larger than the limit of {self._limit} bytes"


def _content_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Return the length that the client says; None if it says none, -1 if it is no number."""
    for name, value in headers:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else -1  # noqa: PLR2004
    return None
