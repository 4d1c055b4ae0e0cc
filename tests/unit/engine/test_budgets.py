"""Budgets: never exceeded, whoever asks at once; who finds no room waits with all that was done."""

import asyncio
from collections import deque
from typing import Any

import pytest

from backend.adapters.storage.budgets import SqlBudgets
from backend.core.budgets import (
    Budget,
    BudgetDefaults,
    BudgetKind,
    BudgetPeriod,
    BudgetScope,
    BudgetSetter,
    BudgetUnit,
)
from backend.core.errors import ModelLimited, Unavailable
from backend.core.ids import ExecutionId
from backend.core.status import Status
from backend.engine import budgets, model_calls
from backend.engine.tools import Limits
from tests.unit.engine import engine_blocks
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, agent, graph
from tests.unit.engine.engine_house import ANN, Fault, House
from tests.unit.engine.engine_models import COST, SPECS, AskBlock, Scripted, asks


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_blocks.offer(monkeypatch, AskBlock)
    monkeypatch.setattr(model_calls, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(budgets, "_LOOK_S", 0.01)


def kind(**changes: Any) -> BudgetKind:
    values = {"user_id": ANN, "set_by": BudgetSetter.USER, "scope": BudgetScope.USER, **changes}
    return BudgetKind(**values)


def calls(**changes: Any) -> BudgetKind:
    return kind(unit=BudgetUnit.CALLS, **changes)


async def limit(house: House, which: BudgetKind, amount: int) -> Budget:
    made = SqlBudgets(house.storage.database)
    return await made.set(which, amount, now_us=house.clock.now_us())


async def stands(house: House) -> list[Budget]:
    made = SqlBudgets(house.storage.database)
    return await made.listed(ANN, now_us=house.clock.now_us(), limit=100)


async def waits(house: House, run_id: ExecutionId) -> None:
    async with asyncio.timeout(20):
        while (await house.run(run_id)).status is not Status.REVIEW:  # noqa: ASYNC110 - rows wake nobody
            await asyncio.sleep(0.005)


async def test_at_the_limit_a_run_waits_with_its_state_and_goes_on_when_it_is_raised(
    house: House,
) -> None:
    await house.add(asks())
    await limit(house, calls(), 2)
    model = Scripted()
    async with house.engine(models=model, model_specs=SPECS) as engine:
        run_id = await house.submit("asks", run="why")
        await waits(house, run_id)
        [waiting] = await stands(house)
        at_rest = engine.worker.active

        await limit(house, calls(), 3)
        run = await house.ended(run_id)

    assert (waiting.used, waiting.reserved, waiting.waiting, at_rest) == (2, 0, 1, 0)
    assert run.outputs == {"answer": [["answer 1", "answer 2", "answer 3"]]}
    assert [text for text, _ in model.asked] == ["why 0", "why 1", "why 2"]
    assert run.stats is not None
    assert run.stats.models.calls == 3
    [told] = house.rows("SELECT data FROM notices")
    assert "2 calls of 2 calls used today" in told[0]


async def test_who_waited_when_the_server_went_down_waits_on_and_goes_on(house: House) -> None:
    await house.add(asks())
    await limit(house, calls(period=BudgetPeriod.TOTAL), 1)
    async with house.engine(models=Scripted(), model_specs=SPECS):
        run_id = await house.submit("asks", run="why")
        await waits(house, run_id)
    async with house.engine(models=Scripted(), model_specs=SPECS):
        await asyncio.sleep(0.05)
        still = (await house.run(run_id)).status
    assert await SqlBudgets(house.storage.database).remove(calls(period=BudgetPeriod.TOTAL))
    async with house.engine(models=Scripted(), model_specs=SPECS):
        run = await house.ended(run_id)

    assert (still, run.status) == (Status.REVIEW, Status.COMPLETED)
    assert house.rows("SELECT count(*) FROM budget_waits") == [(0,)]


@pytest.mark.slow
async def test_many_runs_at_once_never_exceed_their_budget(house: House) -> None:
    """Each may need much more than it takes: what is held back comes back, and others go on."""
    await house.add(asks(times=1))
    most = 40 * COST + 5
    await limit(house, kind(), most)
    model, over = Scripted(pause_s=0.001), []

    async def look() -> None:
        while True:
            [one] = await stands(house)
            over.append(one.used + one.reserved > one.limit)
            await asyncio.sleep(0.01)

    async def settled() -> bool:
        """Nothing is held back, every run ended or waits, and no wait has room: so it stays."""
        [one] = await stands(house)
        ended = house.rows("SELECT count(*) FROM executions WHERE status = 'COMPLETED'")[0][0]
        waiting, need = house.rows("SELECT count(*), min(need) FROM budget_waits")[0]
        room = one.limit - one.used
        return (
            one.reserved == 0 and ended + waiting == len(ids) and need is not None and need > room
        )

    limits = Limits(runs_per_graph=1_000, runs_per_user=1_000)
    async with house.engine(models=model, model_specs=SPECS, slots=1_000, limits=limits):
        looking = asyncio.create_task(look())
        ids = await asyncio.gather(*(house.submit("asks", run=n) for n in range(150)))
        async with asyncio.timeout(60):
            while not await settled():  # noqa: ASYNC110 - rows wake nobody
                await asyncio.sleep(0.02)
        looking.cancel()
        [one] = await stands(house)

    assert not any(over)
    assert one.used == COST * len(model.asked) <= most
    assert len(model.asked) >= 1
    assert one.reserved == 0


@pytest.mark.slow
@pytest.mark.parametrize("unit", list(BudgetUnit))
async def test_what_was_reserved_by_a_dead_executor_counts_in_full(
    house: House, unit: BudgetUnit
) -> None:
    await house.add(asks(times=1))
    await limit(house, kind(unit=unit), 10**6)
    first, fault = Scripted(hang=1), Fault()
    async with house.engine(fault, models=first, model_specs=SPECS):
        run_id = await house.submit("asks", run="why")
        await first.hung.wait()
        [held] = await stands(house)
        fault.died.set()
    async with house.engine(models=Scripted(), model_specs=SPECS):
        await house.ended(run_id)

    [one] = await stands(house)
    real = {BudgetUnit.MONEY: COST, BudgetUnit.TOKENS: 15, BudgetUnit.CALLS: 1}[unit]
    assert held.reserved > 0
    assert (one.used, one.reserved) == (held.reserved + real, 0)
    assert house.rows("SELECT count(*) FROM budget_reservations") == [(0,)]


async def test_what_a_provider_refused_is_given_back(house: House) -> None:
    await house.add(asks(times=1))
    await limit(house, kind(), 10**6)
    model = Scripted(answers=deque([ModelLimited("later"), "now"]))
    async with house.engine(models=model, model_specs=SPECS):
        await house.ended(await house.submit("asks", run="why"))

    [one] = await stands(house)
    assert (one.used, one.reserved) == (COST, 0)
    assert set(model.max_tokens) == {50}  # an answer is no longer than what was reserved for it


async def test_a_nested_run_counts_for_its_roots_run_and_agent(house: House) -> None:
    links = "in.result -> agent.run\nagent.answer -> out.value"
    nodes = {"in": INPUT, "agent": agent("inner"), "out": OUTPUT}
    await house.add(graph("outer", nodes, links, (asks("inner"),)))
    await limit(house, calls(scope=BudgetScope.GRAPH, scope_id="outer"), 2)
    limits = Limits(budgets=BudgetDefaults(run=10**6))
    async with house.engine(models=Scripted(), model_specs=SPECS, limits=limits):
        run_id = await house.submit("outer", run="why")
        async with asyncio.timeout(20):
            while not house.rows("SELECT 1 FROM budget_waits"):  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.005)
        found = {one.kind.scope: one for one in await stands(house)}
        await limit(house, calls(scope=BudgetScope.GRAPH, scope_id="outer"), 3)
        run = await house.ended(run_id)

    assert run.outputs == {"answer": [["answer 1", "answer 2", "answer 3"]]}
    assert found[BudgetScope.GRAPH].used == 2
    of_run = found[BudgetScope.RUN]
    assert (of_run.kind.scope_id, of_run.used) == (run_id, 2 * COST)
    assert of_run.kind.set_by is BudgetSetter.DEFAULT


