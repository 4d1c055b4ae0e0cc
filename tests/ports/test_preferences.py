"""Each adapter of preferences against the spec of their port."""

import pytest

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.preferences import SqlPreferences
from backend.testing.preferences import PreferencesSpec
from tests.databases import Rows


class TestSqlPreferences(PreferencesSpec):
    @pytest.fixture
    def storage(self, rows: Rows) -> SqlStorage:
        return rows.storage()

    @pytest.fixture
    def preferences(self, storage: SqlStorage) -> SqlPreferences:
        return SqlPreferences(storage.database)
