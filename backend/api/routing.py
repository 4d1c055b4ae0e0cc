"""How routes are declared: with or without a token, under ``/api`` and without it.

All routes stand in one router: included routers cost time at each request.
"""

import json as standard_json
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, ClassVar, Final, TypeAlias

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from backend.api.auditing import Audit, Audited, declared, recorded
from backend.api.auth import NotAuthenticated
from backend.api.context import caller_of, context_of
from backend.core.errors import NotAllowed
from backend.core.json import depth_over
from backend.services.rates import address_key
from backend.services.users import Caller

Endpoint: TypeAlias = Callable[..., Awaitable[Response]]
Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]

PREFIX: Final = "/api"

#: Deeper bodies are refused: what holds them has to be written as JSON again, with more around it.
MAX_DEPTH: Final = 128


class JsonRequest(Request):
    """A request whose body is read by orjson, which refuses what no answer could repeat."""

    async def json(self) -> Any:
        """Return the body; raises JSONDecodeError, also for one that is nested too deeply."""
        if not hasattr(self, "_json"):
            self._json = read_json(await self.body())
        return self._json


def read_json(body: bytes) -> Any:
    """
    Return the value of the JSON text *body*.

    Raises:
        JSONDecodeError: If it is none, or nested deeper than `MAX_DEPTH`.
    """
    value = orjson.loads(body)
    # Only a body with so many brackets can be so deep; most have fewer.
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and depth_over(value, MAX_DEPTH):
        message = f"nested deeper than {MAX_DEPTH} levels"
        raise standard_json.JSONDecodeError(message, "", 0)
    return value


class AuditedRoute(APIRoute):
    """A route that knows what the audit log is told of it."""

    audit: Audited | None = None

    async def answered(self, request: Request, handle: Handler) -> Response:
        """Return the answer of *handle*, recorded as `Routes.add` was told."""
        asked = JsonRequest(request.scope, request.receive)
        if self.audit is None:
            return await handle(asked)
        return await recorded(asked, self.audit, handle)


class PublicRoute(AuditedRoute):
    """A route that needs no token. How often it answers is counted by the address of who asks."""

    is_counted: ClassVar[bool] = True

    def get_route_handler(self) -> Handler:
        """Return FastAPI's handler, with our way of reading JSON."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            if self.is_counted:
                count_address(request)
            return await self.answered(request, handle)

        return handler


class ProbeRoute(PublicRoute):
    """A route that always answers: for who looks whether the server is well."""

    is_counted = False


def count_address(request: Request) -> None:
    """Count a request of somebody unknown; raises TooManyRequests."""
    client = request.client
    key = address_key(client.host) if client else ""
    context_of(request).doors.rates.addresses.take(key)


async def signed_in(request: Request) -> Caller:
    """
    Return who sends *request*, and count it.

    Raises:
        NotAuthenticated: If the token is missing, or not good.
        TooManyRequests: If they, or strangers at the same address, ask too often.
    """
    context = context_of(request)
    try:
        caller = await context.authenticator.admit(request.scope)
    except NotAuthenticated:
        count_address(request)
        raise
    context.doors.rates.users.take(caller.token_user_id)
    return caller


class UserRoute(AuditedRoute):
    """A route that needs a token. It is checked first: a stranger hears nothing of what is wrong."""

    def get_route_handler(self) -> Handler:
        """Return FastAPI's handler behind the check of the token."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            request.scope["caller"] = await signed_in(request)
            return await self.answered(request, handle)

        return handler


class AdminRoute(UserRoute):
    """A route for administrators: the owner, and who has the role. Others hear 403, and no more."""

    async def answered(self, request: Request, handle: Handler) -> Response:
        """Return the answer; a refusal is in the audit log, where the route declares a change."""

        async def checked(asked: Request) -> Response:
            if not caller_of(asked).is_admin:
                raise NotAllowed("This is for administrators.")
            return await handle(asked)

        return await super().answered(request, checked)


class PlainUserRoute(AuditedRoute):
    """
    A route that needs a token and whose endpoint takes the request as it is.

    For what has to be fast: FastAPI's solving of parameters costs more than starting a run.
    """

    def get_route_handler(self) -> Handler:
        """Return the endpoint behind the check of the token."""
        endpoint: Handler = self.endpoint

        async def handler(request: Request) -> Response:
            request.scope["caller"] = await signed_in(request)
            if self.audit is None:
                return await endpoint(JsonRequest(request.scope, request.receive))
            return await self.answered(request, endpoint)

        return handler


class Routes:
    """Collects the routes of the application."""

    def __init__(self, router: APIRouter) -> None:
        self._router = router

    def add(
        self,
        method: str,
        path: str,
        endpoint: Endpoint,
        *,
        operation: str | None,
        tags: Sequence[str],
        status: int = 200,
        route_class: type[AuditedRoute] = UserRoute,
        audit: Audit | None = None,
    ) -> None:
        """
        Add a route.

        *operation* is its id in OpenAPI; a route without one is not shown there. A route that
        changes something says with *audit* what the audit log is told of it.
        """
        told = declared(method, path, audit)
        self._router.add_api_route(
            path,
            endpoint,
            methods=[method],
            operation_id=operation,
            name=f"{method} {path}",
            tags=list(tags),
            status_code=status,
            response_model=None,
            include_in_schema=operation is not None,
            route_class_override=route_class,
        )
        made = self._router.routes[-1]
        assert isinstance(made, AuditedRoute)
        made.audit = told

    def add_graph_route(  # noqa: PLR0913 - each says one thing of a route
        self,
        method: str,
        path: str,
        endpoint: Endpoint,
        *,
        operation: str | None,
        tags: Sequence[str] = ("v1", "graphs"),
        status: int = 200,
        plain: Endpoint | None = None,
        route_class: type[AuditedRoute] = UserRoute,
        audit: Audit | None = None,
    ) -> None:
        """Add a route under ``/api``, and again without, where *plain* takes the older body."""
        self.add(
            method,
            PREFIX + path,
            endpoint,
            operation=operation,
            tags=tags,
            status=status,
            route_class=route_class,
            audit=audit,
        )
        self.add(
            method,
            path,
            plain or endpoint,
            operation=None,
            tags=tags,
            status=status,
            route_class=route_class,
            audit=audit,
        )
