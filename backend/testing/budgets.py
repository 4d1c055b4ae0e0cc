"""The spec of budgets, as they are shown and set."""

from dataclasses import replace
from typing import Final

import pytest

from backend.core.budgets import (
    BudgetKind,
    BudgetPeriod,
    BudgetScope,
    BudgetSetter,
    BudgetUnit,
)
from backend.core.errors import NotAllowed, NotFound
from backend.core.ids import UserId
from backend.ports.budgets import Budgets

ANN: Final = UserId("ann")
BOB: Final = UserId("bob")
DAILY: Final = BudgetKind(user_id=ANN, set_by=BudgetSetter.USER, scope=BudgetScope.USER)


class BudgetsSpec:
    """Give a fixture `budgets`, empty, with the accounts ann and bob and ann's graph "graph"."""

    async def test_there_is_one_of_each_kind(self, budgets: Budgets) -> None:
        first = await budgets.set(DAILY, 5, now_us=1)
        second = await budgets.set(DAILY, 7, now_us=2)
        others = (
            replace(DAILY, unit=BudgetUnit.CALLS),
            replace(DAILY, period=BudgetPeriod.TOTAL),
            replace(DAILY, set_by=BudgetSetter.OPERATOR),
            replace(DAILY, scope=BudgetScope.GRAPH, scope_id="graph"),
        )
        for kind in others:
            await budgets.set(kind, 1, now_us=3)

        found = await budgets.listed(ANN, now_us=4, limit=10)
        assert (first.id, first.limit, second.limit) == (second.id, 5, 7)
        assert {one.kind: one.limit for one in found} == {DAILY: 7, **dict.fromkeys(others, 1)}
        assert await budgets.count(ANN) == len(found) == 5
        pages = [await budgets.listed(ANN, now_us=4, limit=2, offset=at) for at in (0, 2, 4)]
        assert [one for page in pages for one in page] == found

    async def test_what_is_somebody_elses_cannot_be_set_nor_seen(self, budgets: Budgets) -> None:
        await budgets.set(DAILY, 5, now_us=1)

        theirs = replace(DAILY, user_id=BOB, scope=BudgetScope.GRAPH, scope_id="graph")
        for kind in (
            theirs,
            replace(DAILY, scope=BudgetScope.RUN, scope_id="gone"),
            replace(DAILY, user_id="nobody"),
        ):
            with pytest.raises(NotFound):
                await budgets.set(kind, 1, now_us=1)
        assert await budgets.listed(BOB, now_us=4, limit=10) == []

    async def test_who_takes_one_away_leaves_the_others(self, budgets: Budgets) -> None:
        operators = replace(DAILY, set_by=BudgetSetter.OPERATOR)
        for kind in (DAILY, operators):
            await budgets.set(kind, 5, now_us=1)

        assert [await budgets.remove(DAILY) for _ in range(2)] == [True, False]
        assert [one.kind for one in await budgets.listed(ANN, now_us=1, limit=9)] == [operators]

    async def test_users_take_away_only_what_they_have_set(self, budgets: Budgets) -> None:
        mine = await budgets.set(DAILY, 5, now_us=1)
        setters = (BudgetSetter.OPERATOR, BudgetSetter.DEFAULT)
        others = [
            await budgets.set(replace(DAILY, set_by=one, unit=BudgetUnit.CALLS), 5, now_us=1)
            for one in setters
        ]

        with pytest.raises(NotFound):
            await budgets.remove_own(BOB, mine.id)
        for one in others:
            with pytest.raises(NotAllowed):
                await budgets.remove_own(ANN, one.id)
        assert await budgets.count(ANN) == 3
        await budgets.remove_own(ANN, mine.id)
        with pytest.raises(NotFound):
            await budgets.remove_own(ANN, mine.id)

        left = [one.id for one in await budgets.listed(ANN, now_us=1, limit=9)]
        assert sorted(left) == sorted(one.id for one in others)
