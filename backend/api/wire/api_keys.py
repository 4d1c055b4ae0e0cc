"""API keys on the wire (spec/contract.md 2.5)."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field

from backend.api.wire.text import FilledName, LongText
from backend.api.wire.times import iso, iso_or_none
from backend.core.api_keys import ApiKeyRecord
from backend.core.permissions import Permission
from backend.services.api_keys import MAX_GRACE_S, NewApiKey, ShownKey

Values = dict[str, Any]
Permissions = Annotated[list[Permission], Field(max_length=100)]


class CreateAPIKeyRequest(BaseModel):
    """A key to make. The contract's field is *permissions*, in answers *scopes*; ours: expires_at."""

    name: FilledName
    permissions: Permissions
    description: LongText | None = None
    expires_at: AwareDatetime | None = None

    def new(self) -> NewApiKey:
        """Return it as a service takes it."""
        expires = self.expires_at
        return NewApiKey(
            name=self.name,
            description=self.description,
            scopes=self.permissions,
            expires_us=None if expires is None else round(expires.timestamp() * 1_000_000),
        )


class UpdatePermissionsRequest(BaseModel):
    """What a key is to be allowed, instead of what it was."""

    permissions: Permissions


class RotateAPIKeyRequest(BaseModel):
    """For how many seconds the text that a key has now is to go on."""

    grace_period_s: Annotated[int, Field(ge=0, le=MAX_GRACE_S)] = 0


def api_key_info(record: ApiKeyRecord) -> Values:
    """Return a key without its text: ``APIKeyInfo``."""
    return {
        "id": record.id,
        "user_id": record.user_id,
        "name": record.name,
        "description": record.description,
        "head": record.secret.head,
        "tail": record.secret.tail,
        "type": "api_key",
        "status": record.status.value,
        "scopes": [scope.value for scope in record.scopes],
        "created_at": iso(record.created_us),
        "expires_at": iso_or_none(record.expires_us),
        "last_used_at": iso_or_none(record.last_used_us),
        "revoked_at": iso_or_none(record.revoked_us),
    }


def shown_key(shown: ShownKey) -> Values:
    """Return a key with its text: ``CreateAPIKeyResponse``."""
    return {"api_key": api_key_info(shown.record), "plain_text_key": shown.text}
