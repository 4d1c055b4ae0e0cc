"""Runs: start, look at, stop, delete (spec/contract.md 5 and 6)."""

import json as standard_json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from backend.api.answers import answer
from backend.api.auditing import RUNS, Audited
from backend.api.context import caller_of, context_of
from backend.api.routing import PlainUserRoute, Routes
from backend.api.wire import executions as wire
from backend.api.wire.text import MAX_VERSION
from backend.core.ids import ExecutionId, GraphId, PresetId
from backend.services.executions import RunRequest

#: No list of anybody's runs is so long.
_LAST_PAGE: Final = 10_000_000
_MAX_PRESET_ID: Final = 200
_KEY: Final = re.compile(r"[!-~]{1,255}")


def add_execution_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    add = routes.add_graph_route
    # The first ones are found first: most requests start a run or look at one.
    for path, operation in (
        ("/graphs/{graph_id}/execute/{graph_version}", "postV1Execute graph agent"),
        ("/graphs/{graph_id}/execute", "postV1Execute active graph agent"),
    ):
        add(
            "POST",
            path,
            execute_graph,
            plain=execute_graph_with_plain_inputs,
            operation=operation,
            route_class=PlainUserRoute,
            audit=RUNS,
        )
    run = "/graphs/{graph_id}/executions/{graph_exec_id}"
    add("GET", run, get_execution, operation="getV1Get execution details")
    add(
        "POST",
        f"{run}/stop",
        stop_execution,
        operation="postV1Stop graph execution",
        audit=Audited("stop", "run", "graph_exec_id"),
    )
    add(
        "POST",
        f"{run}/retry",
        retry_execution,
        operation="postV1Retry parked graph execution",
        audit=Audited("retry", "run", "graph_exec_id"),
    )
    add(
        "GET",
        "/graphs/{graph_id}/executions",
        list_graph_executions,
        operation="getV1List graph executions",
    )
    add("GET", "/executions", list_executions, operation="getV1List all executions")
    add(
        "DELETE",
        "/executions/{graph_exec_id}",
        delete_execution,
        status=204,
        operation="deleteV1Delete graph execution",
        audit=Audited("delete", "run", "graph_exec_id"),
    )


async def execute_graph(request: Request) -> Response:
    """Start a run. Without a version, of the active one."""
    body = await _body(request)
    try:
        sent = wire.ExecuteBody.model_validate(body)
    except ValidationError as exc:
        raise _invalid("body", exc.errors()) from exc
    return await _start(request, inputs=sent.inputs, credentials=sent.credentials())


async def execute_graph_with_plain_inputs(request: Request) -> Response:
    """Start a run with inputs that are the body itself, or what ``/api`` takes."""
    body = await _body(request)
    if isinstance(body.get("inputs"), dict) and body.keys() <= wire.ExecuteBody.model_fields.keys():
        return await execute_graph(request)
    return await _start(request, inputs=body, credentials={})


async def _start(
    request: Request, *, inputs: Mapping[str, Any], credentials: Mapping[str, Any]
) -> Response:
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    graph_id, version = GraphId(request.path_params["graph_id"]), _version(request)
    preset_id = _preset_id(request)
    if preset_id is None:
        asked = RunRequest(inputs=inputs, credentials=credentials or None)
    else:
        preset, asked = await context.presets.run_of(
            user_id, preset_id, inputs=inputs, credentials=credentials, graph_id=graph_id
        )
        version = preset.graph_version
    return await start_run(request, graph_id, version, asked)


async def start_run(
    request: Request, graph_id: GraphId, version: int | None, asked: RunRequest
) -> Response:
    """Start a run for the caller; once, if the request has an idempotency key."""
    executions, user_id = context_of(request).executions, caller_of(request).user_id
    key = idempotency_key(request)
    if key is None:
        record = await executions.start(user_id, graph_id, version, asked)
        return answer(wire.graph_execution_meta(record))
    record, known = await executions.start_once(user_id, graph_id, version, asked, key=key)
    response = answer(wire.graph_execution_meta(record))
    if known:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def idempotency_key(request: Request) -> str | None:
    """Return the key by which a repeated request is known; None when there is none."""
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        message = "an Idempotency-Key has 1 to 255 characters, all of them visible ASCII"
        error = {"type": "value_error", "loc": ("idempotency-key",), "msg": message, "input": key}
        raise _invalid("header", [error])
    return key


