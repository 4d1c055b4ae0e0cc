"""Answers about apps that users let in, as OpenAPI shows them. Part of shapes.py, apart for its size."""

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel

from backend.core.permissions import Permission as APIKeyPermission


class OAuthApplicationInfo(BaseModel):
    """An app as its owner sees it."""

    id: str
    name: str
    description: str | None = None
    logo_url: str | None = None
    client_id: str
    redirect_uris: list[str]
    grant_types: list[str]
    scopes: list[APIKeyPermission]
    owner_id: str
    is_active: bool
    created_at: datetime
    updated_at: datetime


class OAuthApplicationPublicInfo(BaseModel):
    """An app as those see it who may let it in."""

    name: str
    description: str | None = None
    logo_url: str | None = None
    scopes: list[str]


class AuthorizeResponse(BaseModel):
    """Where the browser goes."""

    redirect_url: str


class TokenResponse(BaseModel):
    """Tokens, shown once."""

    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a word of the standard
    access_token: str
    access_token_expires_at: datetime
    refresh_token: str
    refresh_token_expires_at: datetime
    scopes: list[str]


class TokenIntrospectionResult(BaseModel):
    """How a token stands."""

    active: bool
    scopes: list[str] | None = None
    client_id: str | None = None
    user_id: str | None = None
    exp: int | None = None
    token_type: Literal["access_token", "refresh_token"] | None = None


#: By operation; see shapes.py.
ANSWERS: Final[dict[str, Any]] = {
    "getOauthGetOauthAppInfo": OAuthApplicationPublicInfo,
    "getOauthListMyOauthApps": list[OAuthApplicationInfo],
    "patchOauthUpdateAppLogo": OAuthApplicationInfo,
    "postOauthUploadAppLogo": OAuthApplicationInfo,
    "patchOauthUpdateAppStatus": OAuthApplicationInfo,
    "postOauthAuthorize": AuthorizeResponse,
    "postOauthToken": TokenResponse,
    "postOauthIntrospect": TokenIntrospectionResult,
    "postOauthRevoke": Any,
}
