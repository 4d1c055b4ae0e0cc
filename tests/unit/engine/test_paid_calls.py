"""Calls of paid services that are no models: in budgets, never over them, and counted once a call."""

import asyncio
from typing import Any

import pytest

from backend.adapters.storage.budgets import SqlBudgets
from backend.core import json
from backend.core.budgets import Budget, BudgetKind, BudgetScope, BudgetSetter, BudgetUnit
from backend.core.call_prices import known_prices, price_of_call
from backend.core.status import Status
from backend.discovery import load_catalog
from backend.engine import budgets
from backend.engine.tools import Limits
from backend.settings import load_settings
from backend.wiring_files import engine_limits
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, graph, with_policy
from tests.unit.engine.engine_house import ANN, Fault, House

PRICE = 30_000
LIMITS = Limits(call_prices={"ReadBlock": PRICE, "BreaksBlock": PRICE, "WaitsBlock": PRICE})
LINKS = "in.result -> does.value\ndoes.result -> out.value"


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "_LOOK_S", 0.01)


def does(block: str) -> Any:
    return graph("does", {"in": INPUT, "does": (block, {}), "out": OUTPUT}, LINKS)


async def limit(house: House, amount: int) -> None:
    mine = BudgetKind(
        user_id=ANN, set_by=BudgetSetter.USER, scope=BudgetScope.USER, unit=BudgetUnit.MONEY
    )
    await SqlBudgets(house.storage.database).set(mine, amount, now_us=house.clock.now_us())


async def stands(house: House) -> Budget:
    made = SqlBudgets(house.storage.database)
    [one] = await made.listed(ANN, now_us=house.clock.now_us(), limit=100)
    return one


async def test_a_call_costs_what_its_block_says_and_is_counted(house: House) -> None:
    await house.add(does("ReadBlock"))
    await limit(house, 10 * PRICE)
    async with house.engine(limits=LIMITS):
        run = await house.ended(await house.submit("does", run="x"))

    one = await stands(house)
    assert (one.used, one.reserved) == (PRICE, 0)
    assert run.stats is not None
    assert (run.stats.models.calls, run.stats.models.cost_micro_usd) == (1, PRICE)
    assert house.rows("SELECT model, calls FROM model_usage") == [("ReadBlock", 1)]


async def test_a_node_without_a_price_asks_nobody(house: House) -> None:
    await house.add(does("KeyedBlock"))
    await limit(house, 0)
    async with house.engine(limits=LIMITS):
        run = await house.ended(await house.submit("does", run="x"))

    assert run.status is Status.COMPLETED
    assert house.rows("SELECT count(*) FROM node_steps") == [(0,)]


@pytest.mark.parametrize(("block", "used"), [("BreaksBlock", 0), ("WaitsBlock", PRICE)])
async def test_a_refusal_costs_nothing_and_what_was_cut_short_all_of_it(
    house: House, block: str, used: int
) -> None:
    await house.add(with_policy(does(block), "does", time_limit_s=0.05))
    await limit(house, 10 * PRICE)
    async with house.engine(limits=LIMITS):
        await house.ended(await house.submit("does", run="x"))

    one = await stands(house)
    assert (one.used, one.reserved) == (used, 0)


async def test_at_the_limit_the_run_waits_and_goes_on(house: House) -> None:
    await house.add(does("ReadBlock"))
    await limit(house, PRICE - 1)
    async with house.engine(limits=LIMITS):
        run_id = await house.submit("does", run="x")
        async with asyncio.timeout(20):
            while (await house.run(run_id)).status is not Status.REVIEW:  # noqa: ASYNC110 - rows wake nobody
                await asyncio.sleep(0.005)
        begun = len(house.notes.runs)
        await limit(house, PRICE)
        run = await house.ended(run_id)

    assert (begun, run.status, run.outputs) == (0, Status.COMPLETED, {"answer": ["x"]})


async def test_what_a_crash_cut_short_counts_and_is_paid_again(house: House) -> None:
    await house.add(does("ReadBlock"))
    await limit(house, 10 * PRICE)
    fault = Fault()
    house.notes.on_run = fault.died.set
    async with house.engine(fault, limits=LIMITS):
        run_id = await house.submit("does", run="x")
        await asyncio.wait_for(fault.died.wait(), 20)
    house.notes.on_run = lambda: None
    async with house.engine(limits=LIMITS):
        await house.ended(run_id)

    assert (await stands(house)).used == 2 * PRICE


@pytest.mark.slow
async def test_two_hundred_runs_never_exceed_their_budget(house: House) -> None:
    await house.add(does("ReadBlock"))
    await limit(house, 40 * PRICE + 1)
    over: list[bool] = []

    async with house.engine(limits=LIMITS):
        for number in range(200):
            await house.submit("does", run=number)
        async with asyncio.timeout(60):
            while True:
                one = await stands(house)
                over.append(one.used + one.reserved > one.limit)
                [(waiting,)] = house.rows("SELECT count(*) FROM budget_waits")
                if waiting == 160 and not one.reserved:
                    break
                await asyncio.sleep(0.01)

    assert not any(over)
    assert (one.used, len(house.notes.runs)) == (40 * PRICE, 40)


def test_the_list_names_blocks_that_are_built_and_the_operator_stands_before_it() -> None:
    settings, _ = load_settings({"call_prices": '{"ReplicateModelBlock": 0.5, "Own": 2}'})
    prices = engine_limits(settings).call_prices
    catalog = load_catalog()

    unknown = [name for name in prices if name != "Own" and catalog.named(name) is None]
    replicate = catalog.named("ReplicateModelBlock")
    calculator = catalog.named("CalculatorBlock")

    assert unknown == []
    assert replicate is not None
    assert calculator is not None
    assert price_of_call(replicate, prices) == 500_000
    assert price_of_call(calculator, prices) is None
    assert known_prices(json.dumps({"A": None}), {}) == {"A": 0}
