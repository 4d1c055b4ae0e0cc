"""The memory of deliveries over SQLite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.adapters.storage.database import Database
from backend.adapters.storage.deliveries import SqlDeliveries
from backend.adapters.storage.migrate import migrate
from backend.ports.deliveries import Deliveries
from backend.testing.deliveries import HOOK, KEPT_DAYS, KEPT_PER_WEBHOOK, DeliveriesSpec


class TestSqlDeliveries(DeliveriesSpec):
    @pytest.fixture
    async def database(self, tmp_path: Path) -> AsyncIterator[Database]:
        migrate(tmp_path / "agpt.db")
        made = Database(tmp_path / "agpt.db", synchronous="OFF")
        yield made
        await made.close()

    @pytest.fixture
    def deliveries(self, database: Database) -> Deliveries:
        return SqlDeliveries(database, days=KEPT_DAYS, per_webhook=KEPT_PER_WEBHOOK)

    async def test_another_process_knows_them(self, deliveries: Deliveries, tmp_path: Path) -> None:
        await deliveries.note(HOOK, "a", now_us=1)
        again = Database(tmp_path / "agpt.db")

        assert await SqlDeliveries(again, days=2, per_webhook=3).is_known(HOOK, "a")
        await again.close()
