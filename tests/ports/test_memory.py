"""What every `Memories` promises, run over SQLite and over the one in memory."""

import pytest

from backend.adapters.storage.database import Database
from backend.adapters.storage.memory import SqlMemories
from backend.core.errors import BadRequest, TooLarge
from backend.core.ids import UserId
from backend.core.json import Json
from backend.ports.memory import Memories
from backend.testing.memory import TransientMemories
from tests.databases import Rows

ANN, BOB = UserId("ann"), UserId("bob")


class MemoriesSpec:
    @pytest.mark.parametrize(
        "value", [0, 0.0, False, "", [], {}, 7, "größer", [None, {"a": [1.5]}], {"a": None}]
    )
    async def test_a_value_comes_back_as_it_was_given(
        self, memories: Memories, value: Json
    ) -> None:
        """Also those that count as false: the server of others forgot them."""
        await memories.of(ANN).remember("k", value, now_us=1)

        found = await memories.of(ANN).recall("k")

        assert found == value
        assert type(found) is type(value)

    async def test_what_was_never_kept_is_none(self, memories: Memories) -> None:
        assert await memories.of(ANN).recall("k") is None

    async def test_the_last_value_stays(self, memories: Memories) -> None:
        await memories.of(ANN).remember("k", 1, now_us=1)
        await memories.of(ANN).remember("k", 2, now_us=2)

        assert await memories.of(ANN).recall("k") == 2

    async def test_each_user_has_a_memory_of_their_own(self, memories: Memories) -> None:
        await memories.of(ANN).remember("k", 1, now_us=1)

        assert await memories.of(BOB).recall("k") is None

    async def test_none_is_refused(self, memories: Memories) -> None:
        with pytest.raises(BadRequest):
            await memories.of(ANN).remember("k", None, now_us=1)


class TestTransientMemories(MemoriesSpec):
    @pytest.fixture
    def memories(self) -> Memories:
        return TransientMemories()


class TestSqlMemories(MemoriesSpec):
    @pytest.fixture
    def database(self, rows: Rows) -> Database:
        return rows.database()

    @pytest.fixture
    def memories(self, database: Database) -> Memories:
        return SqlMemories(database, value_bytes=1024, keys=3)

    async def test_it_outlives_the_process(self, memories: Memories, rows: Rows) -> None:
        await memories.of(ANN).remember("k", [1], now_us=1)

        again = rows.database()

        assert await SqlMemories(again).of(ANN).recall("k") == [1]
        await again.close()

    async def test_a_value_over_its_limit_is_refused(self, memories: Memories) -> None:
        await memories.of(ANN).remember("k", "x" * 1022, now_us=1)

        with pytest.raises(TooLarge, match="MAX_MEMORY_VALUE_KB"):
            await memories.of(ANN).remember("k", "x" * 1023, now_us=2)

        assert await memories.of(ANN).recall("k") == "x" * 1022

    async def test_a_key_over_its_limit_is_refused(self, memories: Memories) -> None:
        with pytest.raises(TooLarge, match="1000 characters"):
            await memories.of(ANN).remember("k" * 1001, 1, now_us=1)

    async def test_one_key_too_many_is_refused_and_those_there_still_change(
        self, memories: Memories
    ) -> None:
        for key in "abc":
            await memories.of(ANN).remember(key, 1, now_us=1)

        with pytest.raises(TooLarge, match="MAX_MEMORY_KEYS_PER_USER"):
            await memories.of(ANN).remember("d", 1, now_us=2)

        await memories.of(ANN).remember("a", 2, now_us=2)
        await memories.of(BOB).remember("d", 1, now_us=2)
        assert await memories.of(ANN).recall("a") == 2
