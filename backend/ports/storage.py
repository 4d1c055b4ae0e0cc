"""Where everything is kept. Owned things are reached through `UserStorage`, bound to their owner.

All times are microseconds since the epoch, UTC. Every method raises Unavailable when the database
does not answer within its time limit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from backend.core.execution import NodeExecution
from backend.core.graph import Graph
from backend.core.ids import CredentialsId, ExecutionId, GraphId, PresetId, UserId, WebhookId
from backend.core.plan import NodePlan
from backend.core.records import (
    ExecutionRecord,
    Hold,
    HoldKind,
    NewExecution,
    NodeRecord,
    NoticeRecord,
    PresetChanges,
    PresetRecord,
    UserRecord,
    WebhookRecord,
    WebhookUse,
)
from backend.core.reviews import Answer, Decisions, ReviewRecord
from backend.core.status import Status
from backend.ports.node_steps import NodeSteps
from backend.ports.parking import Parking, UserParking
from backend.ports.schedules import SystemSchedules, UserSchedules


class UserStorage(UserSchedules, UserParking, Protocol):
    """What one user owns. Somebody else's id is answered like one that does not exist."""

    user_id: UserId

    async def user(self) -> UserRecord | None:
        """Return the account."""

    async def save_user(self, *, email: str, name: str | None, now_us: int) -> UserRecord:
        """Create the account, or return the one there is; twice is harmless."""

    async def set_timezone(self, timezone: str, *, now_us: int) -> None:
        """Keep the zone in which this user's schedules are read."""

    async def add_graphs(
        self, graphs: Sequence[Graph], *, now_us: int, settings: Mapping[str, bool] | None = None
    ) -> None:
        """Save *graphs*, each with its library entry with *settings*, all or none."""

    async def add_version(self, graph: Graph, subs: Sequence[Graph], *, now_us: int) -> Graph:
        """
        Save *graph* as the next version of its id, with *subs*, and return it so numbered.

        When it is active, the others are not any more, in the same transaction.

        Raises:
            NotFound: If this user has no graph of that id.
        """

    async def graph(self, graph_id: GraphId, version: int | None = None) -> Graph | None:
        """Return a version without its sub-graphs; the highest when *version* is None."""

    async def active_version(self, graph_id: GraphId) -> int | None:
        """Return the version that runs when none is named: the active one, else the highest."""

    async def graphs(self, *, limit: int) -> list[Graph]:
        """Return the active versions, newest graph first."""

    async def graph_versions(self, graph_id: GraphId, *, limit: int) -> list[Graph]:
        """Return the versions, highest first; empty if there is none."""

    async def set_active_version(self, graph_id: GraphId, version: int, *, now_us: int) -> None:
        """Make *version* the only active one. Raises NotFound if there is none of it."""

    async def delete_graph(self, graph_id: GraphId, *, now_us: int) -> int:
        """Delete all versions, the library entry and schedules; return how many. Presets stay."""

    async def execution(
        self, run_id: ExecutionId, *, with_outputs: bool = False
    ) -> ExecutionRecord | None:
        """Return a run that is not deleted."""

    async def execution_with_nodes(
        self, run_id: ExecutionId, *, limit: int
    ) -> tuple[ExecutionRecord, list[NodeRecord]] | None:
        """Return a run with its outputs and its newest *limit* node executions, as one state."""

    async def executions(self, *, limit: int) -> list[ExecutionRecord]:
        """Return the newest runs, newest first, without those that other runs started."""

    async def executions_page(
        self, graph_id: GraphId, *, page: int, page_size: int
    ) -> tuple[list[ExecutionRecord], int]:
        """Return page *page* (from 1) of a graph's runs, newest first, and how many there are."""

    async def newest_executions(self, graph_id: GraphId, *, limit: int) -> list[ExecutionRecord]:
        """Return the newest runs of a graph, newest first; all its runs are not counted for it."""

    async def node_executions(
        self, run_id: ExecutionId, *, limit: int, after_revision: int = 0
    ) -> list[NodeRecord]:
        """
        Return node executions of a run.

        Those that changed after *after_revision*, in order of their last change, when it is
        given (-1: all of them); else, for 0, the newest *limit* in the order in which they were
        queued.
        """

    async def delete_execution(self, run_id: ExecutionId, *, now_us: int) -> bool:
        """Hide a run for ever; say whether there was one. What is unfinished is stopped."""

    async def ask_stop(self, run_id: ExecutionId, *, now_us: int) -> bool:
        """Note that a run and all it started must stop; say whether it was unfinished."""

    async def waiting_reviews(self, *, page: int, page_size: int) -> list[ReviewRecord]:
        """Return page *page* (from 1) of the open questions, newest first."""

    async def reviews_of(self, run_id: ExecutionId) -> list[ReviewRecord] | None:
        """Return the open questions of a run, oldest first; None if there is no such run."""

    async def answer_reviews(
        self, answers: Sequence[Answer], *, now_us: int
    ) -> tuple[ExecutionId, bool]:
        """
        Save *answers*, all or none; return their run, and whether it is queued again.

        Raises:
            NotFound: If there is no such question.
            Conflict: If they are of several runs, or of one that does not wait for people.
            BadRequest: If a decision is turned round, or what is not editable is changed.
        """

    async def graph_settings(self, graph_id: GraphId) -> Mapping[str, bool] | None:
        """Return what its owner has set for an agent; None if it is not in the library."""

    async def change_graph_settings(
        self, graph_id: GraphId, changes: Mapping[str, bool], *, now_us: int
    ) -> Mapping[str, bool]:
        """
        Set what *changes* names, leave the rest, and return all of it.

        Raises:
            NotFound: If the agent is not in the library.
        """

    async def add_preset(self, preset: PresetRecord) -> None:
        """
        Save a preset, and with it the webhook that it brings, if any; all or nothing.

        Raises:
            NotFound: If this user has no such graph version, or no webhook of the id it names.
        """

    async def preset(self, preset_id: PresetId) -> PresetRecord | None:
        """Return a preset that is not deleted, with its webhook."""

    async def presets(
        self, graph_id: GraphId | None, *, page: int, page_size: int
    ) -> tuple[list[PresetRecord], int]:
        """Return page *page* (from 1) of presets, last changed first, and how many there are."""

    async def change_preset(
        self, preset_id: PresetId, changes: PresetChanges, *, now_us: int
    ) -> PresetRecord:
        """Change a preset and return it. Raises NotFound if there is none."""

    async def delete_preset(self, preset_id: PresetId, *, now_us: int) -> bool:
        """Hide a preset for ever, with a webhook that no other names; say whether there was one."""

    async def webhook(self, webhook_id: WebhookId) -> WebhookRecord | None:
        """Return a webhook."""

    async def webhooks_with(self, credentials_id: CredentialsId) -> list[WebhookRecord]:
        """Return READY webhooks that were registered with these credentials, oldest first."""

    async def add_webhook(self, webhook: WebhookRecord) -> None:
        """Save a webhook that is not READY, before its provider is told of it."""

    async def webhooks(self, *, limit: int) -> list[WebhookUse]:
        """Return webhooks with the presets that name them, newest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRun:
    """An unfinished run with all that its owner needs to go on."""

    record: ExecutionRecord
    skipped: frozenset[str]
    root_id: ExecutionId
    depth: int
    trigger: str
    timezone: str = "UTC"  #: its owner's
    asks_people: bool = True  #: blocks that ask a person do so; else all is approved
    asks_before_sensitive: bool = False  #: sensitive blocks ask a person first
    stalls: int = 0  #: attempts in a row, up to the last, in which nothing was committed
    problem: str | None = None  #: why it cannot go on: what it was given is lost
    owner: str | None = None  #: the executor of its last attempt
    root_owner: str | None = None  #: … and of the run above all others; of a root its own
    root_is_open: bool = True  #: whether that one waits or runs; it may have ended before this one


@dataclass(frozen=True, kw_only=True, slots=True)
class RunChange:
    """
    A run and those of its node executions that changed since the last batch.

    Attributes:
        attempt: The owner's. Refused when it is not the stored one, or, with *claim*, the next.
        read_at: With a claim: the run's revision when it was read. Refused when there is a newer
            one: the run has moved on, and may have ended, while its owner-to-be looked at it.
    """

    run_id: ExecutionId
    attempt: int
    claim: bool
    stalls: int | None  #: to be noted: how often up to here nothing came of an attempt
    values: Mapping[str, Any]  #: columns of the run's row
    nodes: Sequence[NodeExecution]
    read_at: int | None = None
    root_id: ExecutionId | None = None  #: the run above all others; None: this one
    parked: Mapping[int, Status] | None = None  #: what was open, where this is its end for now


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalBatch:
    """Changes that are committed together. *owner* is the executor that commits them."""

    owner: str
    changes: Sequence[RunChange]
    new_runs: Sequence[NewExecution] = ()
    questions: Sequence[ReviewRecord] = ()
    notices: Mapping[ExecutionId, NoticeRecord] | None = None  #: by the run that causes them
    at_us: int = 0


class StagedBatch(Protocol):
    """A batch in the storage's own form."""


