"""Each adapter of credentials against the spec of their port."""

import pytest

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.credentials import SqlCredentials
from backend.testing.credentials import CredentialsSpec
from tests.databases import Rows


class TestSqlCredentials(CredentialsSpec):
    @pytest.fixture
    def storage(self, rows: Rows) -> SqlStorage:
        return rows.storage()

    @pytest.fixture
    def store(self, storage: SqlStorage) -> SqlCredentials:
        return SqlCredentials(storage.database)
