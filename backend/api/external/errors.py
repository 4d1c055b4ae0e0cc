"""What an error looks like on the external API: ``{"detail"}`` and nothing else (contract 3.2)."""

from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from backend.api.answers import answer
from backend.api.errors import headers_of, problems_of, status_of
from backend.core.errors import AgentServerError

#: So many problems of a graph are told in one text.
_SHOWN: Final = 20


def add_error_handlers(app: FastAPI) -> None:
    """Let *app* answer errors in this API's form."""
    app.add_exception_handler(AgentServerError, _own_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)


async def _own_error(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, AgentServerError)
    status = status_of(exc)
    # What is told of ours is what the REST API tells; internals are in the log alone.
    response = answer({"detail": exc.in_full(_SHOWN)}, status)
    response.headers.update(headers_of(exc))
    return response


async def _invalid(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestValidationError)
    return answer({"detail": problems_of(request, exc)}, 422)


async def _http_error(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    response = answer({"detail": exc.detail}, exc.status_code)
    response.headers.update(exc.headers or {})
    return response
