"""The journal of steps inside node executions: what was begun, and what it came to."""

from typing import Any, Protocol

from backend.core.ids import ExecutionId
from backend.core.node_steps import CallMade, ModelUse, PlannedCall, StepBegun, StepPlace


class NodeSteps(Protocol):
    """
    Steps of node executions. They go with their run.

    Steps that are begun or done at the same time share a commit.
    """

    async def begin_step(
        self,
        place: StepPlace,
        key: str,
        *,
        repeatable: bool,
        now_us: int,
        call: PlannedCall | None = None,
    ) -> StepBegun:
        """
        Note that a step begins, or return what it came to; on disk when this returns.

        Args:
            repeatable: False: it is not begun again where it may have taken effect.
            call: The call of a model that it makes; each time it begins is one, and counted. What
                it may take is reserved in the same commit. Where a budget has no room it is not
                begun, its node execution is noted to wait, and its owner is told.

        Raises:
            StaleAttempt: If the run has another owner by now, or is over.
            UnknownOutcome: If it was begun before, did not come to an end, and is not repeatable.
            ValueLost: If what it came to lay in a file, and that is lost.
        """

    async def finish_step(
        self, place: StepPlace, key: str, *, result: Any, now_us: int, call: CallMade | None = None
    ) -> ModelUse:
        """
        Note what a step that was begun came to, JSON; on disk when this returns. Twice is harmless.

        Returns:
            For a call of a model: what all steps of its node execution have used so far.

        Raises:
            StaleAttempt: If the run has another owner by now, or is over.
        """

    async def give_up_call(self, place: StepPlace, key: str, *, is_known: bool) -> None:
        """
        End what budgets hold back for the call of a step that has failed.

        Args:
            is_known: That it took nothing; else all that was held back counts as used.

        Raises:
            StaleAttempt: If the run has another owner by now, or is over.
        """

    async def settle_dead_calls(self, owners: frozenset[str] | None = None) -> int:
        """
        Count all that budgets hold back as used, and return for how many calls.

        Called before the only executor begins: nobody is left who could say what they took.

        Args:
            owners: Only what was held back for runs of these executors, which are gone.
        """

    async def free_rows(self, owners: frozenset[str]) -> int:
        """
        End the transactions that executors which are gone have open; return how many sessions.

        A frozen one would keep its rows locked until it wakes. One that lives after all sees a
        lost connection, and begins anew. Transactions of a few seconds are left alone.
        """

    async def free_budget_waits(self, *, now_us: int) -> tuple[list[ExecutionId], int]:
        """
        Queue the runs again whose budgets have room now, those that wait longest first.

        Returns:
            Those runs, and how many node executions wait on.
        """
