"""Alerts that callers set on their agents. Ours, beside the contract."""

from typing import Annotated, Final

from fastapi import Path, Request, Response

from backend.api.answers import answer
from backend.api.auditing import Audited
from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, Routes
from backend.api.wire import alerts as wire
from backend.api.wire.text import Id
from backend.core.ids import GraphId
from backend.services.alerts import AlertChange
from backend.services.audit import name_object

_ALERTS: Final = f"{PREFIX}/graphs/{{graph_id}}/alerts"
_ALERT: Final = f"{_ALERTS}/{{alert_id}}"
_TAGS: Final = ("v1", "alerts")

GraphInPath = Annotated[Id, Path()]
AlertInPath = Annotated[Id, Path()]


def add_alert_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add("GET", _ALERTS, list_alerts, operation="getV1List agent alerts", tags=_TAGS)
    routes.add(
        "POST",
        _ALERTS,
        add_alert,
        operation="postV1Add agent alert",
        tags=_TAGS,
        audit=Audited("add_alert", "alert", facts=("graph_id",)),
    )
    routes.add("GET", _ALERT, get_alert, operation="getV1Get agent alert", tags=_TAGS)
    routes.add(
        "PATCH",
        _ALERT,
        change_alert,
        operation="patchV1Change agent alert",
        tags=_TAGS,
        audit=Audited("change_alert", "alert", facts=("graph_id",)),
    )
    routes.add(
        "DELETE",
        _ALERT,
        remove_alert,
        operation="deleteV1Remove agent alert",
        tags=_TAGS,
        status=204,
        audit=Audited("remove_alert", "alert", facts=("graph_id",)),
    )


async def list_alerts(request: Request, graph_id: GraphInPath) -> Response:
    """Return the alerts on an agent and how they stand, oldest first."""
    found = await context_of(request).watching.alerts.listed(
        caller_of(request).user_id, GraphId(graph_id)
    )
    return answer([wire.alert_form(one) for one in found])


async def add_alert(request: Request, graph_id: GraphInPath, body: wire.AlertBody) -> Response:
    """Set an alert on an agent; runs that end from now on count."""
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    made = await context.watching.alerts.add(
        user_id,
        GraphId(graph_id),
        body.kind,
        threshold=body.threshold,
        names_block=body.names_block,
    )
    return answer(wire.alert_form(made))


async def get_alert(request: Request, graph_id: GraphInPath, alert_id: AlertInPath) -> Response:
    """Return an alert and how it stands."""
    user_id = caller_of(request).user_id
    found = await context_of(request).watching.alerts.get(user_id, GraphId(graph_id), alert_id)
    return answer(wire.alert_form(found))


async def change_alert(
    request: Request, graph_id: GraphInPath, alert_id: AlertInPath, body: wire.AlertChangeBody
) -> Response:
    """Change an alert; it counts anew from now on."""
    name_object(alert_id)
    user_id = caller_of(request).user_id
    change = AlertChange(
        threshold=body.threshold, names_block=body.names_block, is_active=body.is_active
    )
    after = await context_of(request).watching.alerts.change(
        user_id, GraphId(graph_id), alert_id, change
    )
    return answer(wire.alert_form(after))


async def remove_alert(request: Request, graph_id: GraphInPath, alert_id: AlertInPath) -> Response:
    """Delete an alert."""
    name_object(alert_id)
    user_id = caller_of(request).user_id
    await context_of(request).watching.alerts.remove(user_id, GraphId(graph_id), alert_id)
    return Response(status_code=204)
