"""Parked runs of everybody, for administrators; their owners retry theirs in executions.py."""

from typing import Annotated, Final

from fastapi import Path, Request, Response

from backend.api.answers import answer
from backend.api.auditing import Audited
from backend.api.context import context_of
from backend.api.routing import PREFIX, AdminRoute, Routes
from backend.api.wire.parked import parked_form
from backend.api.wire.text import Id
from backend.core.ids import ExecutionId

_PARKED: Final = f"{PREFIX}/admin/parked-runs"
_TAGS: Final = ("v1", "admin", "graphs")


def add_parked_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add(
        "GET",
        _PARKED,
        list_parked,
        operation="getV1List parked runs",
        tags=_TAGS,
        route_class=AdminRoute,
    )
    routes.add(
        "POST",
        f"{_PARKED}/{{run_id}}/retry",
        retry_parked,
        status=204,
        operation="postV1Retry parked run",
        tags=_TAGS,
        route_class=AdminRoute,
        audit=Audited("retry", "run", "run_id"),
    )


async def list_parked(request: Request) -> Response:
    """Return the runs that are parked, the last parked first."""
    found = await context_of(request).executions.parked()
    return answer({"runs": [parked_form(one) for one in found]})


async def retry_parked(request: Request, run_id: Annotated[Id, Path()]) -> Response:
    """Let somebody's run that was parked go on."""
    await context_of(request).executions.retry_any(ExecutionId(run_id))
    return Response(status_code=204)
