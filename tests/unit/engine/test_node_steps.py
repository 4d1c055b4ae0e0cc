"""Steps inside a node: what is done is done once, whichever moment the engine dies at."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.storage.retention import SqlRetention
from backend.core.block import Effect
from backend.sdk import BlockContext, pin, pins
from tests.unit.engine import engine_blocks
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, AnyOutput, Noting, graph
from tests.unit.engine.engine_house import Fault, House, open_house


class StepsBlock(Noting):
    """Does its steps, and gives what they came to."""

    id = "00000000-0000-4000-8000-00000000000c"
    effect = Effect.KEYED
    Output = AnyOutput

    @pins
    class Input:
        value: Any = pin(description="Anything.")
        once: bool = pin(default=False, description="Whether its steps must happen once.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        async def work(key: str) -> str:
            self.notes.runs.append((context.node_exec_id, key))
            self.notes.on_run()
            await asyncio.sleep(0)
            return f"{inputs.value}{len(self.notes.runs)}"

        effect = Effect.AT_MOST_ONCE if inputs.once else None
        names = ("a", "b", "c")
        yield "result", [await context.once(name, work, effect=effect) for name in names]


@pytest.fixture(autouse=True)
def _with_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_blocks.offer(monkeypatch, StepsBlock)


def steps(**defaults: Any) -> Any:
    links = "in.result -> does.value\ndoes.result -> out.value"
    return graph("one", {"in": INPUT, "does": ("StepsBlock", defaults), "out": OUTPUT}, links)


class DyingSteps:
    """Storage whose engine dies around a certain call for a step."""

    def __init__(self, storage: Any, fault: Fault, *, calls: int, after: bool) -> None:
        self._storage, self._fault = storage, fault
        self._left, self._after = calls, after

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._storage, name)
        if name not in ("begin_step", "finish_step"):
            return real

        async def called(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            if self._left or self._after:
                result = await real(*args, **kwargs)
            if self._left == 0:
                self._fault.died.set()
                await asyncio.Event().wait()
            return result

        return called


async def live_through(house: House, calls: int, *, after: bool, **defaults: Any) -> str:
    """Run the graph in an engine that dies, and to its end in another; return how it ended."""
    await house.add(steps(**defaults))
    run_id = await house.submit("one", run="x")
    fault, real = Fault(), house.storage
    house.storage = DyingSteps(real, fault, calls=calls, after=after)  # type: ignore[assignment] # stands before it
    async with house.engine(fault):
        assert await house.until_dead(run_id, fault)
    house.storage = real
    async with house.engine():
        run = await house.ended(run_id)
    return str(run.outputs)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("calls", range(1, 7))
async def test_a_step_that_is_done_is_not_done_again(
    house: House, calls: int, *, after: bool
) -> None:
    """Calls for steps: begin a, end a, begin b, … The one in flight is repeated with its key."""
    said = await live_through(house, calls, after=after)

    ends = calls % 2 == 0
    in_flight = ends and not after
    assert len(house.notes.runs) == 3 + in_flight
    assert len({key for _, key in house.notes.runs}) == 3
    rows = house.rows("SELECT key, state, tries FROM node_steps ORDER BY key")
    begun_twice = in_flight or (after and not ends)
    tries = dict.fromkeys("abc", 1)
    tries["abc"[(calls - 1) // 2]] += begun_twice
    assert rows == [(key, "done", tries[key]) for key in "abc"]
    assert said.count("x") == 3


async def test_what_must_happen_once_is_not_repeated_after_a_crash(house: House) -> None:
    await live_through(house, 4, after=False, once=True)

    [failed] = house.rows("SELECT error FROM node_executions WHERE status = 'FAILED'")
    assert "UnknownOutcome: step b was begun before" in failed[0]
    assert [key.rpartition(":")[2] for _, key in house.notes.runs] == ["a", "b"]


async def test_a_further_try_of_a_node_begins_where_the_last_one_failed(house: House) -> None:
    made = engine_blocks.with_policy(steps(), "does", retries=2, retry_wait_s=0)
    await house.add(made)

    def fail_once() -> None:
        if len(house.notes.runs) == 2:
            raise TimeoutError

    house.notes.on_run = fail_once
    async with house.engine():
        run = await house.ended(await house.submit("one", run="x"))

    assert run.outputs == {"answer": [["x1", "x3", "x4"]]}
    assert house.rows("SELECT key, tries FROM node_steps") == [("a", 1), ("b", 2), ("c", 1)]


async def test_an_executor_whose_run_was_taken_over_does_no_further_step(house: House) -> None:
    await house.add(steps())
    taken = asyncio.Event()

    def take_over() -> None:
        if not taken.is_set():
            taken.set()
            with house.database() as database:
                database.execute("UPDATE executions SET attempt = attempt + 1, owner = 'other'")

    house.notes.on_run = take_over
    async with house.engine() as engine:
        run_id = await house.submit("one", run="x")
        async with asyncio.timeout(10):
            while not taken.is_set() or run_id in engine.worker.active_runs:  # noqa: ASYNC110 - its rows wake nobody
                await asyncio.sleep(0.005)

        assert engine.journal.figures.refused >= 1
        assert house.rows("SELECT key, state FROM node_steps")[0] == ("a", "intent")


async def test_steps_go_with_their_run(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add(steps())
        async with house.engine():
            run_id = await house.submit("one", run="x")
            await house.ended(run_id)
        retention = SqlRetention(house.storage.database)
        assert house.rows("SELECT count(*) FROM node_steps") == [(3,)]

        await retention.delete_runs([run_id])
        while await retention.clear(rows=100):
            pass

        assert house.rows("SELECT count(*) FROM node_steps") == [(0,)]
        assert (await house.user.execution(run_id)) is None
