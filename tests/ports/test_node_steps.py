"""Each storage adapter against the spec of steps inside node executions."""

import asyncio
from dataclasses import replace

import pytest

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.budgets import SqlBudgets
from backend.core.budgets import BudgetKind, BudgetScope, BudgetSetter, Estimate
from backend.core.node_steps import PlannedCall
from backend.testing.large_values import LARGE_BYTES
from backend.testing.node_steps import MADE, PLACE, NodeStepsSpec
from backend.testing.storage import ANN
from tests.databases import Rows


class TestSqliteStorage(NodeStepsSpec):
    @pytest.fixture
    def storage(self, rows: Rows) -> SqlStorage:
        return rows.storage(inline_bytes=LARGE_BYTES)

    @pytest.mark.slow
    async def test_a_thousand_calls_at_once_never_exceed_a_budget(
        self, storage: SqlStorage
    ) -> None:
        kind = BudgetKind(user_id=ANN, set_by=BudgetSetter.USER, scope=BudgetScope.USER)
        budgets = SqlBudgets(storage.database)
        await budgets.set(kind, 50_000, now_us=1)
        call = PlannedCall(model="m", most=Estimate(micro_usd=1_000))
        answered, over = 0, []

        async def ask(number: int) -> None:
            nonlocal answered
            place = replace(PLACE, node_exec_id=f"node {number}")
            begun = await storage.begin_step(place, "k", repeatable=True, now_us=1, call=call)
            if begun.waits_for is None:
                answered += 1
                await storage.finish_step(place, "k", result=1, now_us=1, call=MADE)
            if number % 50 == 0:
                [one] = await budgets.listed(ANN, now_us=1, limit=1)
                over.append(one.used + one.reserved > one.limit)

        await asyncio.gather(*(ask(number) for number in range(1_000)))
        [one] = await budgets.listed(ANN, now_us=1, limit=1)

        assert not any(over)
        assert (one.used, one.reserved) == (answered * MADE.cost_micro_usd, 0)
        assert (one.waiting, 50 <= answered < 1_000) == (1_000 - answered, True)
