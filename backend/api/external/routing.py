"""How routes of the external API are declared: each names the permission that it needs."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, HTTPException, Request, Response

from backend.api.auditing import Audit, declared
from backend.api.context import context_of
from backend.api.routing import AuditedRoute, Endpoint, Handler, count_address
from backend.core.api_keys import is_key
from backend.core.ids import UserId
from backend.core.permissions import Permission
from backend.services.access import Access
from backend.services.users import Caller

PREFIX: Final = "/v1"

_KEY_HEADER: Final = "x-api-key"
_CHALLENGE: Final = {"WWW-Authenticate": 'ApiKey, Bearer realm="external-api"'}


def access_of(request: Request) -> Access:
    """Return for whom and as what *request* asks; only in routes of this API."""
    access: Access = request.scope["access"]
    return access


def user_of(request: Request) -> UserId:
    """Return whose things *request* is about."""
    return access_of(request).user_id


class ExternalRoutes:
    """Collects the routes of the external API."""

    def __init__(self, router: APIRouter) -> None:
        self._router = router

    def add(
        self,
        method: str,
        path: str,
        endpoint: Endpoint,
        *,
        permission: Permission,
        tags: Sequence[str],
        status: int = 200,
        audit: Audit | None = None,
    ) -> None:
        """
        Add a route below `PREFIX` that takes keys and tokens with *permission*.

        One that changes something says with *audit* what the audit log is told of it.
        """
        told = declared(method, path, audit)
        self._router.add_api_route(
            PREFIX + path,
            endpoint,
            methods=[method],
            operation_id=endpoint.__name__,
            name=f"{method} {path}",
            tags=list(tags),
            status_code=status,
            response_model=None,
            route_class_override=_guarded(permission),
            openapi_extra={"x-permission": permission.value},
        )
        made = self._router.routes[-1]
        assert isinstance(made, AuditedRoute)
        made.audit = told


def _guarded(permission: Permission) -> type[AuditedRoute]:
    """Return the class of routes that need *permission*, which is looked at before anything else."""

    class Guarded(AuditedRoute):
        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()

            async def handler(request: Request) -> Response:
                await let_in(request, permission)
                return await self.answered(request, handle)

            return handler

    return Guarded


def _caller(access: Access) -> Caller:
    """Return for whom *access* asks, as the audit log names them."""
    return Caller(
        user_id=access.user_id, token_user_id=access.user_id, by=access.by, by_id=access.id
    )


async def let_in(request: Request, permission: Permission, *, bears_keys: bool = False) -> Access:
    """
    Return who asks, known to what comes after by the request, too.

    Args:
        bears_keys: An API key counts as bearer, too: all that many programs can send.

    Raises:
        HTTPException: 401 if nobody is known, 403 without *permission*.
        TooManyRequests: If they ask too often.
    """
    context = context_of(request)
    api_key, token = request.headers.get(_KEY_HEADER), _bearer(request)
    if bears_keys and api_key is None and token and is_key(token):
        api_key = token
    access = await context.doors.access.of(api_key=api_key, token=token)
    if access is None:
        count_address(request)
        raise HTTPException(401, _why_not(request), _CHALLENGE)
    context.doors.rates.keys.take(f"{access.by} {access.id} {access.user_id}")
    if permission not in access.scopes:
        raise HTTPException(403, f"This needs the permission {permission.value}.")
    request.scope["access"] = access
    request.scope["caller"] = _caller(access)
    return access


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _why_not(request: Request) -> str:
    if _KEY_HEADER in request.headers:
        return "This API key is not known, or not valid any more."
    if _bearer(request):
        return "This access token is not known, or not valid any more."
    return "Send an API key in X-API-Key, or an access token as Authorization: Bearer."
