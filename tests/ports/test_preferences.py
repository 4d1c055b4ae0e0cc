"""Each adapter of preferences against the spec of their port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.preferences import SqlPreferences
from backend.testing.preferences import PreferencesSpec


class TestSqlPreferences(PreferencesSpec):
    @pytest.fixture
    async def storage(self, tmp_path: Path) -> AsyncIterator[SqlStorage]:
        migrate(tmp_path / "agpt.db")
        made = open_storage(tmp_path / "agpt.db", synchronous="OFF")
        yield made
        await made.close()

    @pytest.fixture
    def preferences(self, storage: SqlStorage) -> SqlPreferences:
        return SqlPreferences(storage.database)
