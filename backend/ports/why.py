"""What says why a run does not move: its rows, and what the executor knows of it. Read-only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from backend.core.graph import Graph
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.status import Status


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRow:
    """
    A run, as far as it says why it does not move.

    Attributes:
        stalls: How often its executor was lost without anything done in it.
        error: What it failed with, if it has.
    """

    id: ExecutionId
    user_id: UserId
    graph_id: GraphId
    graph_version: int
    status: Status
    depth: int
    stalls: int
    created_us: int
    updated_us: int
    ended_us: int | None
    stop_us: int | None
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenNode:
    """
    A node execution that has not ended.

    Attributes:
        pins: That have values, while it collects them.
        error: What its last try failed with, if one has.
        asked_us: Since when a person is asked.
        budget: Which budget it waits for, in words, with how it stands.
    """

    id: str
    ordinal: int
    node_id: str
    status: Status
    is_agent: bool
    pins: tuple[str, ...]
    add_us: int
    queue_us: int | None
    start_us: int | None
    tries: int
    error: str | None
    asked_us: int | None
    budget: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """What an operator has paused: a run, a graph or the server."""

    kind: str
    reason: str | None
    created_us: int


class RunRows(Protocol):
    """The rows of runs. Every method reads, and none keeps a transaction open."""

    def run(self, run_id: ExecutionId) -> RunRow | None:
        """Return a run."""

    def family(self, run_id: ExecutionId) -> Sequence[ExecutionId]:
        """Return a run, and all that it and its nested runs have started and that has not ended."""

    def open_nodes(self, run_id: ExecutionId, *, limit: int) -> Sequence[OpenNode]:
        """Return node executions that have not ended; those that only collect inputs last."""

    def ran(self, run_id: ExecutionId) -> frozenset[str]:
        """Return the ids of the nodes that were queued at least once."""

    def graph(self, run: RunRow) -> Graph | None:
        """Return the graph that *run* runs."""

    def holds(self, run: RunRow) -> Sequence[Hold]:
        """Return what an operator has paused that *run* waits for."""

    def before(self, run: RunRow) -> int:
        """Return how many queued runs of the same user are older than *run*."""

    def at_work(self) -> int:
        """Return how many runs that no other started have begun, and not ended."""


class WorkState(StrEnum):
    """What a node that is noted as running does."""

    WORKS = "works"
    WAITS_TO_RETRY = "waits_to_retry"
    WAITS_FOR_DISK = "waits_for_disk"  #: what led to it must be saved first


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeWork:
    """
    What a node execution does now.

    Attributes:
        for_s: How long it has worked in this try; how long it still waits for the next.
        limit_s: How long one try may take; 0 is for ever.
        whose: Who set that limit.
        tries: How many there are at most.
    """

    state: WorkState
    for_s: float = 0.0
    limit_s: float = 0.0
    whose: str = ""
    tries: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class AdmissionFacts:
    """What a run waits for before it begins: slots, and limits by user and graph."""

    slots: int
    free: int
    per_graph: int
    per_user: int
    full_graphs: tuple[tuple[UserId, GraphId], ...] = ()
    full_users: tuple[UserId, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineFacts:
    """
    What the executor knows, in memory, of the runs that it was asked about.

    Attributes:
        asked: Those runs.
        runs: Of those under way, what their nodes do, by ordinal.
        parallel: Nodes of one run that may work at once.
    """

    admission: AdmissionFacts
    parallel: int
    asked: frozenset[ExecutionId] = frozenset()
    runs: Mapping[ExecutionId, Mapping[int, NodeWork]] = field(default_factory=dict)


def facts_of(answer: Any) -> EngineFacts:
    """
    Return what an executor has answered to the call ``why``.

    Raises:
        KeyError, TypeError, ValueError: If it is no such answer.
    """
    admission = answer["admission"]
    return EngineFacts(
        admission=AdmissionFacts(
            **{
                **admission,
                "full_graphs": tuple((user, graph) for user, graph in admission["full_graphs"]),
                "full_users": tuple(admission["full_users"]),
            }
        ),
        parallel=answer["parallel"],
        asked=frozenset(answer["asked"]),
        runs={
            run_id: {work.pop("ordinal"): _work(work) for work in works}
            for run_id, works in answer["runs"].items()
        },
    )


def _work(said: dict[str, Any]) -> NodeWork:
    return NodeWork(**{**said, "state": WorkState(said["state"])})
