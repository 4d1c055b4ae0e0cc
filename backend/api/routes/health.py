"""Whether the service is well, and its metrics."""

from fastapi import Request, Response

from backend.api.answers import answer
from backend.api.context import context_of
from backend.api.routing import ProbeRoute, Routes

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def add_health_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add(
        "GET",
        "/health",
        health,
        operation="getHealthHealth",
        tags=("health",),
        route_class=ProbeRoute,
    )
    for path, endpoint in (("/health/live", live), ("/metrics", metrics)):
        routes.add("GET", path, endpoint, operation=None, tags=(), route_class=ProbeRoute)


async def health(request: Request) -> Response:
    """Say whether requests can be served: storage answers and its tables are right."""
    found = await context_of(request).health()
    status = "healthy" if found.ready else "unhealthy"
    return answer({**found.details, "status": status}, 200 if found.ready else 503)


async def live(request: Request) -> Response:
    """Say that this process answers at all."""
    del request
    return answer({"status": "alive"})


async def metrics(request: Request) -> Response:
    """Return the metrics; to whoever has a token, unless only this machine can ask."""
    context = context_of(request)
    if not context.metrics_open:
        await context.authenticator.admit(request.scope)
    return Response(context.metrics(), media_type=_METRICS_TYPE)
