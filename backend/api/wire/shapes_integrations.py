"""The answers about credentials as OpenAPI shows them. Part of shapes.py, apart only for its size."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from backend.api.wire.integrations import (
    APIKeyCredentials,
    OAuth2Credentials,
    UserPasswordCredentials,
)

Kind = Literal["api_key", "oauth2", "user_password", "host_scoped"]


class HostScopedCredentialsOutput(BaseModel):
    """Headers for a host, without their values."""

    id: str
    provider: str
    title: str | None = None
    type: Literal["host_scoped"] = "host_scoped"
    host: str
    headers: dict[str, str] = Field(default_factory=dict)


class CredentialsMetaResponse(BaseModel):
    """What may be listed of credentials."""

    id: str
    provider: str
    type: Kind
    title: str | None
    scopes: list[str] | None
    username: str | None
    host: str | None = None


class CredentialsDeletionResponse(BaseModel):
    """They are gone."""

    deleted: Literal[True] = True
    revoked: bool | None


class CredentialsDeletionNeedsConfirmationResponse(BaseModel):
    """Something needs them: nothing was deleted."""

    deleted: Literal[False] = False
    need_confirmation: Literal[True] = True
    message: str


class LoginResponse(BaseModel):
    """Where to sign in, and the state that comes back from there."""

    login_url: str
    state_token: str


class ProviderNamesResponse(BaseModel):
    """All providers."""

    providers: list[str] = Field(default_factory=list)


class ProviderConstants(BaseModel):
    """A constant for each provider."""

    PROVIDER_NAMES: dict[str, str] = Field(default_factory=dict)


class ProviderEnumResponse(BaseModel):
    """One provider."""

    provider: str


Stored = Annotated[
    OAuth2Credentials | APIKeyCredentials | UserPasswordCredentials | HostScopedCredentialsOutput,
    Field(discriminator="type"),
]

#: What is answered, by operation.
ANSWERS: dict[str, Any] = {
    "getV1ListProviders": list[str],
    "getV1GetProviderNames": ProviderNamesResponse,
    "getV1GetProviderConstants": ProviderConstants,
    "getV1GetProviderEnumExample": ProviderEnumResponse,
    "getV1ListSystemProviders": list[str],
    "getV1List credentials": list[CredentialsMetaResponse],
    "getV1ListCredentialsByProvider": list[CredentialsMetaResponse],
    "postV1Create credentials": Stored,
    "getV1Initiate oauth flow": LoginResponse,
    "postV1Exchange oauth code for tokens": CredentialsMetaResponse,
    "getV1Get specific credential by id": Stored,
    "deleteV1DeleteCredentials": CredentialsDeletionResponse
    | CredentialsDeletionNeedsConfirmationResponse,
}
