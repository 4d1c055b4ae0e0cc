"""Questions to models: answered once, asked again within bounds, counted whatever happens."""

from collections import deque
from dataclasses import asdict

import pytest

from backend.adapters.storage.usage import SqlUsage
from backend.core.errors import ModelLimited, WebClientError, WebServerError, WebTooLarge
from backend.core.execution import RunStats
from backend.core.ids import UserId
from backend.core.models import ModelAnswer, Tokens
from backend.core.node_steps import ModelUse
from backend.core.status import Status
from backend.core.tokens import PER_MESSAGE, estimated_tokens
from backend.engine import model_calls
from backend.engine.tools import Limits
from tests.unit.engine import engine_blocks
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, agent, graph
from tests.unit.engine.engine_house import ANN, Fault, House
from tests.unit.engine.engine_models import COST, SPECS, AskBlock, Scripted, asks


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_blocks.offer(monkeypatch, AskBlock)
    monkeypatch.setattr(model_calls, "FIRST_WAIT_S", 0.001)


def used(calls: int, retries: int = 0, answers: int | None = None) -> ModelUse:
    count = calls if answers is None else answers
    return ModelUse(
        calls=calls,
        retries=retries,
        input_tokens=10 * count,
        output_tokens=5 * count,
        cost_micro_usd=COST * count,
    )


async def test_what_is_asked_is_counted_for_node_run_agent_and_user(house: House) -> None:
    await house.add(asks())
    model = Scripted()
    async with house.engine(models=model, model_specs=SPECS):
        run = await house.ended(await house.submit("asks", run="why"))

    assert run.outputs == {"answer": [["answer 1", "answer 2", "answer 3"]]}
    assert run.stats is not None
    assert run.stats.models == used(3)
    assert len({key for _, key in model.asked}) == 3
    [day] = await SqlUsage(house.storage.database).of(ANN, first="0", last="9", limit=10)
    assert (day.graph_id, day.model, day.use) == ("asks", "old", used(3))
    assert await SqlUsage(house.storage.database).of(UserId("x"), first="", last="9", limit=1) == []


async def test_the_same_question_at_two_places_is_asked_twice(house: House) -> None:
    await house.add(asks(same=True, times=2))
    model = Scripted()
    async with house.engine(models=model, model_specs=SPECS):
        run = await house.ended(await house.submit("asks", run="why"))

    assert run.outputs == {"answer": [["answer 1", "answer 2"]]}
    assert len({key for _, key in model.asked}) == 2


@pytest.mark.parametrize("call", [1, 2, 3])
async def test_a_kill_in_a_call_repeats_that_one_alone_and_books_both(
    house: House, call: int
) -> None:
    await house.add(asks())
    first, second, fault = Scripted(hang=call), Scripted(), Fault()
    async with house.engine(fault, models=first, model_specs=SPECS):
        run_id = await house.submit("asks", run="why")
        await first.hung.wait()
        fault.died.set()
    async with house.engine(models=second, model_specs=SPECS):
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED
    assert [text for text, _ in first.asked + second.asked[1:]] == ["why 0", "why 1", "why 2"]
    assert second.asked[0] == first.asked[-1]  # the same key, too
    assert run.stats is not None
    assert run.stats.models == used(4, retries=1, answers=3)


@pytest.mark.parametrize("error", [ModelLimited("slow down"), WebServerError("broken", status=500)])
async def test_what_is_put_off_is_asked_again_with_its_key(house: House, error: Exception) -> None:
    await house.add(asks(times=1))
    model = Scripted(answers=deque([error, error, "at last"]))
    async with house.engine(models=model, model_specs=SPECS):
        run = await house.ended(await house.submit("asks", run="why"))

    assert run.outputs == {"answer": [["at last"]]}
    assert len(set(model.asked)) == 1
    assert run.stats is not None
    assert run.stats.models == used(3, retries=2, answers=1)


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (WebServerError("broken", status=500), 3),
        (WebClientError("no such model", status=404), 1),
        (WebTooLarge("too much"), 1),
        (ModelLimited("later", retry_after_s=61), 1),
    ],
)
async def test_it_is_asked_no_more_often_than_may_be(
    house: House, error: Exception, calls: int
) -> None:
    await house.add(asks(times=1))
    model = Scripted(answers=deque([error] * 9))
    async with house.engine(models=model, model_specs=SPECS, limits=Limits(model_tries=3)):
        run_id = await house.submit("asks", run="why")
        run = await house.ended(run_id)

    assert len(model.asked) == calls
    [node] = [node for node in await house.nodes(run_id) if node.node_id == "does"]
    assert str(error) in (node.error or "")
    assert run.stats is not None
    assert run.stats.models.calls == calls


async def test_a_run_counts_what_the_runs_below_it_asked(house: House) -> None:
    inner = asks("inner")
    links = "in.result -> agent.run\nagent.answer -> out.value"
    outer = graph("outer", {"in": INPUT, "agent": agent("inner"), "out": OUTPUT}, links, (inner,))
    await house.add(outer)
    async with house.engine(models=Scripted(), model_specs=SPECS):
        run = await house.ended(await house.submit("outer", run="why"))

    assert run.stats is not None
    assert run.stats.models == used(3)


async def test_a_text_is_shown_as_it_comes_and_kept_nowhere(house: House) -> None:
    await house.add(asks(times=1, stream=True))
    model = Scripted(answers=deque(["one two three"]))
    async with house.engine(models=model, model_specs=SPECS):
        run_id = await house.submit("asks", run="why")
        await house.ended(run_id)

    assert "".join(one.text for one in house.events.texts) == "onetwothree"
    assert {(one.run_id, one.call, one.user_id) for one in house.events.texts} == {(run_id, 1, ANN)}
    assert house.events.too_early == []


async def test_nobody_who_looks_elsewhere_is_shown_anything(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.add(asks(times=1, stream=True))
    monkeypatch.setattr(house.events, "wanted", lambda _: False)
    async with house.engine(models=Scripted(), model_specs=SPECS):
        await house.ended(await house.submit("asks", run="why"))

    assert house.events.texts == []


async def test_what_a_provider_does_not_count_is_estimated_and_said_to_be(house: House) -> None:
    await house.add(asks(times=2))
    model = Scripted(tokens=Tokens())
    async with house.engine(models=model, model_specs=SPECS):
        run = await house.ended(await house.submit("asks", run="why"))

    assert run.stats is not None
    use = run.stats.models
    assert (use.calls, use.estimated_calls) == (2, 2)
    asked, said = PER_MESSAGE + estimated_tokens("why 0"), estimated_tokens("answer 1")
    assert (use.input_tokens, use.output_tokens) == (2 * asked, 2 * said)
    assert use.cost_micro_usd == 2 * (2 * asked + 10 * said)
    [day] = await SqlUsage(house.storage.database).of(ANN, first="0", last="9", limit=10)
    assert day.use == use


def test_what_a_newer_program_kept_is_read_as_far_as_it_is_known() -> None:
    said = ModelAnswer(model="m", text="So", tokens=Tokens(input=1))
    kept = asdict(said)
    kept["mood"] = "good"
    kept["tokens"]["heard"] = 3

    assert model_calls.answer_of(kept) == said
    assert RunStats.of({"cost": 1, "models": {"calls": 2, "sung": 3}}).models == ModelUse(calls=2)
