"""Each adapter of the builder's memory against the spec of its port; which blocks runs used."""

import pytest
from sqlalchemy import insert

from backend.adapters.storage.builder import SqlBuilders
from backend.adapters.storage.database import Database
from backend.adapters.storage.tables import executions, node_executions
from backend.testing.builder import ANN, BOB, BuildersSpec
from tests.databases import Rows


class TestSqlBuilders(BuildersSpec):
    @pytest.fixture
    def database(self, rows: Rows) -> Database:
        return rows.database()

    @pytest.fixture
    def builders(self, database: Database) -> SqlBuilders:
        return SqlBuilders(database)

    async def test_what_somebodys_runs_used_most_comes_first(
        self, builders: SqlBuilders, database: Database
    ) -> None:
        await ran(database, "new", at_us=5, blocks="aabc")
        await ran(database, "newer", at_us=6, blocks="cc")
        await ran(database, "old", at_us=1, blocks="dddddddd")
        await ran(database, "theirs", at_us=6, blocks="eeee", user=BOB)

        assert await builders.of(ANN).used_blocks(since_us=5, limit=2) == ["c", "a"]
        assert await builders.of(BOB).used_blocks(since_us=5, limit=2) == ["e"]


async def ran(database: Database, run_id: str, *, at_us: int, blocks: str, user: str = ANN) -> None:
    """Let a run have executed *blocks*, a letter each."""
    run = {
        "id": run_id,
        "user_id": user,
        "graph_id": "g",
        "graph_version": 1,
        "root_id": run_id,
        "depth": 0,
        "trigger": "api",
        "status": "COMPLETED",
        "attempt": 1,
        "revision": 1,
        "created_us": at_us,
        "updated_us": at_us,
        "inputs": "{}",
    }
    nodes = [
        {
            "run_id": run_id,
            "ordinal": ordinal,
            "id": f"{run_id}-{ordinal}",
            "node_id": "n",
            "block_id": block,
            "kind": "Standard",
            "status": "COMPLETED",
            "saved_outputs": 0,
            "add_us": 1,
            "revision": 1,
        }
        for ordinal, block in enumerate(blocks)
    ]
    await database.write(lambda c: c.execute(insert(executions), run))
    await database.write(lambda c: c.execute(insert(node_executions), nodes))
