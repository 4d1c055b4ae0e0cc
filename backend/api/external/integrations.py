"""Integrations: the providers that are known, and the credentials for them, which only go in."""

from typing import Annotated, Any, Final, Literal

from fastapi import Request, Response
from pydantic import BaseModel, Field

from backend.api.answers import answer
from backend.api.auditing import Audited
from backend.api.context import context_of
from backend.api.external.routing import ExternalRoutes, user_of
from backend.api.wire.integrations import FilledSecret, Host, SecretText, UnixTime, meta_form
from backend.api.wire.text import Name
from backend.core.credentials import (
    ApiKeyCredentials,
    Credentials,
    CredentialsKind,
    HostScopedCredentials,
    Secret,
    UserPasswordCredentials,
)
from backend.core.errors import NotFound
from backend.core.ids import CredentialsId
from backend.core.permissions import Permission
from backend.core.providers import NAMES, OAUTH, kinds_of

_ROOT: Final = "/integrations"
_OF_PROVIDER: Final = f"{_ROOT}/{{provider}}/credentials"
_TAGS: Final = ("integrations",)
_KIND: Final = "credentials"


class NewApiKey(BaseModel):
    """A key; *expires_at* is in Unix seconds."""

    type: Literal["api_key"]
    title: Name
    api_key: FilledSecret
    expires_at: UnixTime | None = None

    def made(self, provider: str, id_: CredentialsId) -> Credentials:
        """Return it as a service takes it."""
        return ApiKeyCredentials(
            id=id_,
            provider=provider,
            title=self.title,
            api_key=Secret(self.api_key.get_secret_value()),
            expires_at=self.expires_at,
        )


class NewUserPassword(BaseModel):
    """A name and a password."""

    type: Literal["user_password"]
    title: Name
    username: SecretText
    password: SecretText

    def made(self, provider: str, id_: CredentialsId) -> Credentials:
        """Return it as a service takes it."""
        return UserPasswordCredentials(
            id=id_,
            provider=provider,
            title=self.title,
            username=Secret(self.username.get_secret_value()),
            password=Secret(self.password.get_secret_value()),
        )


class NewHostScoped(BaseModel):
    """Headers for a host."""

    type: Literal["host_scoped"]
    title: Name
    host: Host
    headers: Annotated[dict[Name, SecretText], Field(max_length=100)]

    def made(self, provider: str, id_: CredentialsId) -> Credentials:
        """Return it as a service takes it."""
        return HostScopedCredentials(
            id=id_,
            provider=provider,
            title=self.title,
            host=self.host,
            headers={
                name: Secret(value.get_secret_value()) for name, value in self.headers.items()
            },
        )


NewCredentials = Annotated[NewApiKey | NewUserPassword | NewHostScoped, Field(discriminator="type")]


def add_integration_routes(routes: ExternalRoutes) -> None:
    """Add the routes of this noun."""
    lists = (
        (f"{_ROOT}/providers", list_providers),
        (f"{_ROOT}/credentials", list_credentials),
        (_OF_PROVIDER, list_credentials_of_provider),
    )
    for path, endpoint in lists:
        routes.add("GET", path, endpoint, permission=Permission.READ_INTEGRATIONS, tags=_TAGS)
    routes.add(
        "POST",
        _OF_PROVIDER,
        create_credentials,
        permission=Permission.MANAGE_INTEGRATIONS,
        tags=_TAGS,
        status=201,
        audit=Audited("create", _KIND, facts=("provider",)),
    )
    routes.add(
        "DELETE",
        f"{_OF_PROVIDER}/{{cred_id}}",
        delete_credentials,
        permission=Permission.DELETE_INTEGRATIONS,
        tags=_TAGS,
        audit=Audited("delete", _KIND, "cred_id", facts=("provider",)),
    )


async def list_providers(_request: Request) -> Response:
    """Return the providers that are known, and which kinds of credentials each takes."""
    return answer([_provider_form(name) for name in NAMES])


async def list_credentials(request: Request) -> Response:
    """Return what the user keeps, without secrets."""
    found = await context_of(request).credentials.listed(user_of(request))
    return answer([meta_form(record) for record in found])


async def list_credentials_of_provider(request: Request, provider: str) -> Response:
    """Return the same for one provider."""
    found = await context_of(request).credentials.listed(user_of(request), provider)
    return answer([meta_form(record) for record in found])


async def create_credentials(request: Request, provider: str, body: NewCredentials) -> Response:
    """Keep credentials; nothing that is secret in them comes back."""
    # Only here: on the REST API any name is a provider (contract 9 and 10.1).
    if provider not in NAMES:
        raise NotFound(f"Provider {provider[:100]!r} not found.")
    context = context_of(request)
    made = body.made(provider, CredentialsId(context.clock.new_id()))
    await context.credentials.create(user_of(request), made)
    return answer(
        {
            "id": made.id,
            "provider": made.provider,
            "type": made.kind.value,
            "title": made.title,
        },
        201,
    )


async def delete_credentials(request: Request, provider: str, cred_id: str) -> Response:
    """Delete credentials, also those that presets or webhooks name: nobody is here to confirm."""
    await context_of(request).credentials.delete(
        user_of(request), provider, CredentialsId(cred_id), force=True
    )
    return answer({"deleted": True, "credentials_id": cred_id})


def _provider_form(name: str) -> dict[str, Any]:
    kinds, oauth = kinds_of(name), OAUTH.get(name)
    return {
        "name": name,
        "supports_oauth": CredentialsKind.OAUTH2 in kinds,
        "supports_api_key": CredentialsKind.KEY in kinds,
        "supports_user_password": CredentialsKind.LOGIN in kinds,
        "supports_host_scoped": CredentialsKind.HOST_SCOPED in kinds,
        "default_scopes": [] if oauth is None else list(oauth.scopes(())),
    }
