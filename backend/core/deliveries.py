"""What was sent to webhooks, as it is kept, and where each delivery stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple, NewType

from backend.core.errors import IllegalTransition
from backend.core.ids import ExecutionId, PresetId, UserId, WebhookId

DeliveryId = NewType("DeliveryId", str)

#: Of what is told of a delivery: a reason, a header's value.
MAX_TEXT: Final = 500


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    RECEIVED = "received"  #: on disk; its runs are not
    STARTED = "started"  #: at least one run came of it
    IGNORED = "ignored"  #: nobody here waits for it
    FAILED = "failed"  #: somebody does, and no run could be started
    REFUSED = "refused"  #: its sender was told no; its body is not kept


TRANSITIONS: Final[Mapping[DeliveryStatus, frozenset[DeliveryStatus]]] = {
    DeliveryStatus.RECEIVED: frozenset(
        {
            DeliveryStatus.RECEIVED,  # it is tried again
            DeliveryStatus.STARTED,
            DeliveryStatus.IGNORED,
            DeliveryStatus.FAILED,
        }
    ),
    DeliveryStatus.STARTED: frozenset(),
    DeliveryStatus.IGNORED: frozenset(),
    DeliveryStatus.FAILED: frozenset(),
    DeliveryStatus.REFUSED: frozenset(),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PresetStart:
    """What became of a delivery at one preset: a run, or why there is none."""

    preset_id: PresetId
    run_id: ExecutionId | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryRecord:
    """
    A delivery.

    Attributes:
        key: Of which the ids of its runs are made, so that none of them is started twice.
        payload: None where it was not asked for, and of one that was refused.
        headers: Those that help to understand it; none that proves who sent it.
        address: From where it came; empty where it came by no request.
        replay_of: The one that was started again by hand.
    """

    id: DeliveryId
    webhook_id: WebhookId
    user_id: UserId
    provider: str
    event: str
    received_us: int
    key: str
    payload: Mapping[str, Any] | None = field(default=None, repr=False)
    size_bytes: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    status: DeliveryStatus = DeliveryStatus.RECEIVED
    starts: Sequence[PresetStart] = ()
    reason: str = ""
    replay_of: DeliveryId | None = None
    tries: int = 0

    def __post_init__(self) -> None:
        """Cut what is told to a length that a list can show."""
        object.__setattr__(self, "reason", self.reason[:MAX_TEXT])


class DeliveryPlace(NamedTuple):
    """A place in the list of a webhook's deliveries, newest first: (received_us, id)."""

    received_us: int
    id: DeliveryId


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """
    Where a delivery that was `RECEIVED` stands now.

    Attributes:
        next_us: When it is tried again; only while it stays `RECEIVED`.
    """

    id: DeliveryId
    status: DeliveryStatus
    starts: Sequence[PresetStart] = ()
    reason: str = ""
    next_us: int = 0

    def __post_init__(self) -> None:
        """Refuse a step that is none. Raises IllegalTransition."""
        if self.status not in TRANSITIONS[DeliveryStatus.RECEIVED]:
            raise IllegalTransition(DeliveryStatus.RECEIVED, self.status)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A delivery to whose sender was said no, and why."""

    id: DeliveryId
    webhook_id: WebhookId
    received_us: int
    reason: str
    address: str = ""
    size_bytes: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
