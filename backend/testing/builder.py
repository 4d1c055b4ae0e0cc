"""The spec of the builder's memory: what every adapter must do."""

from typing import Final

from backend.core.ids import UserId
from backend.ports.builder import Builders, Search

ANN: Final = UserId("ann")
BOB: Final = UserId("bob")


async def searched(builders: Builders, query: str, *, at_us: int, user: UserId = ANN) -> str:
    """Note a search, and return its id."""
    return await builders.of(user).note_search(
        Search(id="", query=query), fresh_id=f"{user}-{at_us}", now_us=at_us
    )


async def queries(builders: Builders, user: UserId = ANN, *, limit: int = 10) -> list[str]:
    """Return what was searched for."""
    return [one.query for one in await builders.of(user).recent_searches(limit=limit)]


class BuildersSpec:
    """Give a fixture `builders`, empty; every test must pass."""

    async def test_the_newest_searches_come_first_and_none_twice(self, builders: Builders) -> None:
        for at_us, query in enumerate(("one", "two", "One", "three"), 1):
            await searched(builders, query, at_us=at_us)

        assert await queries(builders) == ["three", "One", "two"]
        assert await queries(builders, limit=1) == ["three"]
        assert await queries(builders, BOB) == []

    async def test_a_search_that_goes_on_stays_one(self, builders: Builders) -> None:
        first = await searched(builders, "te", at_us=1)
        more = Search(id=first, query="text", kinds=["blocks"], creators=["ann"])

        again = await builders.of(ANN).note_search(more, fresh_id="unused", now_us=2)

        assert again == first
        assert await builders.of(ANN).recent_searches(limit=10) == [more]

    async def test_somebody_elses_search_is_never_changed(self, builders: Builders) -> None:
        theirs = await searched(builders, "private", at_us=1)
        mine = Search(id=theirs, query="taken")

        kept = await builders.of(BOB).note_search(mine, fresh_id="bobs", now_us=2)

        assert kept == "bobs"
        assert await queries(builders) == ["private"]
        assert await queries(builders, BOB) == ["taken"]

    async def test_only_the_newest_few_are_kept(self, builders: Builders) -> None:
        for at_us in range(1, 121):
            await searched(builders, f"query {at_us}", at_us=at_us)

        kept = await queries(builders, limit=1000)

        assert kept == [f"query {at_us}" for at_us in range(120, 70, -1)]
