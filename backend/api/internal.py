"""The small app on the ports of internal services: health, metrics, and nothing else without a key."""

import hmac
from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from backend.core.errors import AgentServerError

Check = Callable[[], Awaitable[Mapping[str, object]]]
Call = Callable[[], Awaitable[str]]


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

    def allowed(request: Request) -> bool:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {instance_key}".encode())

    async def ready(_: Request) -> Response:
        try:
            facts = await health()
        except AgentServerError as exc:
            return JSONResponse({"status": "unhealthy", "detail": str(exc)}, 503)
        return JSONResponse({"status": "healthy", **facts})

    async def health_check(_: Request) -> Response:
        try:
            await health()
        except AgentServerError as exc:
            return JSONResponse({"type": type(exc).__name__, "args": [str(exc)]}, 503)
        return JSONResponse("OK")

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def figures(request: Request) -> Response:
        if not metrics_open and not allowed(request):
            return JSONResponse({"detail": "the instance key is missing or wrong"}, 401)
        return PlainTextResponse(
            metrics(), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    async def call(request: Request) -> Response:
        if not allowed(request):
            return JSONResponse({"detail": "the instance key is missing or wrong"}, 401)
        work = (calls or {}).get(request.path_params["name"])
        if work is None:
            return JSONResponse({"detail": "Not Found"}, 404)
        try:
            return JSONResponse({"result": await work()})
        except AgentServerError as exc:
            return JSONResponse({"type": type(exc).__name__, "args": [str(exc)]}, 500)

    methods = ["GET", "POST"]
    return Starlette(
        routes=[
            Route("/health", ready),
            Route("/health/live", live),
            Route("/health_check", health_check, methods=methods),
            Route("/health_check_async", health_check, methods=methods),
            Route("/metrics", figures),
            Route("/calls/{name}", call, methods=["POST"]),
        ]
    )
