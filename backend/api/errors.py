"""What an error looks like to a client. The one place where our errors meet HTTP statuses.

Bodies by spec/contract.md 3.1: a raised HTTP error is ``{"detail"}``; our own errors and failed
validation have ``message``, ``detail`` and ``hint``; a graph with problems at its nodes has them
under ``detail.node_errors``.
"""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from backend.api.answers import answer
from backend.core import json
from backend.core.credentials import MASK
from backend.core.errors import (
    AgentServerError,
    BadRequest,
    Conflict,
    Gone,
    GraphInvalid,
    InsufficientBalance,
    LoginRefused,
    NotAllowed,
    NotConfigured,
    NotFound,
    ProviderNotConfigured,
    ProviderSilent,
    StillStopping,
    TooLarge,
    TooManyRequests,
    Unavailable,
)

#: The status of an error is that of its nearest class here.
STATUSES: Final[Mapping[type[AgentServerError], int]] = {
    AgentServerError: 500,
    NotFound: 404,
    Gone: 410,
    NotAllowed: 403,
    LoginRefused: 401,
    BadRequest: 400,
    TooLarge: 413,
    InsufficientBalance: 402,
    Conflict: 409,
    TooManyRequests: 429,
    StillStopping: 504,
    ProviderSilent: 504,
    Unavailable: 503,
    NotConfigured: 503,
    ProviderNotConfigured: 501,
}

_CLIENT_HINT: Final = "Adjust the request and retry."
_SERVER_HINT: Final = "Check the server's log for what happened; the answer has a request id."

#: Ends of paths whose bodies hold secrets.
_SECRET_BODIES: Final = (
    "/credentials",
    "/callback",
    "/oauth/token",
    "/oauth/introspect",
    "/oauth/revoke",
)

#: Channels lead to addresses that are secrets themselves.
_CHANNELS: Final = "/notifications/channels"

#: How much of a refused value is shown: an error must not repeat ten megabytes.
_SHOWN: Final = 500


def status_of(error: AgentServerError) -> int:
    """Return the HTTP status of *error*."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def body_of(method: str, path: str, status: int, detail: Any) -> dict[str, Any]:
    """Return the body that says that a request failed."""
    return {
        "message": f"Failed to process {method} {path[:_SHOWN]}",
        "detail": detail,
        "hint": _CLIENT_HINT if status < 500 else _SERVER_HINT,  # noqa: PLR2004 - where ours begin
    }


def add_error_handlers(app: FastAPI) -> None:
    """Let *app* answer errors in the contract's form."""
    app.add_exception_handler(AgentServerError, _own_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)


async def _own_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, AgentServerError)
    if isinstance(exc, GraphInvalid) and exc.problems:
        detail = {"type": "validation_error", "message": str(exc), "node_errors": exc.problems}
        return answer({"detail": detail}, 400)
    status = status_of(exc)
    response = answer(body_of(request.method, request.url.path, status, str(exc)), status)
    response.headers.update(headers_of(exc))
    return response


def headers_of(error: AgentServerError) -> dict[str, str]:
    """Return the headers that say more about *error*."""
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.retry_after_s)}
    return {}


async def _invalid(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestValidationError)
    problems = problems_of(request, exc)
    return answer(body_of(request.method, request.url.path, 422, problems), 422)


def problems_of(request: Request, error: RequestValidationError) -> list[dict[str, Any]]:
    """Return what is wrong with *request*, field by field."""
    problems = [_problem(one) for one in error.errors()[:100]]
    path = request.url.path
    if path.endswith(_SECRET_BODIES) or _CHANNELS in path:
        # What was refused may be a secret, or an object with one in it: it is not shown around.
        problems = [{**problem, "input": MASK} for problem in problems]
    return problems


def _problem(error: Mapping[str, Any]) -> dict[str, Any]:
    """Return one problem without what has no JSON form, and without a value's whole length."""
    shown = {
        "type": error["type"],
        "loc": [part if isinstance(part, int) else str(part)[:_SHOWN] for part in error["loc"]],
        "msg": str(error["msg"])[: 4 * _SHOWN],
        "input": _short(error.get("input")),
    }
    if context := error.get("ctx"):
        shown["ctx"] = {name: _short(value) for name, value in context.items()}
    return shown


def _short(value: Any) -> Any:
    try:
        text = json.text(value)
    except json.NotJson:
        text = str(value)
    else:
        if len(text) <= _SHOWN:
            return value
    return text[:_SHOWN].encode("utf-8", "replace").decode()


async def _http_error(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    response = answer({"detail": exc.detail}, exc.status_code)
    response.headers.update(exc.headers or {})
    return response