async def _body(request: Request) -> dict[str, Any]:
    """Return the body as an object; empty when there is none."""
    if not await request.body():
        return {}
    try:
        body = await request.json()
    except standard_json.JSONDecodeError as exc:
        error = {"type": "json_invalid", "loc": (exc.pos,), "msg": "JSON decode error"}
        raise _invalid("body", [{**error, "input": {}, "ctx": {"error": exc.msg}}]) from exc
    if not isinstance(body, dict):
        message = "Input should be a valid dictionary"
        raise _invalid("body", [{"type": "dict_type", "loc": (), "msg": message, "input": body}])
    return body


def _version(request: Request) -> int | None:
    text = request.path_params.get("graph_version")
    if text is None:
        return None
    if not re.fullmatch(r"[+-]?\d{1,20}", text, re.ASCII):
        message = "Input should be a valid integer, unable to parse string as an integer"
        error = {"type": "int_parsing", "loc": ("graph_version",), "msg": message, "input": text}
        raise _invalid("path", [error])
    # There is no version 0, and none that large; storage cannot even look for those.
    number = int(text)
    return number if 0 <= number <= MAX_VERSION else 0


def _preset_id(request: Request) -> PresetId | None:
    preset_id = request.query_params.get("preset_id") if request.scope["query_string"] else None
    if preset_id is not None and (len(preset_id) > _MAX_PRESET_ID or "\x00" in preset_id):
        message = f"String should have at most {_MAX_PRESET_ID} characters, none of them U+0000"
        error = {"type": "value_error", "loc": ("preset_id",), "msg": message, "input": preset_id}
        raise _invalid("query", [error])
    return PresetId(preset_id) if preset_id else None


def _invalid(where: str, errors: list[Any]) -> RequestValidationError:
    return RequestValidationError([{**error, "loc": (where, *error["loc"])} for error in errors])


async def get_execution(request: Request, graph_id: str, graph_exec_id: str) -> Response:
    """Return a run with its outputs and node executions."""
    record, nodes = await context_of(request).executions.get_with_nodes(
        caller_of(request).user_id, GraphId(graph_id), ExecutionId(graph_exec_id)
    )
    return answer(wire.graph_execution_with_nodes(record, nodes))


async def stop_execution(request: Request, graph_id: str, graph_exec_id: str) -> Response:
    """Stop a run and wait for its end; null when nothing was left to stop."""
    record = await context_of(request).executions.stop(
        caller_of(request).user_id, GraphId(graph_id), ExecutionId(graph_exec_id)
    )
    return answer(None if record is None else wire.graph_execution_meta(record))


async def retry_execution(request: Request, graph_id: str, graph_exec_id: str) -> Response:
    """Let a run that was parked go on, and return it: it is queued."""
    user_id, run_id = caller_of(request).user_id, ExecutionId(graph_exec_id)
    executions = context_of(request).executions
    await executions.retry(user_id, GraphId(graph_id), run_id)
    return answer(wire.graph_execution_meta(await executions.get(user_id, run_id)))


async def list_graph_executions(
    request: Request,
    graph_id: str,
    page: Annotated[int, Query(ge=1)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = 25,
) -> Response:
    """Return a page of a graph's runs, newest first."""
    page = min(page, _LAST_PAGE)
    records, total = await context_of(request).executions.page(
        caller_of(request).user_id,
        GraphId(graph_id),
        page=page,
        page_size=page_size,
    )
    return answer(
        {
            "executions": [wire.graph_execution_meta(record) for record in records],
            "pagination": wire.pagination(total=total, page=page, page_size=page_size),
        }
    )


async def list_executions(request: Request) -> Response:
    """Return the caller's newest runs, newest first."""
    records = await context_of(request).executions.listed(caller_of(request).user_id)
    return answer([wire.graph_execution_meta(record) for record in records])


async def delete_execution(request: Request, graph_exec_id: str) -> Response:
    """Hide a run for ever."""
    await context_of(request).executions.delete(
        caller_of(request).user_id, ExecutionId(graph_exec_id)
    )
    return Response(status_code=204)
