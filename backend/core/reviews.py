"""Decisions that people take for a run: what is asked, and what was answered (semantics 3.12)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from backend.core.ids import ExecutionId, GraphId, NodeExecutionId, NodeId, UserId

#: What is said of questions that were open when their run was stopped, or failed.
STOPPED: Final = "Execution was stopped by user"
BROKEN: Final = "Execution failed"
#: … parked: it is asked again when the run is retried.
PARKED: Final = "Execution was parked"
AUTO_APPROVED: Final = "Auto-approved (user approved all future actions for this node)"


class ReviewStatus(StrEnum):
    """Where a review stands."""

    WAITING = "WAITING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """
    What a person is asked about one execution of a node.

    Attributes:
        payload: What is to be approved; JSON.
        editable: Whether the answer may change it.
    """

    node_exec_id: NodeExecutionId
    node_id: NodeId
    payload: Any
    instructions: str | None
    editable: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What was answered. *payload* is what was approved, changed or not."""

    approved: bool
    payload: Any
    message: str | None = None


class DecisionPending(Exception):
    """Nobody has decided yet: the node waits. Raised through a block; it must let it pass."""

    def __init__(self, question: Question) -> None:
        super().__init__("a person has to decide")
        self.question = question


@dataclass(frozen=True, kw_only=True, slots=True)
class Decisions:
    """All that was decided in one run so far."""

    by_execution: Mapping[str, Decision]
    approved_nodes: frozenset[str]  #: whose further questions count as approved
    #: Executions that wait: for an answer, or for a budget.
    open: frozenset[str] = frozenset()


NONE_YET: Final = Decisions(by_execution={}, approved_nodes=frozenset())


def same(one: Any, other: Any) -> bool:
    """
    Say whether two JSON values are equal.

    The order of an object's keys does not count, nor does 1 or 1.0: not every client keeps them.
    """
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewRecord:
    """A question with its answer, as saved."""

    node_exec_id: NodeExecutionId
    node_id: NodeId
    user_id: UserId
    run_id: ExecutionId
    graph_id: GraphId
    graph_version: int
    payload: Any
    instructions: str | None
    editable: bool
    status: ReviewStatus
    message: str | None = None
    was_edited: bool | None = None
    processed: bool = False
    created_us: int = 0
    updated_us: int | None = None
    reviewed_us: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """
    What a person says to one question.

    Attributes:
        edited: Whether *payload* stands in place of what was asked.
        approve_further: Further questions of the same node in this run count as approved.
    """

    node_exec_id: NodeExecutionId
    approved: bool
    message: str | None = None
    edited: bool = False
    payload: Any = None
    approve_further: bool = False
