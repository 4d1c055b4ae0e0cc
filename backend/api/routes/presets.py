"""Presets, and the triggers that start them (spec/contract.md 5 and 13)."""

from typing import Annotated, Final

import structlog
from fastapi import Query, Request, Response

from backend.api.answers import answer
from backend.api.auditing import RUNS, SHOWS_SECRETS, Audited
from backend.api.context import Context, caller_of, context_of
from backend.api.routes.executions import start_run
from backend.api.routing import PREFIX, Routes
from backend.api.wire import presets as wire
from backend.api.wire.credentials import meta_inputs
from backend.api.wire.executions import pagination
from backend.api.wire.webhooks import webhook_form
from backend.core.errors import SecretUnreadable
from backend.core.ids import ExecutionId, GraphId, PresetId
from backend.core.records import PresetRecord
from backend.services.presets import MAX_PAGE

log = structlog.get_logger(__name__)

_PRESETS: Final = f"{PREFIX}/library/presets"
_ONE: Final = f"{_PRESETS}/{{preset_id}}"
_TAGS: Final = ("v2", "presets")
#: No account has so many.
_LAST_PAGE: Final = 10_000_000


def add_preset_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    add = routes.add
    add(
        "GET",
        _PRESETS,
        list_presets,
        operation="getV2List presets",
        tags=_TAGS,
        audit=SHOWS_SECRETS,
    )
    add(
        "POST",
        _PRESETS,
        create_preset,
        operation="postV2Create a new preset",
        tags=_TAGS,
        audit=Audited("create", "preset"),
    )
    add(
        "POST",
        f"{_PRESETS}/setup-trigger",
        set_up_trigger,
        operation="postV2SetupTrigger",
        tags=_TAGS,
        audit=Audited("set_up_trigger", "preset"),
    )
    add(
        "GET",
        _ONE,
        get_preset,
        operation="getV2Get a specific preset",
        tags=_TAGS,
        audit=SHOWS_SECRETS,
    )
    add(
        "PATCH",
        _ONE,
        change_preset,
        operation="patchV2Update an existing preset",
        tags=_TAGS,
        audit=Audited("change", "preset", "preset_id"),
    )
    add(
        "DELETE",
        _ONE,
        delete_preset,
        operation="deleteV2Delete a preset",
        tags=_TAGS,
        status=204,
        audit=Audited("delete", "preset", "preset_id"),
    )
    add(
        "POST",
        f"{_ONE}/execute",
        execute_preset,
        operation="postV2Execute a preset",
        tags=_TAGS,
        audit=RUNS,
    )


async def list_presets(
    request: Request,
    graph_id: Annotated[str | None, Query()],
    page: Annotated[int, Query(ge=1)] = 1,
    page_size: Annotated[int, Query(ge=1)] = 10,
) -> Response:
    """Return a page of presets: of one graph, or of all when *graph_id* is empty."""
    context = context_of(request)
    # The contract knows no largest page; what was really given is told with it.
    page, page_size = min(page, _LAST_PAGE), min(page_size, MAX_PAGE)
    found, total = await context.presets.listed(
        caller_of(request).user_id,
        GraphId(graph_id) if graph_id else None,
        page=page,
        page_size=page_size,
    )
    return answer(
        {
            "presets": [_listed(context, preset) for preset in found],
            "pagination": pagination(total=total, page=page, page_size=page_size),
        }
    )


async def create_preset(
    request: Request,
    body: wire.LibraryAgentPresetCreatable | wire.LibraryAgentPresetCreatableFromGraphExecution,
) -> Response:
    """Save a preset, from scratch or from a run."""
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    if isinstance(body, wire.LibraryAgentPresetCreatable):
        made = await context.presets.create(user_id, body.new())
    else:
        made = await context.presets.create_from_run(
            user_id,
            ExecutionId(body.graph_execution_id),
            name=body.name,
            description=body.description,
            is_active=body.is_active,
        )
    return answer(_form(context, made))


async def set_up_trigger(request: Request, body: wire.TriggeredPresetSetupRequest) -> Response:
    """Save a preset with a webhook that starts it."""
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    return answer(_form(context, await context.presets.set_up_trigger(user_id, body.new())))


async def get_preset(request: Request, preset_id: str) -> Response:
    """Return a preset."""
    context = context_of(request)
    found = await context.presets.get(caller_of(request).user_id, PresetId(preset_id))
    return answer(_form(context, found))


async def change_preset(
    request: Request, preset_id: str, body: wire.LibraryAgentPresetUpdatable
) -> Response:
    """Change what the body names of a preset."""
    context = context_of(request)
    changed = await context.presets.change(
        caller_of(request).user_id, PresetId(preset_id), body.changes()
    )
    return answer(_form(context, changed))


async def delete_preset(request: Request, preset_id: str) -> Response:
    """Delete a preset."""
    await context_of(request).presets.delete(caller_of(request).user_id, PresetId(preset_id))
    return Response(status_code=204)


async def execute_preset(
    request: Request, preset_id: str, body: wire.ExecutePresetBody | None = None
) -> Response:
    """Start a run of a preset; what the body names stands before its own values."""
    given = body or wire.ExecutePresetBody()
    preset, asked = await context_of(request).presets.run_of(
        caller_of(request).user_id,
        PresetId(preset_id),
        inputs=given.inputs,
        credentials=meta_inputs(given.credential_inputs),
    )
    return await start_run(request, preset.graph_id, preset.graph_version, asked)


def _listed(context: Context, preset: PresetRecord) -> wire.Values:
    """Return a preset for a list: a secret that does not open must not hide all the others."""
    try:
        return _form(context, preset)
    except SecretUnreadable as exc:
        log.warning("webhook_secret_unreadable", preset_id=preset.id, error=str(exc))
        return wire.preset_form(preset, None)


def _form(context: Context, preset: PresetRecord) -> wire.Values:
    webhook, of = preset.webhook, context.webhooks
    if webhook is None:
        return wire.preset_form(preset, None)
    return wire.preset_form(
        preset, webhook_form(webhook, of.url_of(webhook), of.secret_of(webhook))
    )
