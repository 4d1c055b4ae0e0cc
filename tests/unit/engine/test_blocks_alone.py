"""A block alone is a run: with models, budgets, charges and recovery, and in no list."""

import asyncio
import json

import pytest

from backend.adapters.storage.budgets import SqlBudgets
from backend.adapters.storage.credits import SqlLedger
from backend.core import alone
from backend.core.budgets import BudgetKind, BudgetScope, BudgetSetter, BudgetUnit
from backend.core.errors import BlockError, BlockInputError, TooLarge, TooManyRequests, Unavailable
from backend.core.status import Status
from backend.services import block_runs
from backend.services.blocks import Once
from tests.unit.engine import engine_blocks
from tests.unit.engine.engine_alone import Alone
from tests.unit.engine.engine_blocks import agent
from tests.unit.engine.engine_house import ANN, Fault, House
from tests.unit.engine.engine_models import COST, SPECS, AskBlock, Scripted


@pytest.fixture(autouse=True)
def _asks(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_blocks.offer(monkeypatch, AskBlock)


async def test_outputs_come_by_pin_in_their_order(house: House) -> None:
    async with house.engine():
        outputs = await Alone(house).execute("StreamBlock", value="v")

    assert outputs == {"result": ["v/0", "v/1", "v/2"]}


async def test_dynamic_pins_are_put_together(house: House) -> None:
    inputs = {"format": "{{ a }}-{{ b }}", "values_#_a": 1, "values_#_b": 2}

    async with house.engine():
        outputs = await Alone(house).execute("FillTextTemplateBlock", **inputs)

    assert outputs == {"output": ["1-2"]}


async def test_a_model_is_asked_and_its_use_is_counted(house: House) -> None:
    model = Scripted()

    async with house.engine(models=model, model_specs=SPECS):
        outputs = await Alone(house).execute("AskBlock", value="q", times=2)

    assert outputs == {"result": [["answer 1", "answer 2"]]}
    [(stats,)] = house.rows("SELECT stats FROM executions")
    assert json.loads(stats)["models"]["cost_micro_usd"] == 2 * COST


async def test_what_fails_says_so_as_in_a_run(house: House) -> None:
    async with house.engine():
        with pytest.raises(BlockError, match=r"raised by BreaksBlock with message.*broken by x"):
            await Alone(house).execute("BreaksBlock", value="x")

    assert house.rows("SELECT status FROM executions") == [("FAILED",)]


async def test_no_list_shows_it(house: House) -> None:
    async with house.engine():
        await Alone(house).execute("ReadBlock", value=1)

    assert await house.user.executions(limit=10) == []
    assert house.rows("SELECT graph_id, trigger FROM executions") == [
        (alone.GRAPH_ID, alone.TRIGGER)
    ]


async def test_it_is_paid_for_once(house: House) -> None:
    ledger = SqlLedger(house.storage.database, refill=100)

    async with house.engine(ledger=ledger, prices={"ReadBlock": 30}):
        await Alone(house).execute("ReadBlock", value=1)

    assert house.rows("SELECT amount FROM credit_transactions WHERE type = 'USAGE'") == [(-30,)]


async def test_where_a_budget_has_no_room_it_ends_and_says_so(house: House) -> None:
    mine = BudgetKind(
        user_id=ANN, set_by=BudgetSetter.USER, scope=BudgetScope.USER, unit=BudgetUnit.CALLS
    )
    await SqlBudgets(house.storage.database).set(mine, 1, now_us=house.clock.now_us())
    model = Scripted()

    async with house.engine(models=model, model_specs=SPECS):
        with pytest.raises(BlockError, match="a budget has room again"):
            await Alone(house).execute("AskBlock", value="q", times=2)
        [(run_id,)] = house.rows("SELECT id FROM executions")
        run = await house.ended(run_id)

    assert (run.status, len(model.asked)) == (Status.TERMINATED, 1)


async def test_who_goes_away_ends_it(house: House) -> None:
    async with house.engine():
        asked = asyncio.create_task(Alone(house).execute("WaitsBlock", value=1))
        await asyncio.wait_for(house.notes.held.wait(), 20)

        asked.cancel()
        await asyncio.wait([asked])
        [(run_id,)] = house.rows("SELECT id FROM executions")
        run = await house.ended(run_id)

    assert run.status is Status.TERMINATED


async def test_who_comes_again_is_waited_for(house: House) -> None:
    hold = house.notes.hold = asyncio.Event()
    async with house.engine():
        await Alone(house).execute("ReadBlock", value=1)
        [(asker,)] = house.rows("SELECT id FROM executions")
        once = Once(key="k", asker=asker)
        asked = asyncio.create_task(Alone(house).execute("WaitsBlock", once, value=1))
        await asyncio.wait_for(house.notes.held.wait(), 20)

        asked.cancel()
        await asyncio.wait([asked])
        assert house.rows("SELECT stop_us FROM executions WHERE id <> ?", asker) == [(None,)]
        again = asyncio.create_task(Alone(house).execute("WaitsBlock", once, value=1))
        hold.set()

        assert await again == {"result": [1]}
    assert house.rows("SELECT count(*) FROM executions") == [(2,)]


async def test_who_was_stopped_is_not(house: House) -> None:
    async with house.engine():
        first = asyncio.create_task(Alone(house).execute("WaitsBlock", value=1))
        await asyncio.wait_for(house.notes.held.wait(), 20)
        [(asker,)] = house.rows("SELECT id FROM executions")
        once = Once(key="k", asker=asker)
        second = asyncio.create_task(Alone(house).execute("WaitsBlock", once, value=1))
        async with asyncio.timeout(20):
            while len(house.rows("SELECT id FROM executions")) < 2:  # noqa: ASYNC110 - rows wake nobody
                await asyncio.sleep(0.01)

        await house.user.ask_stop(asker, now_us=house.clock.now_us())
        second.cancel()
        await asyncio.wait([second])
        [(run_id,)] = house.rows("SELECT id FROM executions WHERE id <> ?", asker)

        assert (await house.ended(run_id)).status is Status.TERMINATED
        first.cancel()
        await asyncio.wait([first])


async def test_what_takes_too_long_is_ended(house: House) -> None:
    async with house.engine():
        with pytest.raises(BlockError, match="longer than 0 seconds"):
            await Alone(house, limit_s=0.2).execute("WaitsBlock", value=1)
        [(run_id,)] = house.rows("SELECT id FROM executions")

        assert (await house.ended(run_id)).status is Status.TERMINATED


async def test_where_the_service_ends_so_does_the_block(house: House) -> None:
    one = Alone(house)
    async with house.engine():
        asked = asyncio.create_task(one.execute("WaitsBlock", value=1))
        await asyncio.wait_for(house.notes.held.wait(), 20)

        one.watches.end()

        with pytest.raises(Unavailable):
            await asked


async def test_an_executor_that_dies_is_followed_by_another(house: House) -> None:
    fault = Fault(dies_before=2)
    one = Alone(house)
    async with house.engine(fault):
        asked = asyncio.create_task(one.execute("KeyedBlock", value="v"))
        await asyncio.wait_for(fault.died.wait(), 20)

    async with house.engine():
        assert await asked == {"result": ["v."]}


async def test_a_user_runs_so_many_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_runs, "MOST_AT_ONCE", 1)
    one = Alone(house)
    async with house.engine():
        asked = asyncio.create_task(one.execute("WaitsBlock", value=1))
        await asyncio.wait_for(house.notes.held.wait(), 20)

        with pytest.raises(TooManyRequests):
            await one.execute("ReadBlock", value=1)

        asked.cancel()
        await asyncio.wait([asked])
        assert await one.execute("ReadBlock", value=1) == {"result": [1]}


async def test_credentials_that_are_not_there_are_refused_before_it_runs(house: House) -> None:
    wanted = {"id": "somebody's", "provider": "github", "type": "api_key", "title": "x"}

    with pytest.raises(BlockInputError, match="Unknown credentials"):
        await Alone(house).execute(
            "GithubReadIssueBlock", issue_url="https://github.com/a/b/issues/1", credentials=wanted
        )

    assert house.rows("SELECT id FROM executions") == []


async def test_what_is_too_large_is_refused(house: House) -> None:
    house.storage.values.value_bytes = 1_000_000

    with pytest.raises(TooLarge, match="MAX_VALUE_MB"):
        await Alone(house).execute("ReadBlock", value="x" * 2_000_000)


async def test_no_agent_runs_the_agent_of_blocks(house: House) -> None:
    made = engine_blocks.graph(
        "outer", {"in": engine_blocks.INPUT, "does": agent(alone.GRAPH_ID)}, "in.result -> does.run"
    )
    await house.add(made)

    async with house.engine():
        run = await house.ended(await house.submit("outer", run="x"))

    assert "is gone" in str(await house.nodes(run.id))
