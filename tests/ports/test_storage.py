"""Each storage adapter against the spec of its port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.migrate import migrate
from backend.testing.large_values import LARGE_BYTES, LargeValuesSpec
from backend.testing.storage_races import StorageRacesSpec


class TestSqliteStorage(StorageRacesSpec, LargeValuesSpec):
    @pytest.fixture
    async def storage(self, tmp_path: Path) -> AsyncIterator[SqlStorage]:
        migrate(tmp_path / "agpt.db")
        made = open_storage(tmp_path / "agpt.db", inline_bytes=LARGE_BYTES, value_bytes=1024 * 1024)
        yield made
        await made.close()
