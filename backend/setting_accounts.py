"""The settings of accounts and sign-in. Part of settings.py, apart only for its size."""

from typing import Final

from pydantic import BaseModel, Field, SecretStr

_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "[::1]")


def keep_public(settings: BaseModel, name: str) -> None:
    """
    Leave out the default origins of *settings*: a machine on which anybody runs anything.

    Raises:
        ValueError: If such an origin was given.
    """
    origins = getattr(settings, name) if name in settings.model_fields_set else ()
    for origin in origins:
        if any(host in origin for host in _THIS_MACHINE):
            message = f"{name}|with APP_ENV=prod no page of this machine, as {origin} is"
            raise ValueError(message)
    # A frozen model may still finish its own construction.
    object.__setattr__(settings, name, tuple(origins))


class AccountSettings(BaseModel):
    """How people come in."""

    jwt_jwks_url: str = Field(
        "", description="Where an issuer of tokens has its public keys (RS256, ES256)."
    )
    jwt_issuer: str = Field("", description="Who must have made the tokens of others; empty: any.")
    jwt_audience: str = Field(
        "authenticated", min_length=1, description="For whom the tokens of others must be."
    )
    oidc_issuer: str = Field("", description="Where people sign in; empty: nowhere but here.")
    oidc_client_id: str = Field("", description="This server's name at OIDC_ISSUER.")
    oidc_client_secret: SecretStr = Field(
        SecretStr(""), description="This server's secret at OIDC_ISSUER."
    )
    access_token_minutes: int = Field(
        15, ge=1, le=1440, description="An access token of an account is good for so long."
    )
    session_days: int = Field(
        30, ge=1, le=3650, description="A session that is not used for so long ends."
    )
