"""Each adapter of libraries against the spec of their port."""

import pytest

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.library import SqlLibraries
from backend.testing.library import LibrariesSpec
from tests.databases import Rows


class TestSqlLibraries(LibrariesSpec):
    @pytest.fixture
    def storage(self, rows: Rows) -> SqlStorage:
        return rows.storage()

    @pytest.fixture
    def libraries(self, storage: SqlStorage) -> SqlLibraries:
        return SqlLibraries(storage.database)
