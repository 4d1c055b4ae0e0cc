"""What is kept of users, runs, schedules, presets, webhooks and notices, as it is read back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from backend.core.cron import Dialect
from backend.core.execution import RunStats
from backend.core.fire_times import NO_RULES, FireRules, FireTimes
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
from backend.core.watches import WATCHED, Standing


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
class ParkedRun:
    """A run that took its executor down too often, and is not tried again until it is retried."""

    id: ExecutionId
    user_id: UserId
    graph_id: GraphId
    graph_version: int
    graph_name: str
    created_us: int
    parked_us: int
    reason: str


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
    """What to do about fires that come late: nothing ran, or they had to queue."""

    LAST = "last"  #: fire once for all of them
    ALL = "all"
    NONE = "none"


class OverlapPolicy(StrEnum):
    """What a fire does while the last run of its schedule has not ended."""

    ALLOW = "allow"  #: start another one beside it
    QUEUE = "queue"  #: wait for its end
    SKIP = "skip"  #: start none
    STOP = "stop"  #: stop it, and start another one


@dataclass(frozen=True, kw_only=True, slots=True)
class Timetable:
    """
    When a schedule fires.

    Attributes:
        cron: See `backend.core.fire_times`.
        next_us: The next fire; None while it is paused, and when there will be none.
    """

    id: ScheduleId
    cron: str
    timezone: str
    rules: FireRules = NO_RULES
    created_us: int = 0
    next_us: int | None = None
    paused_because: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it has no fire any more, and is not paused."""
        return self.next_us is None and self.paused_because is None

    def times(self, dialect: Dialect) -> FireTimes:
        """
        Return its fires.

        Raises:
            BadRequest: If its text cannot be read, or there is no such zone.
        """
        return FireTimes(
            self.cron,
            self.timezone,
            rules=self.rules,
            key=self.id,
            anchor_us=self.created_us,
            dialect=dialect,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleRecord(Timetable):
    """
    A graph that is run again and again.

    Attributes:
        last_run_id: What the newest fire with a run has started.
        revision: Counts what its owner changed: a fire of an older one is none.
    """

    user_id: UserId
    graph_id: GraphId
    graph_version: int
    name: str
    agent_name: str
    inputs: Mapping[str, Any]
    credentials: Mapping[str, Any]
    missed: MissedPolicy = MissedPolicy.LAST
    overlap: OverlapPolicy = OverlapPolicy.ALLOW
    last_us: int | None = None
    last_run_id: ExecutionId | None = None
    revision: int = 0


class WebhookState(StrEnum):
    """Where a webhook stands with its provider."""

    READY = "ready"
    REGISTERING = "registering"  #: the provider is being told, or was when this server died
    REMOVING = "removing"  #: nobody needs it any more, and the provider has yet to hear


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookRecord:
    """
    An address at which something outside starts runs.

    Attributes:
        config: What its deliveries must keep to: ``require_signature``, ``signature``.
        sealed: With what deliveries are signed, sealed: 64 hexadecimal digits, or the sender's own.
            Only its owner may see what is in it.
    """

    id: WebhookId
    user_id: UserId
    provider: str
    webhook_type: str
    sealed: str = field(repr=False)
    credentials_id: str = ""  #: empty: nobody registered it, its sender is told the address
    resource: str = ""
    events: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    provider_webhook_id: str = ""
    created_us: int = 0
    state: WebhookState = WebhookState.READY
    due_us: int = 0  #: when somebody should look after it; while it is not READY
    tries: int = 0
    refused: int = 0  #: how many deliveries were refused
    standing: Standing | None = None  #: of a watch, for its owner

    @property
    def is_registered(self) -> bool:
        """Whether its provider was told of it, and not its sender by its owner."""
        return bool(self.credentials_id) and self.provider not in WATCHED


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
class PresetName:
    """What a list says of a preset."""

    id: PresetId
    name: str
    graph_id: GraphId
    is_active: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookUse:
    """A webhook, and the presets that it starts."""

    webhook: WebhookRecord
    presets: tuple[PresetName, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PresetChanges:
    """What is to be different about a preset; None leaves it."""

    name: str | None = None
    description: str | None = None
    inputs: Mapping[str, Any] | None = None
    credentials: Mapping[str, Any] | None = None
    is_active: bool | None = None
    webhook: WebhookRecord | None = None  #: a new one, or another of its owner's
    detach: bool = False  #: from the one it has
    webhook_config: Mapping[str, Any] | None = None  #: for the one it has
    webhook_sealed: str | None = field(default=None, repr=False)  #: its secret; likewise
    webhook_credentials_id: str | None = None  #: with which it is looked at; likewise


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
    DROPPED = "DROPPED"  #: nobody is to get it: its error says why


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeRecord:
    """
    Something its owner is to be told. *id* is derived from the cause: told once.

    Attributes:
        cause: What repeats, where repeats are told with growing pauses.
        letter: The key of the letter in which it leaves; None: it waits for one.
    """

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
    cause: str = ""
    letter: str | None = None
