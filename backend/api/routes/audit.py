"""The audit log, for administrators. Ours, beside the contract."""

from typing import Annotated, Final

from fastapi import Query, Request, Response

from backend.api.answers import answer
from backend.api.context import context_of
from backend.api.routing import PREFIX, AdminRoute, Routes
from backend.api.wire.audit import audit_form
from backend.services.audit import MAX_PAGE, AuditQuery

_TEXT: Final = Query(max_length=200)


def add_audit_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add(
        "GET",
        f"{PREFIX}/audit",
        list_audit,
        operation="getV1List audit log",
        tags=("v1", "audit"),
        route_class=AdminRoute,
    )


async def list_audit(
    request: Request,
    *,
    who: Annotated[str, _TEXT] = "",
    verb: Annotated[str, _TEXT] = "",
    kind: Annotated[str, _TEXT] = "",
    object_id: Annotated[str, _TEXT] = "",
    before: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
) -> Response:
    """Return rows of the audit log, newest first; *before* is where the last page ended."""
    wanted = AuditQuery(
        who=who, verb=verb, kind=kind, object_id=object_id, before=before, limit=limit
    )
    found = await context_of(request).audit.listed(wanted)
    more = found[-1].seq if len(found) == limit else None
    return answer({"entries": [audit_form(one) for one in found], "next_before": more})
