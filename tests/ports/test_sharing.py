"""Each adapter of shares against the spec of their port; what a look at one may cost."""

from typing import Any

import pytest
from sqlalchemy import insert

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.sharing import SqlShares
from backend.adapters.storage.tables import node_executions
from backend.testing.sharing import ANN, GRAPH, RUN, SharesSpec
from tests.databases import Rows

INLINE_BYTES = 1024


class TestSqlShares(SharesSpec):
    @pytest.fixture
    def storage(self, rows: Rows) -> SqlStorage:
        return rows.storage(inline_bytes=INLINE_BYTES)

    @pytest.fixture
    def shares(self, storage: SqlStorage) -> SqlShares:
        return SqlShares(storage.database, storage.values, shown_bytes=20 * INLINE_BYTES)

    async def test_only_outputs_are_shown_and_large_ones_whole(
        self, shares: SqlShares, storage: SqlStorage
    ) -> None:
        large = "x" * 5 * INLINE_BYTES
        await give(storage, ("Output", "small", 1), ("Output", "large", large), ("Input", "in", 2))
        await shares.of(ANN).share(GRAPH.id, RUN, "token")

        shown = await shares.shared("token")

        assert shown is not None
        assert shown.outputs == {"small": [1], "large": [large]}

    async def test_what_is_too_large_for_a_stranger_is_told_of(
        self, shares: SqlShares, storage: SqlStorage
    ) -> None:
        await give(storage, ("Output", "huge", "x" * 21 * INLINE_BYTES), ("Output", "small", 1))
        await shares.of(ANN).share(GRAPH.id, RUN, "token")

        shown = await shares.shared("token")

        assert shown is not None
        [told] = shown.outputs["huge"]
        assert f"{21 * INLINE_BYTES + 2} bytes" in told
        assert shown.outputs["small"] == [1]

    async def test_many_small_outputs_end_where_the_page_is_full(
        self, shares: SqlShares, storage: SqlStorage
    ) -> None:
        await give(storage, *(("Output", "many", "y" * 900) for _ in range(100)))
        await shares.of(ANN).share(GRAPH.id, RUN, "token")

        shown = await shares.shared("token")

        assert shown is not None
        *values, last = shown.outputs["many"]
        assert 15 < len(values) < 25
        assert last == "[more than a shared page shows]"


async def give(storage: SqlStorage, *outputs: tuple[str, str, Any]) -> None:
    """Let the run have made node executions of a kind, with a name and a value each."""
    staging = storage.values.staging()
    rows = [
        {
            "run_id": RUN,
            "ordinal": ordinal,
            "id": f"{RUN}-{ordinal}",
            "node_id": "node",
            "block_id": "block",
            "kind": kind,
            "status": "COMPLETED",
            "input": staging.text(RUN, {"name": name, "value": value}),
            "saved_outputs": 0,
            "queue_no": ordinal,
            "add_us": 1,
            "queue_us": 1,
            "revision": 1,
        }
        for ordinal, (kind, name, value) in enumerate(outputs)
    ]
    await storage.values.write(staging)
    await storage.database.write(lambda c: c.execute(insert(node_executions), rows))
