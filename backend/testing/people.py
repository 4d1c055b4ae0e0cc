"""People who decide at once: for the examples of blocks, and for tests."""

from typing import Any

from backend.core.reviews import Decision


class ApprovingPeople:
    """See backend.sdk.context.Reviews. They approve of everything, unchanged."""

    wanted = True

    def decide(self, payload: Any, *, instructions: str | None, editable: bool) -> Decision:
        """See the protocol."""
        del instructions, editable
        return Decision(approved=True, payload=payload)
