"""What may run again after a crash. The block's effect decides (design decision 4)."""

from backend.core.block import Effect
from backend.core.errors import BlockExecutionError
from backend.core.execution import NodeExecution
from backend.core.ids import NodeExecutionId
from backend.core.policy import UnknownOutcome
from backend.core.reviews import Decisions, Question
from backend.engine.reviews import ReviewDesk


def unknown_outcome(execution: NodeExecution) -> str | None:
    """
    Return None when *execution*, which was running when its owner died, may run again.

    Otherwise why it must not: its effect could have happened, and nobody knows. A pure or reading
    block runs again; a keyed one with the same key; one that must happen at most once does not.
    """
    if not _happens_once(execution):
        return None
    name = execution.node.block.name
    return (
        f"UnknownOutcome: the server was interrupted while {name} was running; whether it "
        "took effect is not known, so it was not run again"
    )


def question_of(execution: NodeExecution, decisions: Decisions) -> Question | None:
    """
    Return what a person is asked about *execution*, whose outcome is not known; None for nothing.

    Asked once: where somebody said yes, and it was interrupted again, it fails.
    """
    asks = execution.node.policy.unknown_outcome is UnknownOutcome.ASK
    if not asks or execution.id in decisions.by_execution:
        return None
    return Question(
        node_exec_id=NodeExecutionId(execution.id),
        node_id=execution.node.id,
        payload=execution.input or {},
        instructions=(
            f"The server was interrupted while {execution.node.title} was running, and it is not "
            "known whether it took effect. Approve to run it again, reject to let it fail."
        ),
        editable=False,
    )


def check_answer(desk: ReviewDesk, execution: NodeExecution) -> None:
    """
    Look whether a person has let *execution*, whose outcome was not known, run again.

    Raises:
        BlockExecutionError: If they have not.
    """
    spec = execution.node.block
    # Of a sensitive block they were asked before it ran; that answer is looked at elsewhere.
    if spec.sensitive or not desk.answered or not _happens_once(execution):
        return
    decision = desk.decide(None, instructions=None, editable=False)
    if not decision.approved:
        reason = f"UnknownOutcome: it was not run again: {decision.message or 'rejected'}"
        raise BlockExecutionError(reason, block_name=spec.name, block_id=spec.id)


def _happens_once(execution: NodeExecution) -> bool:
    return execution.node.block.effect_with(execution.input or {}) is Effect.AT_MOST_ONCE
