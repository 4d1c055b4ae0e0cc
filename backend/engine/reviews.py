"""Asks for decisions on behalf of a block. What was decided before is known; else the node waits."""

from typing import Any

from backend.core.errors import BlockExecutionError
from backend.core.execution import NodeExecution
from backend.core.ids import NodeExecutionId
from backend.core.reviews import (
    AUTO_APPROVED,
    Decision,
    DecisionPending,
    Decisions,
    Question,
    ReviewRecord,
    ReviewStatus,
)
from backend.ports.storage import StoredRun


class ReviewDesk:
    """See backend.sdk.context.Reviews."""

    __slots__ = ("_decisions", "_execution", "_stored")

    def __init__(self, stored: StoredRun, decisions: Decisions, execution: NodeExecution) -> None:
        self._stored = stored
        self._decisions = decisions
        self._execution = execution

    @property
    def wanted(self) -> bool:
        """Whether this agent's owner wants to be asked at all, or was, and has answered."""
        return self._stored.asks_people or self.answered

    @property
    def answered(self) -> bool:
        """Whether somebody has decided about this very execution."""
        return self._execution.id in self._decisions.by_execution

    def decide(self, payload: Any, *, instructions: str | None, editable: bool) -> Decision:
        """
        Return what was decided about *payload*.

        Raises:
            DecisionPending: If nobody has decided yet.
        """
        execution = self._execution
        known = self._decisions.by_execution.get(execution.id)
        if known is not None:
            return known
        if execution.node.id in self._decisions.approved_nodes:
            return Decision(approved=True, payload=payload, message=AUTO_APPROVED)
        raise DecisionPending(
            Question(
                node_exec_id=NodeExecutionId(execution.id),
                node_id=execution.node.id,
                payload=payload,
                instructions=instructions,
                editable=editable,
            )
        )


def review_of(stored: StoredRun, question: Question, now_us: int) -> ReviewRecord:
    """Return what is saved of a question that a run asks."""
    record = stored.record
    return ReviewRecord(
        node_exec_id=question.node_exec_id,
        node_id=question.node_id,
        user_id=record.user_id,
        run_id=record.id,
        graph_id=record.graph_id,
        graph_version=record.graph_version,
        payload=question.payload,
        instructions=question.instructions,
        editable=question.editable,
        status=ReviewStatus.WAITING,
        created_us=now_us,
    )


def reviewed_inputs(
    desk: ReviewDesk, stored: StoredRun, execution: NodeExecution
) -> dict[str, Any]:
    """
    Return the inputs with which a sensitive block may run: as they are, or as a person left them.

    Raises:
        DecisionPending: If nobody has decided yet.
        BlockExecutionError: If somebody said no.
    """
    spec, inputs = execution.node.block, execution.input or {}
    # What was decided holds, also when its owner has stopped asking since.
    if not (spec.sensitive and (stored.asks_before_sensitive or desk.answered)):
        return inputs
    decision = desk.decide(inputs, instructions=spec.name, editable=True)
    if not decision.approved:
        raise BlockExecutionError(
            f"Block execution rejected by reviewer: {decision.message or ''}".rstrip(": "),
            block_name=spec.name,
            block_id=spec.id,
        )
    if not isinstance(decision.payload, dict):
        raise BlockExecutionError(
            "the reviewed data must be an object with the block's inputs",
            block_name=spec.name,
            block_id=spec.id,
        )
    return decision.payload
