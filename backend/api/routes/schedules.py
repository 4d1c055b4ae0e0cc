"""Schedules (spec/contract.md 5 and 7)."""

from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from backend.api.answers import answer
from backend.api.auditing import Audited
from backend.api.context import caller_of, context_of
from backend.api.routing import Routes
from backend.api.wire import schedules as wire
from backend.api.wire.credentials import meta_inputs
from backend.core.errors import BadRequest
from backend.core.ids import GraphId, ScheduleId
from backend.services.schedules import ScheduleRequest

_TAGS = ("v1", "schedules")


def add_schedule_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    add = routes.add_graph_route
    add(
        "POST",
        "/graphs/{graph_id}/schedules",
        create_schedule,
        plain=create_plain_schedule,
        operation="postV1Create execution schedule",
        tags=_TAGS,
        audit=Audited("create", "schedule", facts=("graph_id",)),
    )
    add(
        "GET",
        "/graphs/{graph_id}/schedules",
        list_graph_schedules,
        operation="getV1List execution schedules for a graph",
        tags=_TAGS,
    )
    add(
        "GET",
        "/schedules",
        list_schedules,
        operation="getV1List execution schedules for a user",
        tags=_TAGS,
    )
    add(
        "DELETE",
        "/schedules/{schedule_id}",
        delete_schedule,
        operation="deleteV1Delete execution schedule",
        tags=_TAGS,
        audit=Audited("delete", "schedule", "schedule_id"),
    )


async def create_schedule(
    request: Request, graph_id: str, body: wire.ScheduleCreationRequest
) -> Response:
    """Run a graph at the times that a cron expression tells."""
    return await _create(
        request,
        ScheduleRequest(
            graph_id=GraphId(graph_id),
            graph_version=body.graph_version,
            name=body.name,
            cron=body.cron,
            inputs=body.inputs,
            credentials=meta_inputs(body.credentials),
            timezone=body.timezone,
        ),
    )


async def create_plain_schedule(request: Request, graph_id: str, body: dict[str, Any]) -> Response:
    """Take a schedule as older command lines send it, or what ``/api`` takes."""
    try:
        if "inputs" in body:
            sent = wire.ScheduleCreationRequest.model_validate(body)
            return await create_schedule(request, graph_id, sent)
        plain = wire.PlainScheduleRequest.model_validate(body)
    except ValidationError as exc:
        errors = [{**error, "loc": ("body", *error["loc"])} for error in exc.errors()]
        raise RequestValidationError(errors) from exc
    if plain.graph_id not in (None, graph_id):
        raise BadRequest("graph_id in the body is not the one in the path")
    return await _create(
        request,
        ScheduleRequest(
            graph_id=GraphId(graph_id),
            graph_version=plain.graph_version,
            name=plain.name,
            cron=plain.cron,
            inputs=plain.input_data,
            timezone=plain.timezone,
        ),
    )


async def _create(request: Request, wanted: ScheduleRequest) -> Response:
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    schedule = await context.schedules.create(user_id, wanted)
    words = context.schedules.describe(schedule)
    # Ours: so that nobody is surprised by how weekdays are counted.
    return answer({**wire.schedule_job(schedule), "cron_description": words})


async def list_graph_schedules(request: Request, graph_id: str) -> Response:
    """Return a graph's schedules that will fire."""
    schedules = await context_of(request).schedules.listed(
        caller_of(request).user_id, GraphId(graph_id)
    )
    return answer([wire.schedule_job(schedule) for schedule in schedules])


async def list_schedules(request: Request) -> Response:
    """Return the caller's schedules that will fire."""
    schedules = await context_of(request).schedules.listed(caller_of(request).user_id)
    return answer([wire.schedule_job(schedule) for schedule in schedules])


async def delete_schedule(request: Request, schedule_id: str) -> Response:
    """Delete a schedule."""
    await context_of(request).schedules.delete(caller_of(request).user_id, ScheduleId(schedule_id))
    return answer({"id": schedule_id})
