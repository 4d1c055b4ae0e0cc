"""Apps, codes and tokens in SQLite against the spec of their port."""

import pytest

from backend.adapters.storage.oauth import SqlOAuth
from backend.testing.oauth import OAuthSpec
from tests.databases import Rows


class TestSqlOAuth(OAuthSpec):
    @pytest.fixture
    def oauth(self, rows: Rows) -> SqlOAuth:
        return SqlOAuth(rows.database())
