"""Apps, codes and tokens in SQLite against the spec of their port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.adapters.storage.database import Database
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.oauth import SqlOAuth
from backend.testing.oauth import OAuthSpec


class TestSqlOAuth(OAuthSpec):
    @pytest.fixture
    async def oauth(self, tmp_path: Path) -> AsyncIterator[SqlOAuth]:
        migrate(tmp_path / "agpt.db")
        database = Database(tmp_path / "agpt.db", synchronous="OFF")
        yield SqlOAuth(database)
        await database.close()
