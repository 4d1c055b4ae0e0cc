"""Answers that are taken again: only where the node wants it, whole ones, of the same user, for nothing."""

from collections import deque
from dataclasses import replace

import pytest
from sqlalchemy import update

from backend.adapters.storage.budgets import SqlBudgets
from backend.adapters.storage.tables_usage import model_answers
from backend.adapters.storage.usage import SqlUsage
from backend.core.budgets import BudgetKind, BudgetScope, BudgetSetter, BudgetUnit
from backend.core.execution import RunStats
from backend.core.graph import Graph
from backend.core.models import Finish, ModelAnswer, ToolCall
from backend.core.node_steps import ModelUse
from backend.core.records import ExecutionRecord
from backend.core.status import Status
from backend.engine.model_calls import is_whole
from tests.unit.engine import engine_blocks
from tests.unit.engine.engine_blocks import with_policy
from tests.unit.engine.engine_house import ANN, Fault, House
from tests.unit.engine.engine_models import COST, SPECS, AskBlock, Scripted, asks

DAY_S = 24 * 3600


@pytest.fixture(autouse=True)
def _offered(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_blocks.offer(monkeypatch, AskBlock)


def remembers(name: str = "asks", **defaults: object) -> Graph:
    return with_policy(asks(name, **defaults), "does", model_cache_s=DAY_S)


async def kept(house: House) -> int:
    return await house.storage.database.read(lambda c: len(c.execute(model_answers.select()).all()))


async def _made_long_ago(house: House) -> None:
    """Let all answers be two days older than they are."""
    older = update(model_answers).values(
        created_us=model_answers.c.created_us - int(2e6 * DAY_S),
        until_us=model_answers.c.until_us - int(2e6 * DAY_S),
    )
    await house.storage.database.write(lambda c: c.execute(older))


def used(run: ExecutionRecord) -> ModelUse:
    assert isinstance(run.stats, RunStats)
    return run.stats.models


async def test_the_same_question_in_another_run_is_not_asked_again(house: House) -> None:
    await house.add(remembers())
    await house.add(remembers("others"))
    model = Scripted()
    async with house.engine(models=model, model_specs=SPECS):
        first = await house.ended(await house.submit("asks", run="why"))
        second = await house.ended(await house.submit("others", run="why"))
        other = await house.ended(await house.submit("asks", run="how"))

    assert first.outputs == second.outputs == {"answer": [["answer 1", "answer 2", "answer 3"]]}
    assert used(second) == ModelUse(cached_calls=3)
    assert used(first).cached_calls == used(other).cached_calls == 0
    assert [text for text, _ in model.asked[3:]] == ["how 0", "how 1", "how 2"]
    sums = await SqlUsage(house.storage.database).of(ANN, first="0", last="9", limit=10)
    [day] = [one for one in sums if one.graph_id == "others"]
    assert (day.model, day.use) == ("old", ModelUse(cached_calls=3))


async def test_who_asks_one_thing_twice_gets_two_answers(house: House) -> None:
    await house.add(remembers(same=True, times=2))
    model = Scripted()
    async with house.engine(models=model, model_specs=SPECS):
        runs = [await house.ended(await house.submit("asks", run="why")) for _ in range(2)]

    assert [run.outputs for run in runs] == [{"answer": [["answer 1", "answer 2"]]}] * 2
    assert len(model.asked) == 2


async def test_without_the_policy_everything_is_asked(house: House) -> None:
    await house.add(asks(times=1))
    await house.add(remembers("remembers", times=1))
    model = Scripted()
    async with house.engine(models=model, model_specs=SPECS):
        await house.ended(await house.submit("asks", run="why"))
        assert await kept(house) == 0
        for name in ("remembers", "asks"):
            await house.ended(await house.submit(name, run="why"))

    assert len(model.asked) == 3
    assert await kept(house) == 1


async def test_an_old_answer_is_asked_for_again(house: House) -> None:
    await house.add(remembers(times=1))
    model = Scripted()
    async with house.engine(models=model, model_specs=SPECS):
        await house.ended(await house.submit("asks", run="why"))
        await _made_long_ago(house)
        await house.ended(await house.submit("asks", run="why"))

    assert len(model.asked) == 2


async def test_a_budget_that_is_used_up_is_no_matter(house: House) -> None:
    await house.add(remembers(times=1))
    kind = BudgetKind(
        user_id=ANN, set_by=BudgetSetter.USER, scope=BudgetScope.USER, unit=BudgetUnit.CALLS
    )
    await SqlBudgets(house.storage.database).set(kind, 1, now_us=house.clock.now_us())
    async with house.engine(models=Scripted(), model_specs=SPECS):
        await house.ended(await house.submit("asks", run="why"))
        again = await house.ended(await house.submit("asks", run="why"))
    [budget] = await SqlBudgets(house.storage.database).listed(
        ANN, now_us=house.clock.now_us(), limit=10
    )

    assert again.status is Status.COMPLETED
    assert (budget.used, budget.reserved, budget.waiting) == (1, 0, 0)


async def test_after_a_crash_what_was_taken_is_what_there_is(house: House) -> None:
    await house.add(remembers(times=1))
    await house.add(remembers("more", times=2))
    hanging, fault = Scripted(hang=2), Fault()
    async with house.engine(fault, models=hanging, model_specs=SPECS):
        await house.ended(await house.submit("asks", run="why"))
        run_id = await house.submit("more", run="why")
        await hanging.hung.wait()  # its first answer is the one that was known
        fault.died.set()
    await _made_long_ago(house)
    async with house.engine(models=Scripted(), model_specs=SPECS):
        run = await house.ended(run_id)

    assert run.outputs == {"answer": [["answer 1", "answer 1"]]}
    assert used(run) == ModelUse(
        calls=2, retries=1, input_tokens=10, output_tokens=5, cached_calls=1, cost_micro_usd=COST
    )


async def test_an_answer_that_says_nothing_is_not_kept(house: House) -> None:
    await house.add(remembers(times=1))
    model = Scripted(answers=deque(["", "at last"]))
    async with house.engine(models=model, model_specs=SPECS):
        runs = [await house.ended(await house.submit("asks", run="why")) for _ in range(3)]

    said = [run.outputs and run.outputs["answer"] for run in runs]
    assert said == [[[""]], [["at last"]], [["at last"]]]


@pytest.mark.parametrize(
    ("finish", "whole"),
    [
        (Finish.STOP, True),
        (Finish.TOOLS, True),
        (Finish.LENGTH, False),
        (Finish.FILTERED, False),
    ],
)
def test_what_was_cut_off_or_held_back_is_not_whole(
    finish: Finish,
    whole: bool,  # noqa: FBT001 -- what is expected
) -> None:
    said = ModelAnswer(model="m", text="So", finish=finish)
    call = ToolCall(id="1", name="add", arguments="{}")

    assert is_whole(said) is whole
    assert is_whole(replace(said, text=" ", tool_calls=(call,))) is whole
    assert not is_whole(replace(said, text=" "))