async def test_a_new_day_lets_go_on_who_waits(house: House) -> None:
    await house.add(asks(times=1))
    await limit(house, calls(), 0)
    async with house.engine(models=Scripted(), model_specs=SPECS):
        run_id = await house.submit("asks", run="why")
        await waits(house, run_id)
        # As if the limit had been enough, and used up on another day.
        with house.database() as database:
            database.execute("UPDATE budgets SET limit_amount = 1, used = 1, day = '2020-01-01'")
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED


async def test_a_run_that_waits_for_a_budget_can_be_stopped(house: House) -> None:
    await house.add(asks(times=1))
    await limit(house, calls(), 0)
    async with house.engine(models=Scripted(), model_specs=SPECS) as engine:
        run_id = await house.submit("asks", run="why")
        await waits(house, run_id)
        await house.user.ask_stop(run_id, now_us=house.clock.now_us())
        engine.worker.look()
        run = await house.ended(run_id)

    assert run.status is Status.TERMINATED
    assert await house.storage.free_budget_waits(now_us=1) == ([], 0)


class Away:
    """Steps of a database that stays away."""

    asked = 0

    async def settle_dead_calls(self) -> int:
        self.asked += 1
        raise Unavailable("the database is away")


async def test_an_executor_that_waits_for_storage_can_be_stopped() -> None:
    steps: Any = Away()
    nobody: Any = None
    watch, stopping = budgets.BudgetWatch(nobody, steps, nobody), asyncio.Event()

    waiting = asyncio.create_task(watch.settle(stopping))
    async with asyncio.timeout(10):
        while steps.asked < 3:  # noqa: ASYNC110 - a refusal wakes nobody
            await asyncio.sleep(0.005)
        assert not waiting.done()
        stopping.set()
        await waiting
