"""The store of deliveries over SQLite."""

from dataclasses import replace

import pytest
from sqlalchemy import delete, insert

from backend.adapters.storage.deliveries import SqlDeliveries
from backend.adapters.storage.storage import SqlStorage
from backend.adapters.storage.tables import webhooks
from backend.adapters.storage.value_files import ValueFiles
from backend.core.deliveries import DeliveryStatus
from backend.core.ids import ExecutionId
from backend.testing.deliveries import (
    ANN,
    HOOK,
    KEPT_DAYS,
    KEPT_PER_WEBHOOK,
    OTHER,
    DeliveriesSpec,
    delivery,
    listed,
)
from tests.databases import Rows


def store_over(storage: SqlStorage) -> SqlDeliveries:
    return SqlDeliveries(
        storage.database,
        storage.values,
        days=KEPT_DAYS,
        kept=KEPT_PER_WEBHOOK,
        key_days=KEPT_DAYS,
        keys=KEPT_PER_WEBHOOK,
    )


class TestSqlDeliveries(DeliveriesSpec):
    @pytest.fixture
    async def storage(self, rows: Rows) -> SqlStorage:
        made = rows.storage()
        empty = dict.fromkeys(
            ("webhook_type", "credentials_id", "resource", "secret", "provider_webhook_id"), ""
        )
        hooks = [
            {
                "id": name,
                "user_id": ANN,
                "provider": "generic_webhook",
                "events": "[]",
                "config": "{}",
                "created_us": 0,
                **empty,
            }
            for name in (HOOK, OTHER)
        ]
        await made.database.write(lambda c: c.execute(insert(webhooks), hooks))
        return made

    @pytest.fixture
    def deliveries(self, storage: SqlStorage) -> SqlDeliveries:
        return store_over(storage)

    async def test_another_process_knows_them(self, deliveries: SqlDeliveries, rows: Rows) -> None:
        await deliveries.add(delivery("a"), ("k",))
        again = rows.storage()

        assert not await store_over(again).add(delivery("b"), ("k",))

    async def test_the_file_of_a_large_body_stays_as_long_as_its_row(
        self, deliveries: SqlDeliveries, storage: SqlStorage
    ) -> None:
        made = delivery("large", payload={"text": "x" * 400_000})
        await deliveries.add(made, ())
        folder = ExecutionId(made.id)

        assert isinstance(storage.values.files, ValueFiles)
        assert (storage.values.files.folder / made.id).is_dir()
        assert await storage.runs_kept([folder, ExecutionId("other")]) == {folder}
        await storage.database.write(lambda c: c.exec_driver_sql("DELETE FROM deliveries"))
        assert await storage.runs_kept([folder]) == set()

    async def test_the_deliveries_of_a_webhook_that_is_gone_go_too(
        self, deliveries: SqlDeliveries, storage: SqlStorage
    ) -> None:
        done = DeliveryStatus.IGNORED
        await deliveries.add(delivery("waits"), ())
        await deliveries.add(replace(delivery("done"), status=done), ())
        await storage.database.write(lambda c: c.execute(delete(webhooks)))

        await deliveries.expire(now_us=1, limit=9)

        assert await listed(deliveries) == ["waits"]
