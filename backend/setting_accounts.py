"""The settings of accounts and sign-in. Part of settings.py, apart only for its size."""

from pydantic import BaseModel, Field


class AccountSettings(BaseModel):
    """How people come in."""

    access_token_minutes: int = Field(
        15, ge=1, le=1440, description="An access token of an account is good for so long."
    )
    session_days: int = Field(
        30, ge=1, le=3650, description="A session that is not used for so long ends."
    )
