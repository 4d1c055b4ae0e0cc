"""API keys in SQLite against the spec of their port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.adapters.storage.api_keys import SqlApiKeys
from backend.adapters.storage.database import Database
from backend.adapters.storage.migrate import migrate
from backend.testing.api_keys import ApiKeysSpec


class TestSqlApiKeys(ApiKeysSpec):
    @pytest.fixture
    async def keys(self, tmp_path: Path) -> AsyncIterator[SqlApiKeys]:
        migrate(tmp_path / "agpt.db")
        database = Database(tmp_path / "agpt.db", synchronous="OFF")
        yield SqlApiKeys(database)
        await database.close()
