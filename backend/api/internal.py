"""The small app on the ports of internal services: health, metrics, and nothing else without a key."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from backend.core import json
from backend.core.errors import AgentServerError, TooLarge

Check = Callable[[], Awaitable[Mapping[str, object]]]
#: Takes the body of the request, which is JSON; None where there is none.
Call = Callable[[Any], Awaitable[Any]]

_MOST_BYTES: Final = 1024 * 1024


def create_internal_app(
    *,
    health: Check,
    metrics: Callable[[], bytes],
    metrics_open: bool,
    instance_key: str,
    calls: Mapping[str, Call] | None = None,
) -> Starlette:
    """
    Return the app.

    Args:
        health: Returns facts when the service can do its work; raises AgentServerError if not.
        metrics_open: Whether /metrics answers without the key: on loopback only.
        calls: What other services of the installation may ask for, by name.
    """
    pages = _Pages(health, metrics, instance_key, calls or {}, metrics_open=metrics_open)
    methods = ["GET", "POST"]
    return Starlette(
        routes=[
            Route("/health", pages.ready),
            Route("/health/live", pages.live),
            Route("/health_check", pages.health_check, methods=methods),
            Route("/health_check_async", pages.health_check, methods=methods),
            Route("/metrics", pages.figures),
            Route("/calls/{name}", pages.call, methods=["POST"]),
        ]
    )


class _Pages:
    def __init__(
        self,
        health: Check,
        metrics: Callable[[], bytes],
        key: str,
        calls: Mapping[str, Call],
        *,
        metrics_open: bool,
    ) -> None:
        self._health = health
        self._metrics = metrics
        self._key = key
        self._calls = calls
        self._metrics_open = metrics_open

    async def ready(self, _: Request) -> Response:
        """Say whether this service can do its work."""
        try:
            facts = await self._health()
        except AgentServerError as exc:
            return JSONResponse({"status": "unhealthy", "detail": str(exc)}, 503)
        return JSONResponse({"status": "healthy", **facts})

    async def health_check(self, _: Request) -> Response:
        """Say the same in the words of the contract's internal services."""
        try:
            await self._health()
        except AgentServerError as exc:
            return _error(exc, 503)
        return JSONResponse("OK")

    async def live(self, _: Request) -> Response:
        """Say that the loop turns."""
        return JSONResponse({"status": "alive"})

    async def figures(self, request: Request) -> Response:
        """Return the metrics."""
        if not self._metrics_open and not self._is_ours(request):
            return _REFUSED
        text = self._metrics()
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def call(self, request: Request) -> Response:
        """Do what another service of the installation asks for."""
        if not self._is_ours(request):
            return _REFUSED
        work = self._calls.get(request.path_params["name"])
        if work is None:
            return JSONResponse({"detail": "Not Found"}, 404)
        try:
            return JSONResponse({"result": await work(await _body(request))})
        except (json.NotJson, TooLarge) as exc:
            return _error(exc, 400)
        except AgentServerError as exc:
            return _error(exc, 500)

    def _is_ours(self, request: Request) -> bool:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self._key}".encode())


_REFUSED = JSONResponse({"detail": "the instance key is missing or wrong"}, 401)


async def _body(request: Request) -> Any:
    text = b""
    async for piece in request.stream():
        text += piece
        if len(text) > _MOST_BYTES:
            raise TooLarge(f"the request is over {_MOST_BYTES} bytes")
    return json.loads(text) if text else None


def _error(error: Exception, status: int) -> Response:
    return JSONResponse({"type": type(error).__name__, "args": [str(error)]}, status)
