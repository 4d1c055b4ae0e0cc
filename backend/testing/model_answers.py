"""The spec of answers of models that are taken again: what every storage must do with them."""

from dataclasses import replace
from typing import Any, Final

import pytest

from backend.core.ids import UserId
from backend.core.node_steps import ModelUse, Remembered, StepBegun
from backend.ports.storage import Storage
from backend.testing.node_steps import CALL, MADE, PLACE, USE
from backend.testing.storage import ANN, GRAPH, change, commit, new_run

KNOWN: Final = Remembered(key="what is asked", age_us=100)


class ModelAnswersSpec:
    """Give a fixture `storage`, empty; every test must pass."""

    @pytest.fixture(autouse=True)
    async def _claimed(self, storage: Storage) -> None:
        await storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
        await storage.of(ANN).add_graphs([GRAPH], now_us=1)
        await storage.submit(new_run())
        assert await commit(storage, "one", change(claim=True)) == frozenset()

    async def _asked(
        self, storage: Storage, key: str, *, cache: Remembered | None = KNOWN, **how: Any
    ) -> StepBegun:
        call, place = replace(CALL, cache=cache), how.pop("place", PLACE)
        return await storage.begin_step(
            place, key, repeatable=True, now_us=how.pop("now_us", 10), call=call
        )

    async def _answered(
        self, storage: Storage, result: Any, *, cache: Remembered | None = KNOWN, now_us: int = 10
    ) -> None:
        await self._asked(storage, "first", cache=None)
        made = replace(MADE, cache=cache)
        await storage.finish_step(PLACE, "first", result=result, now_us=now_us, call=made)

    async def test_an_answer_is_taken_again_and_costs_nothing(self, storage: Storage) -> None:
        await self._answered(storage, {"text": "yes"})

        again = await self._asked(storage, "second")
        later = await storage.begin_step(PLACE, "second", repeatable=True, now_us=999, call=CALL)

        assert (again.is_done, again.result) == (True, {"text": "yes"})
        assert again.used == USE + ModelUse(cached_calls=1)
        assert (later.is_done, later.result, later.used) == (True, {"text": "yes"}, again.used)

    async def test_a_call_that_was_under_way_may_take_one_too(self, storage: Storage) -> None:
        await self._asked(storage, "second")
        await self._answered(storage, "yes")

        again = await self._asked(storage, "second")

        assert (again.is_done, again.result) == (True, "yes")
        assert again.used == USE + ModelUse(calls=1, cached_calls=1)

    @pytest.mark.parametrize("result", ["x" * (64 * 1024), "ü" * (33 * 1024)])
    async def test_a_long_one_is_asked_for_again(self, storage: Storage, result: str) -> None:
        await self._answered(storage, result)

        assert not (await self._asked(storage, "second")).is_done

    async def test_who_wants_none_gets_none_and_keeps_none(self, storage: Storage) -> None:
        await self._answered(storage, "kept")
        wants_none = await self._asked(storage, "second", cache=None)
        made = replace(MADE, cache=None)
        await storage.finish_step(PLACE, "second", result="not kept", now_us=11, call=made)

        assert not wants_none.is_done
        assert (await self._asked(storage, "third")).result == "kept"

    async def test_another_question_and_another_user_find_nothing(self, storage: Storage) -> None:
        await self._answered(storage, "yes")
        bob = UserId("bob")
        await storage.of(bob).save_user(email="bob@example.com", name=None, now_us=1)
        theirs = replace(PLACE, user_id=bob)

        assert not (await self._asked(storage, "b", cache=replace(KNOWN, key="else"))).is_done
        assert not (await self._asked(storage, "c", place=theirs)).is_done

    @pytest.mark.parametrize(
        ("kept_us", "wanted_us", "now_us", "found"),
        [(100, 100, 110, True), (100, 100, 111, False), (100, 50, 61, False), (50, 99, 61, False)],
    )
    async def test_it_is_as_old_as_both_allow(
        self, storage: Storage, kept_us: int, wanted_us: int, now_us: int, found: bool
    ) -> None:
        await self._answered(storage, "yes", cache=replace(KNOWN, age_us=kept_us))

        wanted = replace(KNOWN, age_us=wanted_us)
        again = await self._asked(storage, "second", cache=wanted, now_us=now_us)

        assert again.is_done is found

    async def test_the_newer_answer_stands(self, storage: Storage) -> None:
        await self._answered(storage, "old")
        await self._asked(storage, "new", cache=None)
        made = replace(MADE, cache=KNOWN)
        await storage.finish_step(PLACE, "new", result="new", now_us=90, call=made)

        assert (await self._asked(storage, "third", now_us=180)).result == "new"