class EngineStorage(NodeSteps, Protocol):
    """What the executor needs; owners do not matter here."""

    async def unfinished(
        self,
        *,
        limit: int,
        exclude: Sequence[ExecutionId],
        full: Sequence[tuple[UserId, GraphId]] = (),
        full_users: Sequence[UserId] = (),
        takeable: Sequence[str] | None = None,
    ) -> list[ExecutionId]:
        """
        Return runs that must be run: the oldest of each user, then the second of each, and so on.

        Args:
            exclude: Not these.
            full: Not those of these users and graphs, except nested ones and those that others in
                *takeable* have begun.
            full_users: Not those of these users, with the same exceptions.
            takeable: Who asks, and executors that are gone. Of what others have begun, only what
                belongs to these; what waits is anybody's. Of nested ones those whose root the first
                of them has, or whose root belongs to these and is over. None: all.

        What is paused is left out.
        """

    async def owners(self) -> frozenset[str]:
        """Return the executors that runs under way belong to."""

    async def holds(self) -> list[Hold]:
        """Return what an operator has paused, oldest first."""

    async def load_runs(self, ids: Sequence[ExecutionId]) -> list[StoredRun]:
        """Return those of *ids* that are unfinished, in that order."""

    async def finished_run(self, run_id: ExecutionId) -> ExecutionRecord | None:
        """Return a run that has ended."""

    async def load_nodes(
        self, run_id: ExecutionId, plans: Mapping[str, NodePlan]
    ) -> list[NodeExecution]:
        """Return all of a run's, by ordinal, with what is still needed; raises ValueLost."""

    async def stops_asked(self) -> list[ExecutionId]:
        """Return unfinished runs that somebody asked to stop."""

    async def stop_paused(self, run_id: ExecutionId, *, now_us: int) -> None:
        """Queue a run that waits for people again, to be stopped; nothing happens to others."""

    async def decisions(self, run_id: ExecutionId) -> Decisions:
        """Return what people have decided in a run."""

    async def graph_for_run(self, user_id: UserId, graph_id: GraphId, version: int) -> Graph | None:
        """Return a saved version of a graph of the user whose run it is."""

    def stage(self, batch: JournalBatch) -> "StagedBatch":
        """Copy what *batch* says now; later changes of its runs do not touch the copy."""

    def split(self, staged: "StagedBatch") -> list["StagedBatch"]:
        """Return *staged* as one batch for each of its runs, in their order."""

    def runs_of(self, staged: "StagedBatch") -> frozenset[ExecutionId]:
        """Return the runs whose changes *staged* holds."""

    async def commit(self, staged: "StagedBatch") -> frozenset[ExecutionId]:
        """
        Save *staged* in one transaction.

        After an error the same may be tried again: twice is once, even when the first try did
        reach the disk.

        Returns:
            Runs whose changes were refused because they have another owner now. Nothing of
            them was saved; the others were.
        """


