"""Apps that users let in, and their tokens, on the wire (spec/contract.md 16)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from backend.api.wire.text import Id, LongText, Name
from backend.api.wire.times import iso
from backend.core.oauth import GRANTS, OAuthApp, OAuthToken
from backend.services.oauth import Leave, Pair, Proof

Values = dict[str, Any]
Text = Annotated[str, Field(max_length=2_000)]
Hint = Literal["access_token", "refresh_token"]


class AuthorizeRequest(BaseModel):
    """What an app asks a user for."""

    client_id: Id
    redirect_uri: Text
    scopes: Annotated[list[Name], Field(max_length=100)]
    state: Text
    response_type: Name = "code"
    code_challenge: Text
    code_challenge_method: Literal["S256", "plain"] = "S256"

    def leave(self) -> Leave:
        """Return it as a service takes it."""
        return Leave(
            client_id=self.client_id,
            redirect_uri=self.redirect_uri,
            scopes=self.scopes,
            state=self.state,
            response_type=self.response_type,
            challenge=self.code_challenge,
            challenge_method=self.code_challenge_method,
        )


class TokenRequestByCode(BaseModel):
    """A code to trade for tokens."""

    model_config = ConfigDict(hide_input_in_errors=True)

    grant_type: Literal["authorization_code"]
    code: Text
    redirect_uri: Text
    client_id: Text
    client_secret: Text
    code_verifier: Text

    def proof(self) -> Proof:
        """Return it as a service takes it."""
        return Proof(code=self.code, redirect_uri=self.redirect_uri, verifier=self.code_verifier)


class TokenRequestByRefreshToken(BaseModel):
    """A refresh token to trade for others."""

    grant_type: Literal["refresh_token"]
    refresh_token: Text
    client_id: Text
    client_secret: Text


class IntrospectBody(BaseModel):
    """A token of which an app wants to know how it stands."""

    model_config = ConfigDict(title="Body_postOauthIntrospect")

    token: Text
    token_type_hint: Hint | None = None
    client_id: Text
    client_secret: Text


class RevokeBody(BaseModel):
    """A token that an app does not need any more."""

    model_config = ConfigDict(title="Body_postOauthRevoke")

    token: Text
    token_type_hint: Hint | None = None
    client_id: Text
    client_secret: Text


class StatusBody(BaseModel):
    """Whether an app may be let in, and its tokens be used."""

    model_config = ConfigDict(title="Body_patchOauthUpdateAppStatus")

    is_active: StrictBool


class UpdateAppLogoRequest(BaseModel):
    """The address of the app's uploaded logo, or an empty one to take it away."""

    logo_url: LongText


def app_info(app: OAuthApp, logo_url: str | None) -> Values:
    """Return an app as its owner sees it: ``OAuthApplicationInfo``."""
    return {
        "id": app.id,
        "name": app.name,
        "description": app.description,
        "logo_url": logo_url,
        "client_id": app.client_id,
        "redirect_uris": list(app.redirect_uris),
        "grant_types": list(GRANTS),
        "scopes": [scope.value for scope in app.scopes],
        "owner_id": app.user_id,
        "is_active": app.is_active,
        "created_at": iso(app.created_us),
        "updated_at": iso(app.updated_us),
    }


def public_info(app: OAuthApp, logo_url: str | None) -> Values:
    """Return an app as those see it who may let it in: ``OAuthApplicationPublicInfo``."""
    return {
        "name": app.name,
        "description": app.description,
        "logo_url": logo_url,
        "scopes": [scope.value for scope in app.scopes],
    }


def token_response(pair: Pair) -> Values:
    """Return tokens with their texts: ``TokenResponse``."""
    return {
        "token_type": "Bearer",
        "access_token": pair.access_text,
        "access_token_expires_at": iso(pair.access.expires_us),
        "refresh_token": pair.refresh_text,
        "refresh_token_expires_at": iso(pair.refresh.expires_us),
        "scopes": [scope.value for scope in pair.access.scopes],
    }


def introspection(token: OAuthToken | None, client_id: str) -> Values:
    """Return how a token stands: ``TokenIntrospectionResult``."""
    if token is None:
        return {"active": False}
    return {
        "active": True,
        "scopes": [scope.value for scope in token.scopes],
        "client_id": client_id,
        "user_id": token.user_id,
        "exp": token.expires_us // 1_000_000,
        "token_type": token.kind.value,
    }
