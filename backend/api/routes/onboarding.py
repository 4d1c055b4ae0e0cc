"""First steps of new users: none here, and front ends ask before they show any."""

from fastapi import Request, Response

from backend.api.answers import answer
from backend.api.routing import PREFIX, Routes


def add_onboarding_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add(
        "GET",
        f"{PREFIX}/onboarding/enabled",
        get_enabled,
        operation="getV1Is onboarding enabled",
        tags=("v1", "onboarding", "public"),
    )


async def get_enabled(request: Request) -> Response:
    """Say what front ends lead new users through: nothing."""
    del request
    return answer({"is_onboarding_enabled": False, "is_chat_enabled": False})
