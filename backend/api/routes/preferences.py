"""What people want to be told by mail, and to which address (spec/contract.md 5 and 8)."""

from html import escape
from typing import Annotated, Final

from fastapi import Body, HTTPException, Query, Request, Response
from starlette.responses import HTMLResponse

from backend.api.answers import answer
from backend.api.auditing import Audited, NotAudited
from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, PublicRoute, Routes
from backend.api.wire import preferences as wire
from backend.core.errors import BadRequest
from backend.services.audit import name_object

_PREFERENCES: Final = f"{PREFIX}/auth/user/preferences"
_UNSUBSCRIBE: Final = f"{PREFIX}/email/unsubscribe"
_EMAIL: Final = f"{PREFIX}/auth/user/email"
_CONFIRM: Final = f"{_EMAIL}/confirm"
_TAGS: Final = ("v1", "auth")
_PAGE: Final = """<!doctype html><meta charset="utf-8"><title>Mail notices</title>
<p>Do you want no more notices by mail?</p>
<form method="post" action="?token={token}"><button>Send me none</button></form>
"""

_CONFIRM_PAGE: Final = """<!doctype html><meta charset="utf-8"><title>Mail address</title>
<p>Is this to be the address of your account?</p>
<form method="post" action="?token={token}"><button>Yes</button></form>
"""

Token = Annotated[str, Query(max_length=1_000)]


def add_preference_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add(
        "GET",
        _PREFERENCES,
        get_preferences,
        operation="getV1Get notification preferences",
        tags=_TAGS,
    )
    routes.add(
        "POST",
        _PREFERENCES,
        change_preferences,
        operation="postV1Update notification preferences",
        tags=_TAGS,
        audit=Audited("change_preferences", "user"),
    )
    routes.add(
        "POST",
        _EMAIL,
        change_email,
        operation="postV1Update user email",
        tags=_TAGS,
        audit=NotAudited("it sends letters; what the answer to one of them does is recorded"),
    )
    routes.add(
        "POST",
        _CONFIRM,
        confirm_email,
        operation="postV1Confirm user email",
        tags=_TAGS,
        route_class=PublicRoute,
        audit=Audited("change_email", "user"),
    )
    routes.add(
        "GET",
        _CONFIRM,
        ask_to_confirm,
        operation=None,
        tags=_TAGS,
        route_class=PublicRoute,
    )
    routes.add(
        "POST",
        _UNSUBSCRIBE,
        unsubscribe,
        operation="postV1One click email unsubscribe",
        tags=("v1", "email"),
        route_class=PublicRoute,
        audit=Audited("unsubscribe", "user"),
    )
    # For people, who follow the link; mail programs send a POST by themselves.
    routes.add(
        "GET",
        _UNSUBSCRIBE,
        ask_to_unsubscribe,
        operation=None,
        tags=("v1", "email"),
        route_class=PublicRoute,
    )


async def get_preferences(request: Request) -> Response:
    """Return what the caller wants to be told."""
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    found = await context.preferences.get(user_id)
    return answer(wire.preference_form(found, now_us=context.clock.now_us()))


async def change_preferences(request: Request, body: wire.NotificationPreferenceDTO) -> Response:
    """Change what the caller wants to be told, and return what is so now."""
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    name_object(user_id)
    if body.email:
        # First: an address that cannot be asked for changes nothing else either.
        await context.addresses.ask(user_id, body.email)
    changed = await context.preferences.change(user_id, body.changes())
    return answer(wire.preference_form(changed, now_us=context.clock.now_us()))


async def change_email(request: Request, email: Annotated[wire.Address, Body()]) -> Response:
    """
    Ask whether another address is the caller's, by a letter to it; the body is a bare JSON text.

    The address that was asked for is answered, as the contract has it, and whether it counts.
    """
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    changed = await context.addresses.ask(user_id, email)
    status = "confirmed" if changed.is_confirmed else "unconfirmed"
    return answer({"email": changed.email, "status": status})


async def confirm_email(request: Request, token: Token) -> Response:
    """Make the address to which the letter with this token went that of its account."""
    account = await context_of(request).addresses.confirm(token)
    name_object(account.id)
    return answer({"email": account.email, "status": "confirmed"})


async def ask_to_confirm(token: Token) -> Response:
    """Ask whether it is meant: what looks at links before people do must change nothing."""
    return HTMLResponse(_CONFIRM_PAGE.format(token=escape(token)))


async def unsubscribe(request: Request, token: Token) -> Response:
    """Send whoever got the letter with this link no more of them."""
    try:
        preferences = context_of(request).preferences
        name_object(preferences.unsubscriber(token))
        await preferences.unsubscribe(token)
    except BadRequest as exc:
        raise _refused(exc) from exc
    return answer({"status": "ok"})


async def ask_to_unsubscribe(request: Request, token: Token) -> Response:
    """Ask whether it is meant: what looks at links before people do must end nothing."""
    try:
        context_of(request).preferences.unsubscriber(token)
    except BadRequest as exc:
        raise _refused(exc) from exc
    return HTMLResponse(_PAGE.format(token=escape(token)))


def _refused(error: BadRequest) -> HTTPException:
    hint = "Take the link of a newer letter, or change the notices in your account."
    return HTTPException(400, {"message": str(error), "hint": hint})
