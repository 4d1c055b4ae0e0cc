"""Budgets that users set for themselves, beside those that the operator has set for them."""

from backend.core.budgets import (
    Budget,
    BudgetKind,
    BudgetPeriod,
    BudgetScope,
    BudgetSetter,
    BudgetUnit,
)
from backend.core.errors import BadRequest
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.ports.budgets import Budgets
from backend.ports.clock import Clock


class BudgetService:
    """
    Budgets of all users; every method names the user whose they are.

    All that count for a call hold at once, so that nobody gets more than the operator allows.
    """

    def __init__(self, *, budgets: Budgets, clock: Clock) -> None:
        self._budgets = budgets
        self._clock = clock

    async def page(self, user_id: UserId, *, page: int, page_size: int) -> tuple[list[Budget], int]:
        """Return a page (from 1) of the budgets, whoever set them, and how many there are."""
        found = await self._budgets.listed(
            user_id,
            now_us=self._clock.now_us(),
            limit=page_size,
            offset=(page - 1) * page_size,
        )
        return found, await self._budgets.count(user_id)

    async def set(
        self,
        user_id: UserId,
        limit: int,
        *,
        unit: BudgetUnit,
        period: BudgetPeriod | None = None,
        graph_id: GraphId | None = None,
        run_id: ExecutionId | None = None,
    ) -> Budget:
        """
        Set a budget of the user's own; one of the same kind gets the new limit and counts on.

        Args:
            limit: In its unit; money is micro US dollars.
            period: None: in all for a run, else a day.
            graph_id, run_id: Of one agent, or of one run; of all agents when both are None.

        Raises:
            BadRequest: If it would be of an agent and of a run.
            NotFound: If the graph or run is none of theirs.
            TooLarge: If it would be one too many.
        """
        if graph_id and run_id:
            raise BadRequest("a budget is of an agent or of a run: give one of the two ids")
        scope = BudgetScope.USER
        if graph_id or run_id:
            scope = BudgetScope.GRAPH if graph_id else BudgetScope.RUN
        usual = BudgetPeriod.TOTAL if run_id else BudgetPeriod.DAY
        kind = BudgetKind(
            user_id=user_id,
            set_by=BudgetSetter.USER,
            scope=scope,
            scope_id=graph_id or run_id or "",
            period=period or usual,
            unit=unit,
        )
        return await self._budgets.set(kind, limit, now_us=self._clock.now_us())

    async def remove(self, user_id: UserId, budget_id: str) -> None:
        """
        Take a budget away that the user has set.

        Raises:
            NotFound: If the user has none with that id.
            NotAllowed: If the operator has set it.
        """
        await self._budgets.remove_own(user_id, budget_id)
