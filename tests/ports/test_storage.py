"""Each storage adapter against the spec of its port."""

import pytest

from backend.adapters.storage import SqlStorage
from backend.testing.large_values import LARGE_BYTES, LargeValuesSpec
from backend.testing.storage_races import StorageRacesSpec
from tests.databases import Rows


class TestSqliteStorage(StorageRacesSpec, LargeValuesSpec):
    @pytest.fixture
    def storage(self, rows: Rows) -> SqlStorage:
        return rows.storage(inline_bytes=LARGE_BYTES, value_bytes=1024 * 1024)
