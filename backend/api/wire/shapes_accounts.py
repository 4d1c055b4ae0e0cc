"""The answers around accounts as OpenAPI shows them. Part of shapes.py, apart only for its size."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from backend.core.accounts import Role


class AccountShape(BaseModel):
    """Who signed in."""

    id: str
    email: str
    name: str | None
    role: Role


class SignedInShape(BaseModel):
    """The tokens of a session."""

    access_token: str
    token_type: str
    expires_in: int
    expires_at: int
    refresh_token: str
    session_id: str
    user: AccountShape


class SessionShape(BaseModel):
    """A session that lives."""

    id: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    address: str
    agent: str
    is_current: bool


#: What is answered, by operation.
ANSWERS: dict[str, Any] = {
    "postV1Log in": SignedInShape,
    "postV1Refresh session": SignedInShape,
    "getV1Come back from provider": SignedInShape,
    "getV1List sessions": list[SessionShape],
}
