"""Node, engine, adapter and a provider's API together: what a kill repeats, and what is booked."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from backend.adapters.models import ProviderModels
from backend.adapters.storage.budgets import SqlBudgets
from backend.adapters.web import GuardedWebClient
from backend.core.budgets import BudgetKind, BudgetScope, BudgetSetter, BudgetUnit
from backend.core.credentials import Secret
from backend.core.model_registry import ModelProvider as Provider
from backend.core.model_registry import ModelRegistry
from backend.core.models import ModelSpec
from backend.core.status import Status
from backend.testing.providers.models import ModelProvider
from backend.testing.providers.scripts import Answer, Refusal, Silence
from tests.unit.engine import engine_blocks
from tests.unit.engine.engine_house import ANN, Fault, House
from tests.unit.engine.engine_models import AskBlock, asks

SPECS = {
    "old": ModelSpec(name="old", provider="openai", wire_name="gpt", input_price=2, output_price=9)
}


@pytest.fixture
def provider() -> Iterator[ModelProvider]:
    with ModelProvider() as made:
        yield made


@pytest.fixture
async def models(
    provider: ModelProvider, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ProviderModels]:
    engine_blocks.offer(monkeypatch, AskBlock)
    there = Provider(name="openai", title="OpenAI", base_url="")
    registry = ModelRegistry(models=SPECS, providers={"openai": there})
    web = GuardedWebClient()
    yield ProviderModels(
        registry.with_addresses(provider.base_urls("openai")), {"openai": Secret("sk-x")}, web
    )
    await web.aclose()


async def test_the_call_in_flight_at_a_kill_is_made_again_with_its_key_and_both_are_booked(
    house: House, provider: ModelProvider, models: ProviderModels
) -> None:
    await house.add(asks(stream=True))
    kind = BudgetKind(
        user_id=ANN, set_by=BudgetSetter.USER, scope=BudgetScope.USER, unit=BudgetUnit.CALLS
    )
    budgets, fault = SqlBudgets(house.storage.database), Fault()
    await budgets.set(kind, 10, now_us=house.clock.now_us())
    provider.script(
        Answer(text="the first of three"),
        Refusal(429, retry_after="0"),
        Silence(),
        Answer(text="the second", input_tokens=20, output_tokens=3),
        Answer(text="the third"),
    )
    async with house.engine(fault, models=models, model_specs=SPECS):
        run_id = await house.submit("asks", run="why")
        async with asyncio.timeout(60):
            while len(provider.asked) < 3:  # noqa: ASYNC110 - another thread wakes nobody here
                await asyncio.sleep(0.01)
        fault.died.set()
    async with house.engine(models=models, model_specs=SPECS):
        run = await house.ended(run_id, limit_s=60)

    keys = [asked.key for asked in provider.asked]
    assert run.status is Status.COMPLETED
    assert run.outputs == {"answer": [["the first of three", "the second", "the third"]]}
    assert [keys.count(key) for key in dict.fromkeys(keys)] == [1, 3, 1]
    rows = house.rows("SELECT tries, state FROM node_steps")
    assert sorted(rows) == [(1, "done"), (1, "done"), (3, "done")]
    assert run.stats is not None
    assert (run.stats.models.calls, run.stats.models.retries) == (5, 2)
    [one] = await budgets.listed(ANN, now_us=house.clock.now_us(), limit=9)
    # Three answers, and the one that nobody heard; what was refused is given back.
    assert (one.used, one.reserved) == (4, 0)
    assert "the first of three" in "".join(text.text for text in house.events.texts)


async def test_a_budget_of_tokens_holds_where_the_provider_counts_none(
    house: House, provider: ModelProvider, models: ProviderModels
) -> None:
    """Small servers of one's own say nothing of tokens, and would be asked for ever."""
    await house.add(asks(times=1))
    kind = BudgetKind(
        user_id=ANN, set_by=BudgetSetter.USER, scope=BudgetScope.USER, unit=BudgetUnit.TOKENS
    )
    budgets = SqlBudgets(house.storage.database)
    await budgets.set(kind, 20_000, now_us=house.clock.now_us())
    provider.script(Answer(text="seen " * 100, without_usage=True))
    async with house.engine(models=models, model_specs=SPECS):
        await house.ended(await house.submit("asks", run="why"), limit_s=60)
    [budget] = await budgets.listed(ANN, now_us=house.clock.now_us(), limit=1)

    assert (budget.used > 100, budget.reserved) == (True, 0)
