"""Each adapter of budgets against the spec of its port."""

from collections.abc import AsyncIterator

import pytest

from backend.adapters.storage.budgets import SqlBudgets
from backend.core.ids import UserId
from backend.testing.budgets import ANN, BOB, BudgetsSpec
from backend.testing.storage import GRAPH
from tests.databases import Rows


class TestSqlBudgets(BudgetsSpec):
    @pytest.fixture
    async def budgets(self, rows: Rows) -> AsyncIterator[SqlBudgets]:
        storage = rows.storage()
        for user in (ANN, BOB):
            await storage.of(UserId(user)).save_user(email=f"{user}@x.org", name=None, now_us=1)
        await storage.of(ANN).add_graphs([GRAPH], now_us=1)
        yield SqlBudgets(storage.database)
        await storage.close()
