"""Accounts (spec/contract.md 5, "Auth & user")."""

from fastapi import Request, Response

from backend.api.answers import answer
from backend.api.auditing import Audited, NotAudited
from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, Routes
from backend.api.wire import users as wire

_TAGS = ("v1", "auth")


def add_user_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add(
        "POST",
        f"{PREFIX}/auth/user",
        get_or_create_user,
        operation="postV1Get or create user",
        tags=_TAGS,
        audit=NotAudited("asked at each visit; nothing changes but on the first"),
    )
    routes.add(
        "GET",
        f"{PREFIX}/auth/user/timezone",
        get_timezone,
        operation="getV1Get user timezone",
        tags=_TAGS,
    )
    routes.add(
        "POST",
        f"{PREFIX}/auth/user/timezone",
        set_timezone,
        operation="postV1Update user timezone",
        tags=_TAGS,
        audit=Audited("change_timezone", "user"),
    )


async def get_or_create_user(request: Request) -> Response:
    """Return the account of whoever holds the token; made now if it was not there."""
    context = context_of(request)
    record = await context.users.get_or_create(caller_of(request))
    return answer(wire.user(record, await context.preferences.get(record.id)))


async def get_timezone(request: Request) -> Response:
    """Return the caller's time zone, or "not-set"."""
    # The token's user, also when an administrator acts for somebody (spec/contract.md 2.2).
    user_id = caller_of(request).token_user_id
    return answer({"timezone": await context_of(request).users.timezone(user_id)})


async def set_timezone(request: Request, body: wire.UpdateTimezoneRequest) -> Response:
    """Keep the time zone in which the caller's schedules are read."""
    users = context_of(request).users
    user_id = await users.ensure(caller_of(request))
    await users.set_timezone(user_id, body.timezone)
    return answer({"timezone": body.timezone})
