"""Each adapter of conversations against the spec of their port; what lists of runs show of them."""

import pytest
from sqlalchemy import update

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.chats import SqlChatRetention, SqlChats
from backend.adapters.storage.tables import executions
from backend.core.chat import GRAPH_ID
from backend.core.ids import ExecutionId
from backend.testing.chats import ANN, ChatsSpec, Ends, begun
from tests.databases import Rows


class TestSqlChats(ChatsSpec):
    @pytest.fixture
    def storage(self, rows: Rows) -> SqlStorage:
        return rows.storage()

    @pytest.fixture
    def chats(self, storage: SqlStorage) -> SqlChats:
        return SqlChats(storage.database, storage.values)

    @pytest.fixture
    def retention(self, storage: SqlStorage) -> SqlChatRetention:
        return SqlChatRetention(storage.database)

    @pytest.fixture
    def end(self, storage: SqlStorage) -> Ends:
        async def end(run_id: str) -> None:
            ended = {"status": "COMPLETED", "ended_us": 9, "started_us": 8}
            await storage.database.write(
                lambda c: c.execute(
                    update(executions).where(executions.c.id == run_id).values(ended)
                )
            )

        return end

    async def test_a_turn_is_a_run_that_is_run_and_in_no_list(
        self, chats: SqlChats, storage: SqlStorage
    ) -> None:
        await begun(chats)

        assert await storage.unfinished(limit=10, exclude=[]) == ["run"]
        assert await storage.of(ANN).executions(limit=10) == []
        found = await storage.of(ANN).execution(ExecutionId("run"))
        assert found is not None
        assert found.graph_id == GRAPH_ID
