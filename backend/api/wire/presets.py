"""Presets on the wire (spec/contract.md 13)."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from backend.api.wire.credentials import CredentialsMetaInput, meta_inputs
from backend.api.wire.text import FilledName, Id, LongText, Version
from backend.api.wire.times import iso
from backend.core.ids import GraphId, WebhookId
from backend.core.records import PresetChanges, PresetRecord
from backend.services.presets import NewPreset

Values = dict[str, Any]
Credentials = dict[str, CredentialsMetaInput]


class LibraryAgentPresetCreatable(BaseModel):
    """A preset to make."""

    graph_id: Id
    graph_version: Version
    inputs: Values
    credentials: Credentials
    name: FilledName
    description: LongText
    is_active: bool = True
    webhook_id: Id | None = None

    def new(self) -> NewPreset:
        """Return it as a service takes it."""
        return NewPreset(
            graph_id=GraphId(self.graph_id),
            graph_version=self.graph_version,
            name=self.name,
            description=self.description,
            inputs=self.inputs,
            credentials=meta_inputs(self.credentials),
            is_active=self.is_active,
            webhook_id=WebhookId(self.webhook_id) if self.webhook_id else None,
        )


class LibraryAgentPresetCreatableFromGraphExecution(BaseModel):
    """A preset to make from what a run was started with."""

    graph_execution_id: Id
    name: FilledName
    description: LongText
    is_active: bool = True


class LibraryAgentPresetUpdatable(BaseModel):
    """What is to be different about a preset; what is null or missing stays."""

    inputs: Values | None = None
    credentials: Credentials | None = None
    name: FilledName | None = None
    description: LongText | None = None
    is_active: bool | None = None

    def changes(self) -> PresetChanges:
        """Return them as a service takes them."""
        return PresetChanges(
            name=self.name,
            description=self.description,
            inputs=self.inputs,
            credentials=None if self.credentials is None else meta_inputs(self.credentials),
            is_active=self.is_active,
        )


class TriggeredPresetSetupRequest(BaseModel):
    """A preset to make that a webhook starts."""

    name: FilledName
    description: LongText = ""
    graph_id: Id
    graph_version: Version
    trigger_config: Values
    agent_credentials: Credentials = Field(default_factory=dict)

    def new(self) -> NewPreset:
        """Return it as a service takes it."""
        return NewPreset(
            graph_id=GraphId(self.graph_id),
            graph_version=self.graph_version,
            name=self.name,
            description=self.description,
            inputs=self.trigger_config,
            credentials=meta_inputs(self.agent_credentials),
        )


class ExecutePresetBody(BaseModel):
    """What stands before a preset's own values in one run."""

    model_config = ConfigDict(title="Body_postV2Execute_a_preset")

    inputs: Values = Field(default_factory=dict)
    credential_inputs: Credentials = Field(default_factory=dict)


def preset_form(preset: PresetRecord, webhook: Values | None) -> Values:
    """Return a preset with its webhook as `webhook_form` makes it: ``LibraryAgentPreset``."""
    return {
        "graph_id": preset.graph_id,
        "graph_version": preset.graph_version,
        "inputs": preset.inputs,
        "credentials": preset.credentials,
        "name": preset.name,
        "description": preset.description,
        "is_active": preset.is_active,
        "webhook_id": preset.webhook_id,
        "id": preset.id,
        "user_id": preset.user_id,
        "created_at": iso(preset.created_us),
        "updated_at": iso(preset.updated_us),
        "webhook": webhook,
    }