class SystemStorage(SystemSchedules, Parking, Protocol):
    """What the services need for everybody."""

    async def submit(self, run: NewExecution) -> ExecutionRecord:
        """
        Save a new run, QUEUED; group-committed with others. The same id twice is one run.

        Raises:
            NotFound: If the graph version does not exist or is not the user's.
            NotAllowed: If its agent is archived, or not in the user's library any more.
            TooLarge: If one of its inputs is over the limit of values.
        """

    async def submit_alone(self, run: NewExecution) -> ExecutionRecord:
        """
        Save a new run of the agent that runs one block, which is in no table; else like `submit`.

        Raises:
            TooLarge: If one of its inputs is over the limit of values.
        """

    async def hold(self, new: Hold) -> bool:
        """
        Pause a run, a graph or everything; False when it is paused already.

        Raises:
            NotFound: If there is no such run or graph.
        """

    async def let_go(self, kind: HoldKind, id_: str) -> bool:
        """Take a pause back; say whether there was one."""

    async def user_exists(self, user_id: UserId) -> bool:
        """Say whether there is such an account."""

    async def registered_webhooks(
        self, *, after: WebhookId | None, limit: int
    ) -> list[WebhookRecord]:
        """Return READY webhooks of which their providers were told, by id, those after *after*."""

    async def webhooks_due(self, *, now_us: int, limit: int) -> list[WebhookRecord]:
        """Return webhooks that are not READY and that somebody should look after now."""

    async def put_off_webhook(self, webhook_id: WebhookId, *, due_us: int) -> None:
        """Let a webhook that is not READY be REMOVING, to be looked after again at *due_us*."""

    async def forget_webhook(self, webhook_id: WebhookId) -> None:
        """Delete a webhook that is not READY; none is fine."""

    async def webhook_at(self, webhook_id: WebhookId) -> WebhookRecord | None:
        """Return a webhook by its address alone, whosever it is, unless its owner is disabled."""

    async def triggered_by(
        self, webhook_id: WebhookId
    ) -> tuple[WebhookRecord, Sequence[PresetRecord]] | None:
        """Return a webhook, unless its owner is disabled, and the owner's active presets of it."""

    async def users(self, ids: Sequence[UserId]) -> list[UserRecord]:
        """Return accounts."""

    async def stuck_runs(self, *, before_us: int, limit: int) -> list[ExecutionRecord]:
        """Return unfinished runs whose last change is older than *before_us*, oldest first."""

    async def ping(self) -> None:
        """Return when the database answers."""


class Storage(EngineStorage, SystemStorage, Protocol):
    """All of it."""

    def of(self, user_id: UserId) -> UserStorage:
        """Return what *user_id* owns."""

    async def close(self) -> None:
        """Wait for what is under way and close; twice is harmless."""
