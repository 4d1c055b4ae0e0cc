"""Budgets of calls of models, as they are shown and set. Calls are held to them in node_steps.py."""

from typing import Protocol

from backend.core.budgets import Budget, BudgetKind
from backend.core.ids import UserId


class Budgets(Protocol):
    """All of them."""

    async def listed(
        self, user_id: UserId, *, now_us: int, limit: int, offset: int = 0
    ) -> list[Budget]:
        """Return a user's budgets, whoever set them, as they stand; always in the same order."""

    async def count(self, user_id: UserId) -> int:
        """Return how many budgets a user has, whoever set them."""

    async def set(self, kind: BudgetKind, limit: int, *, now_us: int) -> Budget:
        """
        Set a budget, new or in place of the one there is, whose figures it goes on with.

        Raises:
            NotFound: If there is no such user, or the graph or run is none of theirs.
            TooLarge: If it would be one too many.
        """

    async def remove(self, kind: BudgetKind) -> bool:
        """Take a budget away; say whether there was one. Who waits for it goes on."""

    async def remove_own(self, user_id: UserId, budget_id: str) -> None:
        """
        Take a budget away that its user has set; who waits for it goes on.

        Raises:
            NotFound: If the user has none with that id.
            NotAllowed: If it is not the user who set it.
        """
