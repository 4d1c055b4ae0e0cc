"""The spec of the ledger: what every adapter must do."""

import asyncio
from typing import Any, Final

import pytest

from backend.core.credits import Charge, TransactionType
from backend.core.errors import BadRequest, InsufficientBalance
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.ports.credits import Ledger

ANN: Final = UserId("ann")
BOB: Final = UserId("bob")
MONTH_US: Final = 31 * 24 * 3600 * 1_000_000


def charge(key: str, amount: int = 10, run: str = "run", user: UserId = ANN) -> Charge:
    """Return a charge."""
    return Charge(
        user_id=user,
        key=key,
        amount=amount,
        block="b",
        graph_id=GraphId("g"),
        run_id=ExecutionId(run),
    )


class LedgerSpec:
    """Give a fixture `ledger`, empty, that fills balances up to 100 a month; every test must pass."""

    async def test_a_balance_is_filled_up_once_a_month(self, ledger: Ledger) -> None:
        mine = ledger.of(ANN)
        first = [await mine.balance(now_us=at_us) for at_us in (0, 1)]
        await ledger.charge(charge("a", 30), now_us=2)
        left = await mine.balance(now_us=3)

        assert (first, left) == ([100, 100], 70)
        assert await mine.balance(now_us=MONTH_US) == 100
        await mine.grant(50, key="g", reason="r", now_us=MONTH_US)
        assert await mine.balance(now_us=2 * MONTH_US) == 150

    async def test_the_same_key_is_taken_once(self, ledger: Ledger) -> None:
        await asyncio.gather(*(ledger.charge(charge("a"), now_us=n) for n in range(5)))

        assert await ledger.of(ANN).balance(now_us=9) == 90

    async def test_a_key_is_its_users_own(self, ledger: Ledger) -> None:
        await ledger.charge(charge("a"), now_us=1)
        await ledger.charge(charge("a", user=BOB), now_us=1)

        assert await ledger.of(BOB).balance(now_us=9) == 90

    async def test_nobody_gets_below_zero_however_many_ask_at_once(self, ledger: Ledger) -> None:
        asked = [ledger.charge(charge(f"k{n}", 30), now_us=n) for n in range(10)]

        outcomes: list[Any] = await asyncio.gather(*asked, return_exceptions=True)

        refused = [one for one in outcomes if isinstance(one, InsufficientBalance)]
        assert len(refused) == 7
        assert "costs 30 credits, and there are 10" in str(refused[0])
        assert await ledger.of(ANN).balance(now_us=99) == 10

    async def test_credits_are_given_and_taken_back_within_bounds(self, ledger: Ledger) -> None:
        mine = ledger.of(ANN)

        given = [await mine.grant(7, key="g", reason="r", now_us=1) for _ in range(2)]
        taken = await mine.grant(-5, key="t", reason="r", now_us=2)

        assert (given, taken) == ([7, 7], 2)
        with pytest.raises(InsufficientBalance):
            await mine.grant(-3, key="u", reason="r", now_us=3)
        with pytest.raises(BadRequest):
            await mine.grant(2**31 - 1, key="v", reason="r", now_us=3)

    async def test_the_history_is_newest_first_with_a_run_in_one(self, ledger: Ledger) -> None:
        mine = ledger.of(ANN)
        await mine.balance(now_us=1)
        for at_us, key, run in ((2, "a", "one"), (3, "b", "one"), (4, "c", "two")):
            await ledger.charge(charge(key, run=run), now_us=at_us)

        found = await mine.history(before_us=None, kind=None, limit=10)

        assert [(one.key, one.amount, one.balance, one.count) for one in found] == [
            ("two", -10, 70, 1),
            ("one", -20, 80, 2),
            ("MONTHLY-CREDIT-TOP-UP-1970-01-01", 100, 100, 0),
        ]
        assert (found[1].first_us, found[1].at_us) == (2, 3)
        older = await mine.history(before_us=4, kind=TransactionType.USAGE, limit=1)
        assert [one.at_us for one in older] == [3]
        assert await ledger.of(BOB).history(before_us=None, kind=None, limit=10) == []
