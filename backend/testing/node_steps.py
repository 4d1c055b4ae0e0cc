"""The spec of steps inside node executions: what every storage must do with them."""

import asyncio
from dataclasses import replace
from typing import Any, Final

import pytest

from backend.core.errors import StaleAttempt, UnknownOutcome
from backend.core.node_steps import CallMade, ModelUse, PlannedCall, StepBegun, StepPlace
from backend.core.status import Status
from backend.ports.storage import Storage
from backend.testing.large_values import LARGE_BYTES
from backend.testing.storage import ANN, GRAPH, RUN, change, commit, new_run

PLACE: Final = StepPlace(
    user_id=ANN,
    graph_id=GRAPH.id,
    run_id=RUN,
    root_id=RUN,
    node_exec_id="node",
    owner="one",
    attempt=1,
)
CALL: Final = PlannedCall(model="m")
MADE: Final = CallMade(model="m", input_tokens=20, output_tokens=3, cost_micro_usd=77)
USE: Final = ModelUse(calls=1, input_tokens=20, output_tokens=3, cost_micro_usd=77)


async def begin(
    storage: Storage,
    key: str = "step",
    place: StepPlace = PLACE,
    *,
    repeatable: bool = True,
    call: PlannedCall | None = None,
) -> StepBegun:
    """Begin a step."""
    return await storage.begin_step(place, key, repeatable=repeatable, now_us=1, call=call)


async def finish(
    storage: Storage, result: Any, key: str = "step", place: StepPlace = PLACE, **more: Any
) -> ModelUse:
    """End a step."""
    return await storage.finish_step(place, key, result=result, now_us=2, **more)


class NodeStepsSpec:
    """Give a fixture `storage`, empty, with values over LARGE_BYTES in files; all must pass."""

    @pytest.fixture(autouse=True)
    async def _claimed(self, storage: Storage) -> None:
        await storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
        await storage.of(ANN).add_graphs([GRAPH], now_us=1)
        await storage.submit(new_run())
        assert await commit(storage, "one", change(claim=True)) == frozenset()

    @pytest.mark.parametrize("result", [None, "text", {"a": [1, None]}, "x" * (LARGE_BYTES + 1)])
    async def test_what_is_done_stays_done(self, storage: Storage, result: Any) -> None:
        first = await begin(storage)
        await finish(storage, result)
        second = await begin(storage, repeatable=False)

        assert (first.tries, first.is_done) == (1, False)
        assert second == StepBegun(tries=1, is_done=True, result=result)

    async def test_what_did_not_end_is_begun_again_and_counted(self, storage: Storage) -> None:
        begun = [await begin(storage) for _ in range(3)]

        assert [one.tries for one in begun] == [1, 2, 3]
        assert not any(one.is_done for one in begun)

    async def test_what_must_not_be_repeated_is_not_begun_again(self, storage: Storage) -> None:
        await begin(storage, repeatable=False)

        with pytest.raises(UnknownOutcome, match="step was begun before"):
            await begin(storage, repeatable=False)
        assert (await begin(storage)).tries == 2

    async def test_an_end_that_is_told_twice_is_the_first(self, storage: Storage) -> None:
        begun = await begin(storage, call=CALL)
        told = [await finish(storage, said, call=MADE) for said in ("first", "second")]

        assert (await begin(storage)).result == "first"
        assert begun.used == ModelUse(calls=1)
        assert told == [USE, USE]

    async def test_calls_are_counted_by_node_execution_each_try_is_one(
        self, storage: Storage
    ) -> None:
        other = replace(PLACE, node_exec_id="other")
        for place, key in ((PLACE, "a"), (PLACE, "b"), (other, "a")):
            await begin(storage, key, place, call=CALL)
            await begin(storage, key, place, call=CALL)
            await finish(storage, key, key, place, call=MADE)

        used = (await begin(storage, "a", call=CALL)).used
        assert used == USE + USE + ModelUse(calls=2, retries=2)
        assert (await begin(storage, "a", other, call=CALL)).used.cost_micro_usd == 77

    @pytest.mark.parametrize("stale", [{"attempt": 2}, {"owner": "two"}, {"run_id": "gone"}])
    async def test_somebody_else_cannot_write(
        self, storage: Storage, stale: dict[str, Any]
    ) -> None:
        """Nor does what they ask for together with others harm those."""
        await begin(storage)
        place = replace(PLACE, **stale)

        outcomes = await asyncio.gather(
            begin(storage, "theirs", place), begin(storage, "mine"), return_exceptions=True
        )

        assert isinstance(outcomes[0], StaleAttempt)
        assert isinstance(outcomes[1], StepBegun)
        with pytest.raises(StaleAttempt):
            await finish(storage, "x", place=place)
        assert not (await begin(storage)).is_done

    async def test_nothing_is_begun_in_a_run_that_is_over(self, storage: Storage) -> None:
        await commit(storage, "one", change(status=Status.COMPLETED, revision=3))

        with pytest.raises(StaleAttempt):
            await begin(storage)
