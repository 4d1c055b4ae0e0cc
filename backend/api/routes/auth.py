"""Signing in and out, and one's own sessions and password."""

from typing import Annotated, Final

from fastapi import Query, Request, Response
from starlette.background import BackgroundTask

from backend.api.answers import answer
from backend.api.auditing import Audited, NotAudited
from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, PublicRoute, Routes
from backend.api.wire import auth as wire
from backend.core.errors import LoginRefused, NotFound
from backend.core.ids import SessionId
from backend.services.oidc import ON_THE_WAY_S
from backend.services.sessions import Place

_AUTH: Final = f"{PREFIX}/auth"
_OIDC: Final = f"{_AUTH}/oidc"
_TAGS: Final = ("v1", "auth")
_LETTER: Final = NotAudited("it sends a letter; what its token does is recorded")
#: What only the browser has that went to the provider: nobody else comes back in its place.
_COOKIE: Final = "agpt_oidc"
_MAX_QUERY: Final = 4_000
_GOES_ON: Final = NotAudited("a session goes on; its beginning and its end are recorded")


def add_auth_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    add = routes.add
    for name, endpoint, operation, audit in (
        ("login", log_in, "postV1Log in", Audited("log_in", "session")),
        ("refresh", refresh, "postV1Refresh session", _GOES_ON),
    ):
        add(
            "POST",
            f"{_AUTH}/{name}",
            endpoint,
            operation=operation,
            tags=_TAGS,
            route_class=PublicRoute,
            audit=audit,
        )
    add(
        "POST",
        f"{_AUTH}/logout",
        log_out,
        operation="postV1Log out",
        tags=_TAGS,
        status=204,
        audit=Audited("log_out", "session"),
    )
    add("GET", f"{_AUTH}/sessions", list_sessions, operation="getV1List sessions", tags=_TAGS)
    add(
        "DELETE",
        f"{_AUTH}/sessions/{{session_id}}",
        end_session,
        operation="deleteV1End session",
        tags=_TAGS,
        status=204,
        audit=Audited("end", "session", "session_id"),
    )
    add(
        "POST",
        f"{_AUTH}/password",
        change_password,
        operation="postV1Change password",
        tags=_TAGS,
        status=204,
        audit=Audited("change_password", "account"),
    )

    add_reset_routes(routes)
    add_oidc_routes(routes)


def add_reset_routes(routes: Routes) -> None:
    """Add the routes of who forgot a password."""
    for name, endpoint, operation, audit in (
        ("forgot", forgot, "postV1Forget password", _LETTER),
        ("reset", reset, "postV1Reset password", Audited("reset_password", "account")),
    ):
        routes.add(
            "POST",
            f"{_AUTH}/password/{name}",
            endpoint,
            operation=operation,
            tags=_TAGS,
            status=204,
            route_class=PublicRoute,
            audit=audit,
        )


def add_oidc_routes(routes: Routes) -> None:
    """Add the routes of signing in at a provider, which a browser walks."""
    for name, endpoint, operation in (
        ("login", go_to_provider, "getV1Sign in at provider"),
        ("callback", come_from_provider, "getV1Come back from provider"),
    ):
        routes.add(
            "GET",
            f"{_OIDC}/{name}",
            endpoint,
            operation=operation,
            tags=_TAGS,
            route_class=PublicRoute,
            audit=Audited("log_in", "session") if name == "callback" else None,
        )


async def log_in(request: Request, body: wire.LoginRequest) -> Response:
    """Begin a session with an e-mail address and a password."""
    sessions = context_of(request).sessions
    done = await sessions.log_in(body.email, body.password, place_of(request))
    return answer(wire.signed_in(done))


async def refresh(request: Request, body: wire.RefreshRequest) -> Response:
    """Give new tokens for a refresh token, which is good once."""
    sessions = context_of(request).sessions
    return answer(wire.signed_in(await sessions.refresh(body.refresh_token, place_of(request))))


async def log_out(request: Request) -> Response:
    """End the session of this token."""
    caller = caller_of(request)
    if caller.session_id is None:
        raise NotFound("This token belongs to no session; it is good until it expires")
    await context_of(request).sessions.end(caller.token_user_id, caller.session_id)
    return Response(status_code=204)


async def list_sessions(request: Request) -> Response:
    """Return the sessions of this user that live."""
    caller = caller_of(request)
    found = await context_of(request).sessions.listed(caller.token_user_id)
    return answer([wire.session(one, caller.session_id) for one in found])


async def end_session(request: Request, session_id: str) -> Response:
    """End one of this user's sessions: its tokens are refused from now on."""
    sessions = context_of(request).sessions
    await sessions.end(caller_of(request).token_user_id, SessionId(session_id))
    return Response(status_code=204)


async def change_password(request: Request, body: wire.PasswordRequest) -> Response:
    """Change one's own password; all other sessions end."""
    caller = caller_of(request)
    await context_of(request).sessions.change_password(
        caller.token_user_id,
        current=body.current_password,
        new=body.new_password,
        session_id=caller.session_id,
        place=place_of(request),
    )
    return Response(status_code=204)


async def forgot(request: Request, body: wire.ForgottenRequest) -> Response:
    """Send a letter with a token, if there is such an account; the answer does not tell."""
    resets = context_of(request).resets
    resets.count(body.email, place_of(request).address)
    # Looked up only when the answer has left: how long that takes does not tell either.
    return Response(status_code=204, background=BackgroundTask(resets.send, body.email))


async def reset(request: Request, body: wire.ResetRequest) -> Response:
    """Set a new password with the token of a letter; all sessions end."""
    await context_of(request).resets.finish(body.token, body.new_password)
    return Response(status_code=204)


async def go_to_provider(request: Request) -> Response:
    """Send the browser to the provider where its user signs in."""
    url, browser = await context_of(request).oidc.start()
    response = Response(status_code=302, headers={"Location": url})
    response.set_cookie(
        _COOKIE,
        browser,
        max_age=ON_THE_WAY_S,
        path=_OIDC,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return response


async def come_from_provider(
    request: Request,
    state: Annotated[str, Query(min_length=1, max_length=_MAX_QUERY)],
    code: Annotated[str, Query(max_length=_MAX_QUERY)] = "",
    error: Annotated[str, Query(max_length=_MAX_QUERY)] = "",
) -> Response:
    """Begin a session of whoever has signed in at the provider."""
    if error or not code:
        raise LoginRefused("The provider has not let anybody in")
    done = await context_of(request).oidc.finish(
        code=code, state=state, browser=request.cookies.get(_COOKIE, ""), place=place_of(request)
    )
    response = answer(wire.signed_in(done))
    response.delete_cookie(_COOKIE, path=_OIDC)
    return response


def place_of(request: Request) -> Place:
    """Return from where *request* comes."""
    return Place(
        address=request.client.host if request.client else "",
        agent=request.headers.get("user-agent", ""),
    )
