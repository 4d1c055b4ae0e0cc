"""API keys in SQLite against the spec of their port."""

import pytest

from backend.adapters.storage.api_keys import SqlApiKeys
from backend.testing.api_keys import ApiKeysSpec
from tests.databases import Rows


class TestSqlApiKeys(ApiKeysSpec):
    @pytest.fixture
    def keys(self, rows: Rows) -> SqlApiKeys:
        return SqlApiKeys(rows.database())
