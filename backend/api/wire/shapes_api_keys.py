"""Answers about API keys, as OpenAPI shows them. Part of shapes.py, apart only for its size."""

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel

from backend.core.api_keys import ApiKeyStatus as APIKeyStatus
from backend.core.permissions import Permission as APIKeyPermission


class APIKeyInfo(BaseModel):
    """A key without its text."""

    id: str
    name: str
    head: str
    tail: str
    status: APIKeyStatus
    description: str | None = None
    type: Literal["api_key"] = "api_key"
    user_id: str
    scopes: list[APIKeyPermission]
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class CreateAPIKeyResponse(BaseModel):
    """A key with its text, shown once."""

    api_key: APIKeyInfo
    plain_text_key: str


#: By operation; see shapes.py.
ANSWERS: Final[dict[str, Any]] = {
    "getV1List user api keys": list[APIKeyInfo],
    "postV1Create new api key": CreateAPIKeyResponse,
    "getV1Get specific api key": APIKeyInfo,
    "deleteV1Revoke api key": APIKeyInfo,
    "putV1Update key permissions": APIKeyInfo,
    "postV1Suspend api key": APIKeyInfo,
    "postV1Resume api key": APIKeyInfo,
    "postV1Rotate api key": CreateAPIKeyResponse,
}
