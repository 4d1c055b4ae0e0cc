"""Each adapter of the ledger against the spec of its port."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.credits import SqlLedger
from backend.adapters.storage.notice_queue import SqlNoticeQueue
from backend.core.credits import Charge
from backend.core.errors import InsufficientBalance
from backend.core.ids import GraphId
from backend.ports.notices import NoticeQuery
from backend.testing.credits import ANN, LedgerSpec, charge
from tests.databases import Rows


class TestSqlLedger(LedgerSpec):
    @pytest.fixture
    def ledger(self, rows: Rows) -> SqlLedger:
        return SqlLedger(rows.database(), refill=100)


@pytest.fixture
async def storage(rows: Rows) -> AsyncIterator[SqlStorage]:
    made = rows.storage()
    yield made
    await made.close()


def telling(storage: SqlStorage) -> SqlLedger:
    return SqlLedger(storage.database, low=50, billing_url="http://front/profile/credits")


async def told(storage: SqlStorage) -> list[tuple[str, str, Any]]:
    found = await SqlNoticeQueue(storage.database).listed(NoticeQuery())
    return [(one.user_id, one.type, one.data) for one in reversed(found)]


async def test_who_gets_below_the_threshold_is_told_each_time_once(storage: SqlStorage) -> None:
    ledger = telling(storage)
    await ledger.of(ANN).grant(100, key="g", reason="r", now_us=1)
    for key in ("a", "b", "b", "c"):
        await ledger.charge(charge(key, 30), now_us=2)
    low = {"billing_page_link": "http://front/profile/credits"}
    assert await told(storage) == [(ANN, "LOW_BALANCE", {"current_balance": 40, **low})]

    await ledger.of(ANN).grant(40, key="h", reason="r", now_us=3)
    await ledger.charge(charge("d", 1), now_us=4)

    assert [data["current_balance"] for _, _, data in await told(storage)] == [40, 49]


async def test_who_cannot_pay_for_a_node_is_told_once_for_each_graph_until_credits_come(
    storage: SqlStorage,
) -> None:
    ledger = telling(storage)
    await ledger.of(ANN).grant(8, key="g", reason="r", now_us=1)
    first = replace(charge("a", 10), agent_name="Sample")
    other = replace(first, graph_id=GraphId("other"))
    alone = replace(first, graph_id=None)

    async def refused(*charges: Charge) -> int:
        for one in charges:
            with pytest.raises(InsufficientBalance):
                await ledger.charge(one, now_us=2)
        return len(await told(storage))

    assert await refused(first, replace(first, key="b"), alone) == 1
    assert (await told(storage))[0] == (
        ANN,
        "ZERO_BALANCE",
        {
            "agent_name": "Sample",
            "current_balance": 8,
            "billing_page_link": "http://front/profile/credits",
            "shortfall": 2,
        },
    )
    assert await refused(other, other) == 2
    await ledger.of(ANN).grant(-1, key="taken", reason="r", now_us=3)
    assert await refused(first) == 2
    await ledger.of(ANN).grant(1, key="given", reason="r", now_us=4)
    assert await refused(first, first) == 3
