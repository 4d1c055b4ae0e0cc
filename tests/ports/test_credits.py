"""Each adapter of the ledger against the spec of its port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.adapters.storage.credits import SqlLedger
from backend.adapters.storage.database import Database
from backend.adapters.storage.migrate import migrate
from backend.testing.credits import LedgerSpec


class TestSqlLedger(LedgerSpec):
    @pytest.fixture
    async def ledger(self, tmp_path: Path) -> AsyncIterator[SqlLedger]:
        migrate(tmp_path / "agpt.db")
        database = Database(tmp_path / "agpt.db", synchronous="OFF")
        yield SqlLedger(database, refill=100)
        await database.close()
