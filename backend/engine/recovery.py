"""What may run again after a crash. The block's effect decides (design decision 4)."""

from backend.core.block import Effect
from backend.core.execution import NodeExecution


def unknown_outcome(execution: NodeExecution) -> str | None:
    """
    Return None when *execution*, which was running when its owner died, may run again.

    Otherwise why it must not: its effect could have happened, and nobody knows. A pure or reading
    block runs again; a keyed one with the same key; one that must happen at most once does not.
    """
    block = execution.node.block
    if block.effect_with(execution.input or {}) is not Effect.AT_MOST_ONCE:
        return None
    return (
        f"UnknownOutcome: the server was interrupted while {block.name} was running; whether it "
        "took effect is not known, so it was not run again"
    )
