"""Each storage adapter against the spec of answers that are taken again."""

from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Connection

from backend.adapters.storage import SqlStorage, model_answers, tables_usage
from backend.adapters.storage.retention import SqlRetention
from backend.core.ids import UserId
from backend.core.node_steps import Remembered
from backend.core.status import Status
from backend.testing.model_answers import KNOWN, ModelAnswersSpec
from backend.testing.node_steps import PLACE
from backend.testing.storage import ANN, RUN, change, commit
from tests.databases import Rows


def numbered(number: int) -> Remembered:
    return replace(KNOWN, key=f"q{number}", age_us=1_000_000)


class TestSqliteStorage(ModelAnswersSpec):
    @pytest.fixture
    def storage(self, rows: Rows) -> SqlStorage:
        return rows.storage()

    async def test_a_user_has_the_newest_ones(self, storage: SqlStorage) -> None:
        def keep(connection: Connection, number: int) -> None:
            model_answers.keep(connection, PLACE, numbered(number), str(number), 10 + number)

        for number in range(model_answers.MOST + 3):
            await storage.database.write(partial(keep, number=number))

        assert not (await self._asked(storage, "a", cache=numbered(2), now_us=2_000)).is_done
        assert (await self._asked(storage, "b", cache=numbered(3), now_us=2_000)).result == 3

    async def test_it_goes_with_the_run_that_its_user_deletes(self, storage: SqlStorage) -> None:
        await self._answered(storage, "yes")
        assert not await storage.of(UserId("bob")).delete_execution(RUN, now_us=60)
        assert await self._left(storage) == 1

        await storage.of(ANN).delete_execution(RUN, now_us=60)

        assert await self._left(storage) == 0

    async def test_it_goes_with_the_run_that_is_old(self, storage: SqlStorage) -> None:
        await self._answered(storage, "yes")
        await commit(storage, "one", change(status=Status.COMPLETED))
        retention = SqlRetention(storage.database)

        assert await retention.delete_runs([RUN]) == 1
        assert await retention.clear(rows=50)

        assert await self._left(storage) == 0

    async def test_it_goes_when_its_time_is_over(self, storage: SqlStorage) -> None:
        await self._answered(storage, "yes")
        retention = SqlRetention(storage.database)

        assert await retention.delete_answers(110, limit=10) == 0
        assert await retention.delete_answers(111, limit=10) == 1
        assert await self._left(storage) == 0

    async def _left(self, storage: SqlStorage) -> int:
        return await storage.database.read(
            lambda c: len(c.execute(tables_usage.model_answers.select()).all())
        )
