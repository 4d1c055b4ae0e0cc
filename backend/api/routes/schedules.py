"""Schedules (spec/contract.md 5 and 7)."""

from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from backend.api.answers import answer
from backend.api.auditing import RUNS, Audited
from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, Routes
from backend.api.wire import schedules as wire
from backend.api.wire.credentials import meta_inputs
from backend.api.wire.executions import graph_execution_meta
from backend.core.errors import BadRequest
from backend.core.ids import GraphId, ScheduleId
from backend.core.records import MissedPolicy, OverlapPolicy, ScheduleRecord
from backend.services.schedules import ScheduleRequest, ScheduleService

_TAGS = ("v1", "schedules")
_ONE = f"{PREFIX}/schedules/{{schedule_id}}"
#: How many fires are told beforehand.
_UPCOMING = 20


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
    _add_ours(routes)


def _add_ours(routes: Routes) -> None:
    """Add what the contract lacks."""
    routes.add("GET", _ONE, get_schedule, operation="getV1Get schedule", tags=_TAGS)
    routes.add(
        "PATCH",
        _ONE,
        change_schedule,
        operation="patchV1Change schedule",
        tags=_TAGS,
        audit=Audited("change", "schedule", "schedule_id"),
    )
    routes.add(
        "POST",
        f"{_ONE}/run",
        run_schedule,
        operation="postV1Run schedule now",
        tags=_TAGS,
        audit=RUNS,
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
            missed=body.missed or MissedPolicy.LAST,
            overlap=body.overlap or OverlapPolicy.ALLOW,
            rules=body.told(),
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
    return _whole(context.schedules, await context.schedules.create(user_id, wanted))


def _whole(schedules: ScheduleService, schedule: ScheduleRecord) -> Response:
    # In words too, so that nobody is surprised by how weekdays are counted.
    words = schedules.describe(schedule)
    return answer(wire.whole_schedule(schedule, words, schedules.upcoming(schedule, _UPCOMING)))


async def list_graph_schedules(
    request: Request, graph_id: str, *, include_paused: bool = False
) -> Response:
    """Return a graph's schedules that will fire; with *include_paused*, all."""
    schedules = await context_of(request).schedules.listed(
        caller_of(request).user_id, GraphId(graph_id), is_all=include_paused
    )
    return answer([wire.schedule_job(schedule) for schedule in schedules])


async def list_schedules(request: Request, *, include_paused: bool = False) -> Response:
    """Return the caller's schedules that will fire; with *include_paused*, all."""
    schedules = await context_of(request).schedules.listed(
        caller_of(request).user_id, is_all=include_paused
    )
    return answer([wire.schedule_job(schedule) for schedule in schedules])


async def get_schedule(request: Request, schedule_id: str) -> Response:
    """Return a schedule with its rules and its next 20 fires, paused or not."""
    schedules = context_of(request).schedules
    found = await schedules.get(caller_of(request).user_id, ScheduleId(schedule_id))
    return _whole(schedules, found)


async def change_schedule(
    request: Request, schedule_id: str, body: wire.ScheduleChangeRequest
) -> Response:
    """Change, pause or resume a schedule; what it has started goes on."""
    schedules = context_of(request).schedules
    changed = await schedules.change(
        caller_of(request).user_id, ScheduleId(schedule_id), body.change()
    )
    return _whole(schedules, changed)


async def run_schedule(request: Request, schedule_id: str) -> Response:
    """Start now what a fire of the schedule would start; its fires stay as they are."""
    run = await context_of(request).schedules.run_now(
        caller_of(request).user_id, ScheduleId(schedule_id)
    )
    return answer(graph_execution_meta(run))


async def delete_schedule(request: Request, schedule_id: str) -> Response:
    """Delete a schedule."""
    await context_of(request).schedules.delete(caller_of(request).user_id, ScheduleId(schedule_id))
    return answer({"id": schedule_id})
