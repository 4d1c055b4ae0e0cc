"""Signing in, on the wire. These operations are ours: the contract leaves them to others."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from backend.api.wire.times import iso
from backend.core.accounts import PASSWORD_CHARACTERS, AccountRecord, SessionRecord
from backend.core.ids import SessionId
from backend.services.sessions import SignedIn

_MAX_EMAIL = 320
_MAX_TOKEN = 200


class LoginRequest(BaseModel):
    """What somebody signs in with."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    email: str = Field(min_length=1, max_length=_MAX_EMAIL)
    password: str = Field(min_length=1, max_length=PASSWORD_CHARACTERS[1], repr=False)


class RefreshRequest(BaseModel):
    """What keeps a session alive."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    refresh_token: str = Field(min_length=1, max_length=_MAX_TOKEN, repr=False)


class PasswordRequest(BaseModel):
    """A change of one's own password."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    current_password: str = Field(min_length=1, max_length=PASSWORD_CHARACTERS[1], repr=False)
    new_password: str = Field(min_length=1, max_length=PASSWORD_CHARACTERS[1], repr=False)


class ForgottenRequest(BaseModel):
    """Whose password is forgotten."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    email: str = Field(min_length=1, max_length=_MAX_EMAIL)


class ResetRequest(BaseModel):
    """A new password, with the token of a letter."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    token: str = Field(min_length=1, max_length=_MAX_TOKEN, repr=False)
    new_password: str = Field(min_length=1, max_length=PASSWORD_CHARACTERS[1], repr=False)


def account(record: AccountRecord) -> dict[str, Any]:
    """Return who somebody is."""
    return {
        "id": record.id,
        "email": record.email,
        "name": record.name,
        "role": record.role.value,
    }


def signed_in(done: SignedIn) -> dict[str, Any]:
    """Return the tokens of a session."""
    return {
        "access_token": done.access_token,
        "token_type": "bearer",
        "expires_in": done.expires_in_s,
        "expires_at": done.expires_at_s,
        "refresh_token": done.refresh_token,
        "session_id": done.session_id,
        "user": account(done.account),
    }


def session(record: SessionRecord, present: SessionId | None) -> dict[str, Any]:
    """Return a session; *present* is that of the request."""
    return {
        "id": record.id,
        "created_at": iso(record.created_us),
        "last_used_at": iso(record.last_used_us),
        "expires_at": iso(record.expires_us),
        "address": record.address,
        "agent": record.agent,
        "is_current": record.id == present,
    }
