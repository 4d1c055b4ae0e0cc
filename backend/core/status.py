"""The statuses of runs and of node executions, and which may follow which.

The table is spec/semantics.md 3.3. A refused step raises; storage repeats the promise by naming
the owner's attempt in every update.
"""

from enum import StrEnum
from typing import Final

from backend.core.errors import IllegalTransition


class Status(StrEnum):
    """Where a run, or one execution of a node, stands."""

    INCOMPLETE = "INCOMPLETE"  #: collects its inputs
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    REVIEW = "REVIEW"  #: waits for a person
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TERMINATED = "TERMINATED"  #: stopped


TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    Status.INCOMPLETE: frozenset({Status.QUEUED, Status.RUNNING, Status.FAILED, Status.TERMINATED}),
    Status.QUEUED: frozenset({Status.RUNNING, Status.FAILED, Status.TERMINATED}),
    Status.RUNNING: frozenset({Status.COMPLETED, Status.FAILED, Status.TERMINATED, Status.REVIEW}),
    Status.REVIEW: frozenset({Status.QUEUED, Status.RUNNING, Status.FAILED, Status.TERMINATED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.TERMINATED: frozenset({Status.QUEUED, Status.RUNNING}),  # its owner may resume it
}

#: Statuses in which nothing more will happen by itself.
FINAL: Final = frozenset({Status.COMPLETED, Status.FAILED, Status.TERMINATED})

#: Statuses of a run that the engine must pick up.
UNFINISHED: Final = frozenset({Status.QUEUED, Status.RUNNING})


def advance(now: Status, wanted: Status) -> Status:
    """
    Return *wanted*.

    Raises:
        IllegalTransition: If it cannot follow *now*.
    """
    if wanted not in TRANSITIONS[now]:
        raise IllegalTransition(now, wanted)
    return wanted
