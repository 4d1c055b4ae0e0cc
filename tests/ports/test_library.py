"""Each adapter of libraries against the spec of their port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.library import SqlLibraries
from backend.adapters.storage.migrate import migrate
from backend.testing.library import LibrariesSpec


class TestSqlLibraries(LibrariesSpec):
    @pytest.fixture
    async def storage(self, tmp_path: Path) -> AsyncIterator[SqlStorage]:
        migrate(tmp_path / "agpt.db")
        made = open_storage(tmp_path / "agpt.db", synchronous="OFF")
        yield made
        await made.close()

    @pytest.fixture
    def libraries(self, storage: SqlStorage) -> SqlLibraries:
        return SqlLibraries(storage.database)
