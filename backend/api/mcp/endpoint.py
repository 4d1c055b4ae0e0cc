"""POST /mcp: one JSON-RPC message in, one out. There are no sessions, and nothing is kept."""

from typing import Any, Final

from fastapi import HTTPException, Request, Response
from starlette.routing import Route

from backend.api.answers import answer
from backend.api.context import context_of
from backend.api.errors import headers_of
from backend.api.external.routing import let_in
from backend.api.mcp.messages import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    VERSIONS,
    Message,
    Refused,
    error,
    read,
    result,
)
from backend.core import json
from backend.core.errors import AgentServerError, TooManyRequests
from backend.core.json import NotJson
from backend.core.permissions import Permission
from backend.services.access import Access
from backend.services.agent_tools import MAX_WAIT_S, AgentResult, AgentTool, AgentTools, run_id_of

PATH: Final = "/mcp"
#: The tool that asks for the result of a run that takes its time.
RESULT_TOOL: Final = "get_agent_result"
#: What a model is told of a run at the most; all of it is at the external API.
MOST_TEXT: Final = 256 * 1024
_VERSION_HEADER: Final = "mcp-protocol-version"
_INSTRUCTIONS: Final = (
    "Each tool runs an agent. One that takes longer than a call answers with a run_id: ask "
    f"{RESULT_TOOL} for its result."
)


def mcp_route() -> Route:
    """Return the route. GET and DELETE, which are for sessions, answer 405."""
    return Route(PATH, _endpoint, methods=["POST"], name="mcp")


async def _endpoint(request: Request) -> Response:
    try:
        access = await let_in(request, Permission.USE_TOOLS, bears_keys=True)
    except HTTPException as exc:
        response = answer({"detail": exc.detail}, exc.status_code)
        response.headers.update(exc.headers or {})
        return response
    except TooManyRequests as exc:
        response = answer({"detail": str(exc)}, 429)
        response.headers.update(headers_of(exc))
        return response
    version = request.headers.get(_VERSION_HEADER)
    if version is not None and version not in VERSIONS:
        return answer({"detail": f"This server speaks {', '.join(VERSIONS)}."}, 400)
    id_: str | int | None = None
    try:
        message = read(json.loads(await request.body()))
        id_ = message.id
        if id_ is None:
            return Response(status_code=202)
        return answer(result(id_, await _answered(request, access, message)))
    except NotJson as exc:
        return answer(error(None, PARSE_ERROR, str(exc)), 400)
    except Refused as exc:
        return answer(error(id_, exc.code, str(exc)), 400 if id_ is None else 200)


async def _answered(request: Request, access: Access, message: Message) -> dict[str, Any]:
    match message.method:
        case "initialize":
            return _initialized(request, message)
        case "ping":
            return {}
        case "tools/list":
            _require(access, Permission.READ_GRAPH)
            return await _listed(request, access, message)
        case "tools/call":
            return await _called(request, access, message)
        case _:
            raise Refused(METHOD_NOT_FOUND, f"there is no method {message.method[:100]!r}")


def _initialized(request: Request, message: Message) -> dict[str, Any]:
    wanted = message.params.get("protocolVersion")
    return {
        "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[0],
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": "agpt-server", "version": request.app.version},
        "instructions": _INSTRUCTIONS,
    }


async def _listed(request: Request, access: Access, message: Message) -> dict[str, Any]:
    cursor = message.params.get("cursor")
    number = 1
    if cursor is not None:
        if not isinstance(cursor, str) or not cursor.isascii() or not cursor.isdigit():
            raise Refused(INVALID_PARAMS, "this cursor is none of ours")
        number = min(int(cursor[:9]), 1_000_000)
    if number < 1:
        raise Refused(INVALID_PARAMS, "this cursor is none of ours")
    tools, more = await _tools(request).page(access.user_id, number)
    shown = [_tool_form(tool) for tool in tools]
    if number == 1:
        shown.insert(0, _RESULT_TOOL_FORM)
    return {"tools": shown, "nextCursor": str(number + 1)} if more else {"tools": shown}


async def _called(request: Request, access: Access, message: Message) -> dict[str, Any]:
    name, arguments = message.params.get("name"), message.params.get("arguments") or {}
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise Refused(INVALID_PARAMS, "name is a text, and arguments an object")
    tools = _tools(request)
    try:
        if name == RESULT_TOOL:
            _require(access, Permission.READ_GRAPH)
            run_id = run_id_of(arguments.get("run_id"))
            return _result_form(await tools.result(access.user_id, run_id, wait_s=MAX_WAIT_S))
        _require(access, Permission.EXECUTE_GRAPH)
        key = request.headers.get("idempotency-key")
        return _result_form(await tools.run(access.user_id, name, arguments, key=key))
    except AgentServerError as exc:
        # What a model can mend by another call is the result of its call, not of the protocol.
        return _text_form(exc.in_full(), failed=True)


def _tools(request: Request) -> AgentTools:
    context = context_of(request)
    return AgentTools(
        library=context.library,
        executions=context.executions,
        catalog=context.catalog,
    )


def _require(access: Access, permission: Permission) -> None:
    if permission not in access.scopes:
        raise Refused(INVALID_PARAMS, f"this needs the permission {permission.value}")


_RESULT_TOOL_FORM: Final[dict[str, Any]] = {
    "name": RESULT_TOOL,
    "title": "Result of an agent",
    "description": "Says where a run of an agent stands, and gives its outputs when it has ended.",
    "inputSchema": {
        "type": "object",
        "properties": {"run_id": {"type": "string", "description": "As a call has given it."}},
        "required": ["run_id"],
    },
}


def _tool_form(tool: AgentTool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": tool.inputs,
    }


def _result_form(found: AgentResult) -> dict[str, Any]:
    told: dict[str, Any] = {"run_id": found.run_id, "status": found.status.value}
    if found.ended:
        told["outputs"] = found.outputs
    else:
        told["hint"] = f"ask {RESULT_TOOL} with this run_id for the result"
    if found.error is not None:
        told["error"] = found.error
    text = json.text(told)
    if len(text) > MOST_TEXT:
        told["outputs"] = {}
        told["hint"] = "the outputs are too large for a tool: read them at the external API"
        text = json.text(told)
    form = _text_form(text, failed=found.ended and found.status.value != "COMPLETED")
    return {**form, "structuredContent": told}


def _text_form(text: str, *, failed: bool) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": failed}
