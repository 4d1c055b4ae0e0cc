"""What was seen during a check and at its end: plain values, from the client, the file, the counter."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from backend.selfcheck.plan import RunPlan, Strike

#: What the error of a node begins with whose effect may or may not have happened.
UNKNOWN_OUTCOME: Final = "UnknownOutcome"
_OK: Final = 200


def now_us() -> int:
    """Return the time of this machine's clock, which is also that of the private server."""
    return time.time_ns() // 1_000


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A run that the server said it has taken. *graph_id* is what it runs."""

    run_id: str
    graph_id: str
    plan: RunPlan


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call as it arrived outside; *run* is the name of the run that made it."""

    run: str
    step: str
    key: str | None
    at_us: int


@dataclass(frozen=True, kw_only=True)
class Interruption:
    """
    The time in which an executor died: from the kill until its process was seen to be gone.

    Attributes:
        owners: The executors that died; None: all there were.
        woke: Whether it was only stopped, and went on at the end of this time.
    """

    strike: Strike
    begin_us: int
    end_us: int
    owners: frozenset[str] | None = None
    woke: bool = False

    def is_of(self, owners: Collection[str]) -> bool:
        """Whether runs that were at one of *owners* may have been interrupted."""
        return self.owners is None or not self.owners.isdisjoint(owners)


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A run's row at some moment. *name* is what the check called it, *owner* the executor that has it."""

    id: str
    name: str
    root_id: str
    parent_id: str | None
    status: str
    revision: int
    attempt: int
    ended_us: int | None
    owner: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeRow:
    """A node execution's row at some moment; *outputs* tells all it has yielded from anything else."""

    run_id: str
    ordinal: int
    id: str
    block_id: str
    status: str
    outputs: str
    error: str | None
    start_us: int | None
    end_us: int | None
    revision: int

    @property
    def place(self) -> tuple[str, int]:
        """Which one of which run."""
        return self.run_id, self.ordinal

    @property
    def has_unknown_outcome(self) -> bool:
        """Whether it failed because nobody knows whether its effect happened."""
        return self.status == "FAILED" and (self.error or "").startswith(UNKNOWN_OUTCOME)


@dataclass(frozen=True, kw_only=True)
class Told:
    """
    One event as a WebSocket client got it.

    Attributes:
        row: Id of the run or of the node execution that changed.
        committed: Whether the database had that change when the event arrived.
    """

    run_id: str
    row: str
    sequence: int
    status: str
    committed: bool


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What REST says of a run at the end; *status* 0 of HTTP: it could not be asked."""

    http_status: int
    status: str
    outputs: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        """Whether it was found."""
        return self.http_status == _OK


@dataclass(frozen=True, kw_only=True)
class History:
    """
    All that a check has seen.

    Attributes:
        plans: What was asked to run, by name, whether the answer came or not.
        seen_runs: Rows in the order in which they were seen to change, by run.
        seen_nodes: Node executions that had finished, as they were when that was first seen.
        told: Events in the order of their arrival.
        followed: Runs that a WebSocket client followed.
        answers: By run id.
        broken: What the doctor found.
        defects: Errors of their own that services have noted in their logs.
        left: Processes, ports and sockets that were still there after the stop.
        surprises: What the server did without being told: it ended, it did not start.
    """

    plans: Mapping[str, RunPlan] = field(default_factory=dict)
    accepted: Sequence[Accepted] = ()
    calls: Sequence[Call] = ()
    interruptions: Sequence[Interruption] = ()
    seen_runs: Mapping[str, Sequence[RunRow]] = field(default_factory=dict)
    seen_nodes: Mapping[tuple[str, int], NodeRow] = field(default_factory=dict)
    runs: Mapping[str, RunRow] = field(default_factory=dict)
    nodes: Mapping[tuple[str, int], NodeRow] = field(default_factory=dict)
    told: Sequence[Told] = ()
    followed: frozenset[str] = frozenset()
    answers: Mapping[str, Answer] = field(default_factory=dict)
    broken: Sequence[str] = ()
    defects: Sequence[str] = ()
    left: Sequence[str] = ()
    surprises: Sequence[str] = ()
