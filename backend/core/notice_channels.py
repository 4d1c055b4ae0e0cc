"""Ways by which somebody is told beside mail: kinds, what each wants, and what became of it (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from backend.core.ids import ChannelId, UserId
from backend.core.preferences import KINDS
from backend.core.records import NoticeRecord

#: All kinds of notices (spec/contract.md 8.2).
NOTICE_KINDS: Final = (*KINDS, "REFUND_REQUEST", "REFUND_PROCESSED")
#: Ours: a channel was turned off because it failed too often. It is told in the app only.
CHANNEL_OFF: Final = "CHANNEL_DISABLED"
#: Likewise: an address refuses letters, and gets no more.
ADDRESS_REFUSED: Final = "ADDRESS_REFUSED"

#: Channels of one user.
MOST_CHANNELS: Final = 20
#: Messages that were refused one after the other, after which a channel is turned off.
MOST_REFUSALS: Final = 5
#: What could not be delivered for so long is given up.
GIVE_UP_US: Final = 24 * 3600 * 1_000_000
FIRST_PAUSE_S: Final = 2
LONGEST_PAUSE_S: Final = 1_800
#: The longest pause that a service may ask for.
LONGEST_ASKED_S: Final = 3_600

_AGENT_RUN: Final = "AGENT_RUN"
#: Ends of runs that are no news of trouble: they went well, or somebody stopped them.
_NO_TROUBLE: Final = frozenset({"COMPLETED", "TERMINATED"})


class ChannelKind(StrEnum):
    """What a channel speaks to."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    DISCORD = "discord"
    TELEGRAM = "telegram"
    NTFY = "ntfy"


#: Those that programs read: they get each notice by itself. For people what repeats is gathered.
_FOR_PROGRAMS: Final = frozenset({ChannelKind.WEBHOOK})


class RunsWanted(StrEnum):
    """Of which ends of runs a channel tells."""

    ALL = "all"
    PROBLEMS = "problems"  #: those that failed, or steps of which did, or that wait for a budget


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """
    A way to tell its owner.

    Attributes:
        hint: Says which one it is, without what is secret.
        sealed: Where it leads and with which secret.
        types: Kinds of notices that it takes.
        failures: Messages that were refused, one after the other.
        error: Why the last message was not delivered, in words; None when it was.
        next_us: When the next message is due; None: none waits.
    """

    id: ChannelId
    user_id: UserId
    kind: ChannelKind
    name: str
    hint: str
    sealed: str = field(repr=False)
    types: tuple[str, ...] = NOTICE_KINDS
    runs: RunsWanted = RunsWanted.PROBLEMS
    enabled: bool = True
    created_us: int = 0
    updated_us: int = 0
    sent_us: int | None = None
    failures: int = 0
    error: str | None = None
    next_us: int | None = None

    @property
    def gathers(self) -> bool:
        """Whether what repeats is told together here."""
        return self.kind not in _FOR_PROGRAMS

    def wants(self, notice: NoticeRecord) -> bool:
        """Say whether *notice* is to be told here."""
        if not self.enabled or notice.type not in self.types:
            return False
        if notice.type != _AGENT_RUN or self.runs is RunsWanted.ALL:
            return True
        # A run whose steps failed ends as completed; its owner would not call it that.
        has_failed = bool(notice.data.get("node_error_count"))
        return has_failed or notice.data.get("status") not in _NO_TROUBLE


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelChanges:
    """What is to be different about a channel; None leaves it. Turned on again, it starts anew."""

    name: str | None = None
    types: tuple[str, ...] | None = None
    runs: RunsWanted | None = None
    enabled: bool | None = None
    hint: str | None = None
    sealed: str | None = field(default=None, repr=False)


class SendStatus(StrEnum):
    """Where a message stands."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    FAILED = "FAILED"


@dataclass(frozen=True, kw_only=True, slots=True)
class Send:
    """One notice on its way through one channel; *told* is for how many of its cause it stands."""

    notice: NoticeRecord
    channel_id: ChannelId
    attempts: int = 0
    told: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class InboxEntry:
    """A notice as its owner reads it in the app."""

    id: str
    user_id: UserId
    kind: str
    title: str
    text: str
    created_us: int
    graph_id: str | None = None
    run_id: str | None = None
    read_us: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Routed:
    """
    What becomes of one notice.

    Attributes:
        entry: What stands in the app.
        channels: Through which channels it goes by itself.
        gathering: Through which ones it goes together with others of its *cause*.
    """

    entry: InboxEntry
    channels: Sequence[ChannelId] = ()
    gathering: Sequence[ChannelId] = ()
    cause: str = ""


def pause_s(attempts: int, asked_s: float | None = None) -> float:
    """Return how long a channel waits after *attempts* in vain; as long as was asked, within bounds."""
    own_s = float(min(FIRST_PAUSE_S << min(attempts - 1, 20), LONGEST_PAUSE_S))
    if asked_s is None:
        return own_s
    return max(0.1, min(asked_s, LONGEST_ASKED_S))


def event_data(entry: InboxEntry, created_at: str) -> Mapping[str, Any]:
    """Return what sockets of the owner are told of a new entry."""
    about = {"graph_id": entry.graph_id, "graph_exec_id": entry.run_id}
    return {
        "type": "notice",
        "event": "created",
        "id": entry.id,
        "kind": entry.kind,
        "title": entry.title,
        "text": entry.text,
        "created_at": created_at,
        **{name: value for name, value in about.items() if value is not None},
    }
