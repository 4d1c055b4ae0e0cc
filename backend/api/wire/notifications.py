"""Channels of notices, and notices in the app, on the wire. Ours, beside the contract."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from backend.api.wire.text import Id, Name
from backend.api.wire.times import iso, iso_or_none
from backend.core.notice_answers import Delivered, Outcome
from backend.core.notice_channels import NOTICE_KINDS, ChannelKind, InboxEntry, RunsWanted
from backend.services.notice_channels import Made

_Kind = Annotated[str, Field(max_length=100)]
_Types = Annotated[list[_Kind], Field(max_length=len(NOTICE_KINDS))]
_Field = Annotated[str, Field(max_length=2_000)]
_Config = Annotated[dict[_Kind, _Field], Field(max_length=10)]


class ChannelBody(BaseModel):
    """A new channel. What stands in *config* depends on the kind."""

    model_config = ConfigDict(extra="forbid")

    kind: ChannelKind
    config: _Config
    name: Name = ""
    types: _Types | None = None
    runs: RunsWanted = RunsWanted.PROBLEMS


class ChannelChangesBody(BaseModel):
    """What is to be different; what is not named, or null, stays."""

    model_config = ConfigDict(extra="forbid")

    config: _Config | None = None
    name: Name | None = None
    types: _Types | None = None
    runs: RunsWanted | None = None
    enabled: bool | None = None


class ReadBody(BaseModel):
    """Which notices were read: some, or all up to a moment; all, if that is null."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[Id], Field(max_length=500)] | None = None
    all: bool = False
    until: AwareDatetime | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.ids is not None) == self.all:
            raise ValueError("give ids, or all: true")
        if self.until is not None and not self.all:
            raise ValueError("until goes with all: true")
        return self

    def until_us(self) -> int | None:
        """Return the moment in microseconds; None: now."""
        if self.until is None:
            return None
        since = self.until.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def channel_form(made: Made) -> dict[str, Any]:
    """Return a channel as it stands: ``NotificationChannel``."""
    one = made.channel
    return {
        "id": one.id,
        "kind": one.kind.value,
        "name": one.name,
        "hint": one.hint,
        "types": list(one.types),
        "runs": one.runs.value,
        "enabled": one.enabled,
        "created_at": iso(one.created_us),
        "updated_at": iso(one.updated_us),
        "last_sent_at": iso_or_none(one.sent_us),
        "waiting": made.waiting,
        "failures": one.failures,
        "error": one.error,
        "signing_secret": made.secret,
    }


def outcome_form(outcome: Outcome) -> dict[str, Any]:
    """Return what became of a test: ``NotificationChannelTest``."""
    return {
        "delivered": isinstance(outcome, Delivered),
        "status": outcome.status,
        "said": outcome.said,
    }


def entry_form(entry: InboxEntry) -> dict[str, Any]:
    """Return a notice as it is read: ``Notification``."""
    return {
        "id": entry.id,
        "kind": entry.kind,
        "title": entry.title,
        "text": entry.text,
        "graph_id": entry.graph_id,
        "graph_exec_id": entry.run_id,
        "created_at": iso(entry.created_us),
        "read_at": iso_or_none(entry.read_us),
    }
