"""What is kept of users, runs, schedules, presets, webhooks and notices, as it is read back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from backend.core.execution import RunStats
from backend.core.ids import (
    BlockId,
    ExecutionId,
    GraphId,
    NodeExecutionId,
    NodeId,
    PresetId,
    ScheduleId,
    UserId,
    WebhookId,
)
from backend.core.status import Status


@dataclass(frozen=True, kw_only=True, slots=True)
class UserRecord:
    """An account."""

    id: UserId
    email: str
    name: str | None = None
    timezone: str = "not-set"  #: an IANA name, or the literal "not-set"
    created_us: int = 0
    updated_us: int = 0
    preferences: Mapping[str, bool] = field(default_factory=dict)  #: notices by type; absent = on


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionRecord:
    """
    A run, as saved.

    Attributes:
        revision: The number of the run's last committed change; grows by one with each.
        outputs: By name of the output block; None when it was not asked for.
    """

    id: ExecutionId
    user_id: UserId
    graph_id: GraphId
    graph_version: int
    status: Status
    inputs: Mapping[str, Any]
    credential_inputs: Mapping[str, Any] | None = None
    masks: Mapping[str, Mapping[str, Any]] | None = None
    preset_id: str | None = None
    parent_id: ExecutionId | None = None
    created_us: int = 0
    started_us: int | None = None
    ended_us: int | None = None
    stop_us: int | None = None  #: when a stop was asked for
    attempt: int = 0
    revision: int = 0
    stats: RunStats | None = None
    is_shared: bool = False
    share_token: str | None = None
    outputs: Mapping[str, list[Any]] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeRecord:
    """One execution of a node, as saved. *outputs* are by pin, in order of arrival."""

    run_id: ExecutionId
    ordinal: int
    id: NodeExecutionId
    node_id: NodeId
    block_id: BlockId
    status: Status
    inputs: Mapping[str, Any]
    outputs: Mapping[str, list[Any]]
    add_us: int
    queue_us: int | None = None
    start_us: int | None = None
    end_us: int | None = None
    error: str | None = None
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class NewExecution:
    """A run that somebody asks for, checked, with its id."""

    id: ExecutionId
    user_id: UserId
    graph_id: GraphId
    graph_version: int
    inputs: Mapping[str, Any]
    credential_inputs: Mapping[str, Any] | None = None
    masks: Mapping[str, Mapping[str, Any]] | None = None
    skipped: tuple[str, ...] = ()  #: nodes without their optional credentials
    preset_id: str | None = None
    parent_id: ExecutionId | None = None
    root_id: ExecutionId | None = None
    depth: int = 0  #: how many runs stand above it
    trigger: str = "api"  #: what started it: api, schedule, webhook, agent
    created_us: int


class MissedPolicy(StrEnum):
    """What to do about fires that were missed while nothing ran."""

    LAST = "last"  #: fire once for all of them
    ALL = "all"
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleRecord:
    """A graph that is run again and again at times that a cron expression tells."""

    id: ScheduleId
    user_id: UserId
    graph_id: GraphId
    graph_version: int
    name: str
    agent_name: str
    cron: str
    timezone: str
    inputs: Mapping[str, Any]
    credentials: Mapping[str, Any]
    missed: MissedPolicy = MissedPolicy.LAST
    created_us: int = 0
    next_us: int | None = None  #: None while it is paused
    last_us: int | None = None
    paused_because: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookRecord:
    """
    An address at which something outside starts runs.

    Attributes:
        config: What its deliveries must keep to: ``require_signature``, ``signature``.
        secret: With what deliveries are signed: 64 hexadecimal digits, or the sender's own; only
            its owner may see it.
    """

    id: WebhookId
    user_id: UserId
    provider: str
    webhook_type: str
    secret: str = field(repr=False)
    credentials_id: str = ""  #: empty: nobody registered it, its sender is told the address
    resource: str = ""
    events: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    provider_webhook_id: str = ""
    created_us: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PresetRecord:
    """A graph with inputs and credentials, kept to be run by hand or by a webhook."""

    id: PresetId
    user_id: UserId
    graph_id: GraphId
    graph_version: int
    name: str
    description: str
    inputs: Mapping[str, Any]
    credentials: Mapping[str, Any]
    is_active: bool = True  #: whether its webhook starts runs
    webhook_id: WebhookId | None = None
    created_us: int = 0
    updated_us: int = 0
    webhook: WebhookRecord | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PresetChanges:
    """What is to be different about a preset; None leaves it."""

    name: str | None = None
    description: str | None = None
    inputs: Mapping[str, Any] | None = None
    credentials: Mapping[str, Any] | None = None
    is_active: bool | None = None
    webhook: WebhookRecord | None = None  #: a new one
    webhook_config: Mapping[str, Any] | None = None  #: for the one it has
    webhook_secret: str | None = field(default=None, repr=False)  #: likewise


class HoldKind(StrEnum):
    """What an operator may pause."""

    RUN = "run"  #: with all that it runs
    GRAPH = "graph"  #: all runs of it, nested ones too
    SERVER = "server"  #: everything; its id is ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """A pause: what is under it begins nothing more until it is taken back."""

    kind: HoldKind
    id: str = ""
    reason: str | None = None
    created_us: int = 0


class NoticeStatus(StrEnum):
    """Where a notice stands."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    FAILED = "FAILED"
    DROPPED = "DROPPED"  #: its owner does not want such notices


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeRecord:
    """Something its owner is to be told. *id* is derived from the cause: told once."""

    id: str
    user_id: UserId
    type: str
    data: Mapping[str, Any]
    created_us: int
    status: NoticeStatus = NoticeStatus.QUEUED
    attempts: int = 0
    next_us: int = 0
    error: str | None = None
    sent_us: int | None = None
