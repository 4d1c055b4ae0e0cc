"""Credentials and providers (spec/contract.md 10)."""

from typing import Annotated, Final

from fastapi import Query, Request, Response

from backend.api.answers import answer
from backend.api.auditing import Audited
from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, PublicRoute, Routes
from backend.api.wire import integrations as wire
from backend.core.ids import CredentialsId
from backend.core.providers import NAMES

_ROOT: Final = f"{PREFIX}/integrations"
_OF_PROVIDER: Final = f"{_ROOT}/{{provider}}"
_CREDENTIALS: Final = f"{_OF_PROVIDER}/credentials"
_ONE: Final = f"{_CREDENTIALS}/{{cred_id}}"
_PROVIDERS: Final = f"{_ROOT}/providers"
_TAGS: Final = ("v1", "integrations")
_KIND: Final = "credentials"


def add_integration_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    _add_sign_ins(routes)
    add = routes.add
    lists = (
        (_PROVIDERS, list_providers, "getV1ListProviders"),
        (f"{_PROVIDERS}/names", list_names, "getV1GetProviderNames"),
        (f"{_PROVIDERS}/constants", list_constants, "getV1GetProviderConstants"),
        (f"{_PROVIDERS}/enum-example", provider_example, "getV1GetProviderEnumExample"),
        (f"{_PROVIDERS}/system", list_system_providers, "getV1ListSystemProviders"),
    )
    for path, endpoint, operation in lists:
        add("GET", path, endpoint, operation=operation, tags=_TAGS, route_class=PublicRoute)
    add(
        "GET",
        f"{_ROOT}/credentials",
        list_credentials,
        operation="getV1List credentials",
        tags=_TAGS,
    )
    add(
        "GET",
        _CREDENTIALS,
        list_of_provider,
        operation="getV1ListCredentialsByProvider",
        tags=_TAGS,
    )
    add(
        "POST",
        _CREDENTIALS,
        create_credentials,
        operation="postV1Create credentials",
        tags=_TAGS,
        status=201,
        audit=Audited("create", _KIND, facts=("provider",)),
    )
    add(
        "GET",
        _ONE,
        get_credentials,
        operation="getV1Get specific credential by id",
        tags=_TAGS,
        audit=Audited("", _KIND, "cred_id"),
    )
    add(
        "DELETE",
        _ONE,
        delete_credentials,
        operation="deleteV1DeleteCredentials",
        tags=_TAGS,
        audit=Audited("delete", _KIND, "cred_id", facts=("provider",)),
    )


def _add_sign_ins(routes: Routes) -> None:
    add = routes.add
    add(
        "GET",
        f"{_OF_PROVIDER}/login",
        begin_sign_in,
        operation="getV1Initiate oauth flow",
        tags=_TAGS,
        audit=Audited("begin_sign_in", _KIND, facts=("provider",)),
    )
    add(
        "POST",
        f"{_OF_PROVIDER}/callback",
        finish_sign_in,
        operation="postV1Exchange oauth code for tokens",
        tags=_TAGS,
        audit=Audited("connect", _KIND, facts=("provider",)),
    )


async def begin_sign_in(
    request: Request,
    provider: str,
    scopes: Annotated[str, Query(max_length=20_000)] = "",
    server_url: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """
    Return where the caller signs in at a provider, so that this server may act for them there.

    *server_url* says which tool server is meant, where the provider is ``mcp``.
    """
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    wanted = tuple(scope.strip() for scope in scopes.split(",") if scope.strip())
    url, state = await context.sign_ins.begin(user_id, provider, wanted, server_url=server_url)
    return answer({"login_url": url, "state_token": state})


async def finish_sign_in(request: Request, provider: str, body: wire.ExchangeBody) -> Response:
    """Keep the tokens of an account, for the code that its provider gave."""
    made = await context_of(request).sign_ins.finish(
        caller_of(request).user_id, provider, code=body.code, state=body.state_token
    )
    return answer(wire.meta_form(made))


async def list_providers(_request: Request) -> Response:
    """Return the names of all providers that are known."""
    return answer(list(NAMES))


async def list_names(_request: Request) -> Response:
    """Return the same, as code generators want it."""
    return answer({"providers": list(NAMES)})


async def list_constants(_request: Request) -> Response:
    """Return a constant for each provider."""
    return answer({"PROVIDER_NAMES": {name.upper().replace("-", "_"): name for name in NAMES}})


async def provider_example(_request: Request) -> Response:
    """Return one provider."""
    return answer({"provider": "openai"})


async def list_system_providers(_request: Request) -> Response:
    """Return the providers to which the installation itself has keys: none, keys are its users'."""
    return answer([])


async def list_credentials(request: Request) -> Response:
    """Return what the caller keeps, without secrets."""
    found = await context_of(request).credentials.listed(caller_of(request).user_id)
    return answer([wire.meta_form(record) for record in found])


async def list_of_provider(request: Request, provider: str) -> Response:
    """Return the same for one provider."""
    credentials = context_of(request).credentials
    found = await credentials.listed(caller_of(request).user_id, provider)
    return answer([wire.meta_form(record) for record in found])


async def create_credentials(
    request: Request, provider: str, body: wire.NewCredentials
) -> Response:
    """Keep credentials; what is secret in them does not come back."""
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    made = body.made(provider, context.clock.new_id)
    await context.credentials.create(user_id, made)
    return answer(wire.credentials_form(made), 201)


async def get_credentials(request: Request, provider: str, cred_id: str) -> Response:
    """Return credentials with a mask for each secret but an account's access token."""
    caller = caller_of(request)
    found = await context_of(request).credentials.read(
        caller.user_id, provider, CredentialsId(cred_id)
    )
    # Who acts for somebody else does not sign in elsewhere as them.
    is_owner = caller.user_id == caller.token_user_id
    return answer(wire.credentials_form(found, shows_token=is_owner))


async def delete_credentials(
    request: Request, provider: str, cred_id: str, *, force: Annotated[bool, Query()] = False
) -> Response:
    """Delete credentials, or say who needs them."""
    deletion = await context_of(request).credentials.delete(
        caller_of(request).user_id,
        provider,
        CredentialsId(cred_id),
        force=force,
    )
    if deletion.needed_by is not None:
        return answer(wire.needed_form(deletion.needed_by))
    return answer({"deleted": True, "revoked": deletion.revoked})
