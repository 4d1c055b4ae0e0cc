"""Which credentials a run or a schedule is to use: references, never secrets."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class CredentialsMetaInput(BaseModel):
    """A reference to stored credentials."""

    model_config = ConfigDict(
        # The reference's own schema carries these two; clients generated from it expect them.
        json_schema_extra={"credentials_provider": [], "credentials_types": []}
    )

    id: str = Field(max_length=500)
    title: str | None = Field(default=None, max_length=500)
    provider: str = Field(max_length=500)
    type: Literal["api_key", "oauth2", "user_password", "host_scoped"]


def meta_inputs(values: Mapping[str, CredentialsMetaInput]) -> dict[str, Any]:
    """Return references by name as plain values, without those fields that are None."""
    return {name: value.model_dump(exclude_none=True) for name, value in values.items()}
