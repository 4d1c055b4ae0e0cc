"""Apps of others: letting them in, their tokens, and what their owners set (spec/contract.md 16)."""

from typing import Final

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError

from backend.api.answers import answer
from backend.api.auditing import Audited, NotAudited
from backend.api.context import caller_of, context_of
from backend.api.multipart import file_in
from backend.api.routing import PREFIX, PlainUserRoute, PublicRoute, Routes, count_address
from backend.api.wire import oauth as wire
from backend.core.errors import BadRequest, NotFound
from backend.core.ids import OAuthAppId
from backend.core.oauth import OAuthApp
from backend.services.oauth_apps import MAX_LOGO_BYTES, OAuthAppService

_OAUTH: Final = f"{PREFIX}/oauth"
_APP: Final = f"{_OAUTH}/apps/{{app_id}}"
LOGO_UPLOAD: Final = f"{_APP}/logo/upload"
_TAGS: Final = ("oauth",)
_KIND: Final = "oauth_app"
#: A picture can do nothing, whatever a browser takes it for.
_LOGO_HEADERS: Final = {"Content-Security-Policy": "default-src 'none'; sandbox"}


def add_oauth_routes(routes: Routes) -> None:
    """Add the routes of this noun; the last one is ours, beside the contract."""
    _add_app_routes(routes)
    for path, endpoint, operation, audit in (
        ("token", issue_tokens, "postOauthToken", Audited("issue_tokens", _KIND)),
        ("introspect", introspect, "postOauthIntrospect", NotAudited("it changes nothing")),
        ("revoke", revoke, "postOauthRevoke", Audited("revoke_token", _KIND)),
    ):
        routes.add(
            "POST",
            f"{_OAUTH}/{path}",
            endpoint,
            operation=operation,
            tags=_TAGS,
            route_class=PublicRoute,
            audit=audit,
        )
    routes.add(
        "GET", f"{_APP}/logo", show_logo, operation=None, tags=_TAGS, route_class=PublicRoute
    )


def _add_app_routes(routes: Routes) -> None:
    add = routes.add
    add(
        "GET",
        f"{_OAUTH}/app/{{client_id}}",
        get_app,
        operation="getOauthGetOauthAppInfo",
        tags=_TAGS,
    )
    add("GET", f"{_OAUTH}/apps/mine", list_apps, operation="getOauthListMyOauthApps", tags=_TAGS)
    add(
        "POST",
        f"{_OAUTH}/authorize",
        authorize,
        operation="postOauthAuthorize",
        tags=_TAGS,
        audit=Audited("authorize", _KIND),
    )
    for path, endpoint, operation in (
        (f"{_APP}/logo", set_logo, "patchOauthUpdateAppLogo"),
        (f"{_APP}/status", set_status, "patchOauthUpdateAppStatus"),
    ):
        add(
            "PATCH",
            path,
            endpoint,
            operation=operation,
            tags=_TAGS,
            audit=Audited("change", _KIND, "app_id"),
        )
    add(
        "POST",
        LOGO_UPLOAD,
        upload_logo,
        operation="postOauthUploadAppLogo",
        tags=_TAGS,
        route_class=PlainUserRoute,
        audit=Audited("change", _KIND, "app_id"),
    )


async def get_app(request: Request, client_id: str) -> Response:
    """Return what somebody should know before they let an app in."""
    apps = _apps(request)
    try:
        app = await apps.known(client_id)
    except NotFound as exc:
        raise HTTPException(404, str(exc)) from exc
    return answer(wire.public_info(app, apps.logo_url(app)))


async def list_apps(request: Request) -> Response:
    """Return the caller's apps."""
    apps = _apps(request)
    found = await apps.listed(caller_of(request).user_id)
    return answer([wire.app_info(app, apps.logo_url(app)) for app in found])


async def authorize(request: Request, body: wire.AuthorizeRequest) -> Response:
    """Give an app the leave it asks for; the caller has said yes to it."""
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    url = await context.doors.oauth.authorize(user_id, body.leave())
    return answer({"redirect_url": url})


async def issue_tokens(
    request: Request, body: wire.TokenRequestByCode | wire.TokenRequestByRefreshToken
) -> Response:
    """Trade a code or a refresh token for tokens."""
    oauth = context_of(request).doors.oauth
    app = await _client(request, body.client_id, body.client_secret)
    try:
        if isinstance(body, wire.TokenRequestByCode):
            pair = await oauth.exchange(app, body.proof())
        else:
            pair = await oauth.refresh(app, body.refresh_token)
    except BadRequest:
        count_address(request)
        raise
    return answer(wire.token_response(pair))


async def introspect(request: Request, body: wire.IntrospectBody) -> Response:
    """Say how a token of the asking app stands; of others nothing but that they are not active."""
    app = await _client(request, body.client_id, body.client_secret, also_off=True)
    found = await context_of(request).doors.oauth.introspect(app, body.token)
    return answer(wire.introspection(found, app.client_id))


async def revoke(request: Request, body: wire.RevokeBody) -> Response:
    """Revoke a token of the asking app."""
    app = await _client(request, body.client_id, body.client_secret, also_off=True)
    await context_of(request).doors.oauth.revoke(app, body.token)
    return answer({"status": "ok"})


async def set_status(request: Request, app_id: str, body: wire.StatusBody) -> Response:
    """Switch an app of the caller's on or off."""
    apps = _apps(request)
    changed = await apps.set_active(
        caller_of(request).user_id, OAuthAppId(app_id), is_active=body.is_active
    )
    return answer(wire.app_info(changed, apps.logo_url(changed)))


async def set_logo(request: Request, app_id: str, body: wire.UpdateAppLogoRequest) -> Response:
    """Keep an app's uploaded logo, or take it away."""
    apps = _apps(request)
    changed = await apps.name_logo(caller_of(request).user_id, OAuthAppId(app_id), body.logo_url)
    return answer(wire.app_info(changed, apps.logo_url(changed)))


async def upload_logo(request: Request) -> Response:
    """Give an app of the caller's the picture in the form."""
    apps, user_id = _apps(request), caller_of(request).user_id
    # Before the picture is read: it is of no use for somebody else's.
    app = await apps.get(user_id, OAuthAppId(request.path_params["app_id"]))
    changed = await apps.set_logo(user_id, app.id, await _picture(request))
    return answer(wire.app_info(changed, apps.logo_url(changed)))


async def show_logo(request: Request, app_id: str) -> Response:
    """Return an app's logo."""
    logo = await _apps(request).logo(OAuthAppId(app_id))
    return Response(logo.content, media_type=logo.media_type, headers=_LOGO_HEADERS)


def _apps(request: Request) -> OAuthAppService:
    return context_of(request).doors.oauth_apps


async def _client(
    request: Request, client_id: str, client_secret: str, *, also_off: bool = False
) -> OAuthApp:
    app = await context_of(request).doors.oauth.client(client_id, client_secret, also_off=also_off)
    if app is None:
        count_address(request)
        raise HTTPException(401, "There is no such client, its secret is wrong, or it is off.")
    return app


async def _picture(request: Request) -> bytes:
    found = await file_in(request, "file")
    if found is None:
        missing = {"type": "missing", "loc": ("body", "file"), "msg": "Field required"}
        raise RequestValidationError([{**missing, "input": None}])
    content = bytearray()
    async for chunk in found.content:
        content += chunk
        if len(content) > MAX_LOGO_BYTES:
            break
    return bytes(content)
