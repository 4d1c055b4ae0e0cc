"""Runs shared by a link (spec/contract.md 5, "Execution sharing")."""

from typing import Annotated, Final

from fastapi import Path, Request, Response

from backend.api.answers import answer
from backend.api.auditing import Audited
from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, PublicRoute, Routes
from backend.api.wire import sharing as wire
from backend.core.ids import ExecutionId, GraphId

_SHARE: Final = f"{PREFIX}/graphs/{{graph_id}}/executions/{{graph_exec_id}}/share"
_UUID: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_TAGS: Final = ("v1",)


def add_sharing_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add(
        "POST",
        _SHARE,
        share,
        operation="postV1EnableExecutionSharing",
        tags=_TAGS,
        audit=Audited("share", "run", "graph_exec_id"),
    )
    routes.add(
        "DELETE",
        _SHARE,
        unshare,
        operation="deleteV1DisableExecutionSharing",
        tags=_TAGS,
        status=204,
        audit=Audited("unshare", "run", "graph_exec_id"),
    )
    routes.add(
        "GET",
        f"{PREFIX}/public/shared/{{share_token}}",
        get_shared,
        operation="getV1GetSharedExecution",
        tags=_TAGS,
        route_class=PublicRoute,
    )


async def share(
    request: Request, graph_id: str, graph_exec_id: str, body: wire.ShareRequest | None = None
) -> Response:
    """Share a run by a new link."""
    del body  # it says nothing yet
    url, token = await context_of(request).sharing.share(
        caller_of(request).user_id, GraphId(graph_id), ExecutionId(graph_exec_id)
    )
    return answer({"share_url": url, "share_token": token})


async def unshare(request: Request, graph_id: str, graph_exec_id: str) -> Response:
    """Share a run no more."""
    await context_of(request).sharing.unshare(
        caller_of(request).user_id, GraphId(graph_id), ExecutionId(graph_exec_id)
    )
    return Response(status_code=204)


async def get_shared(
    request: Request, share_token: Annotated[str, Path(pattern=_UUID)]
) -> Response:
    """Return the outputs of a shared run, to anybody."""
    found = await context_of(request).sharing.shared(share_token)
    response = answer(wire.shared_execution(found))
    # A link that somebody posts must not make the run something that searches find.
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response
