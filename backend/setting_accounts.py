"""The settings of accounts and sign-in. Part of settings.py, apart only for its size."""

from pydantic import BaseModel, Field, SecretStr


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
