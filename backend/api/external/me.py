"""Whose key it is."""

from fastapi import Request, Response

from backend.api.answers import answer
from backend.api.context import context_of
from backend.api.external.routing import ExternalRoutes, user_of
from backend.core.permissions import Permission


def add_me_routes(routes: ExternalRoutes) -> None:
    """Add the routes of this noun."""
    routes.add("GET", "/me", get_me, permission=Permission.IDENTITY, tags=("user",))


async def get_me(request: Request) -> Response:
    """Return the user for whom the key or app asks."""
    record = await context_of(request).users.get(user_of(request))
    return answer(
        {
            "id": record.id,
            "name": record.name,
            "email": record.email,
            "timezone": record.timezone,
        }
    )
