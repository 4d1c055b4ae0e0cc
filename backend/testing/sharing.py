"""The spec of shares: what every adapter must do."""

from typing import Final

import pytest

from backend.core.graph import Graph
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.records import NewExecution
from backend.core.status import Status
from backend.ports.sharing import Shares
from backend.ports.storage import Storage

ANN: Final = UserId("ann")
BOB: Final = UserId("bob")
GRAPH: Final = Graph(id=GraphId("graph"), name="Sample", description="what it does")
RUN: Final = ExecutionId("run")


class SharesSpec:
    """Give fixtures `storage`, migrated and empty, and `shares` over it; every test must pass."""

    @pytest.fixture(autouse=True)
    async def _run(self, storage: Storage) -> None:
        await storage.of(ANN).add_graphs([GRAPH], now_us=1)
        for run_id in ("run", "other"):
            await storage.submit(
                NewExecution(
                    id=ExecutionId(run_id),
                    user_id=ANN,
                    graph_id=GRAPH.id,
                    graph_version=1,
                    inputs={"secret": "hunter2"},
                    created_us=7,
                )
            )

    async def test_a_shared_run_is_shown_and_nothing_of_how_it_was_started(
        self, shares: Shares
    ) -> None:
        assert await shares.of(ANN).share(GRAPH.id, RUN, "token")

        shown = await shares.shared("token")

        assert shown is not None
        assert (shown.id, shown.status, shown.created_us) == (RUN, Status.QUEUED, 7)
        assert (shown.graph_name, shown.graph_description) == ("Sample", "what it does")
        assert shown.outputs == {}
        assert "hunter2" not in repr(shown)

    async def test_a_new_link_ends_the_old_one(self, shares: Shares) -> None:
        await shares.of(ANN).share(GRAPH.id, RUN, "old")
        await shares.of(ANN).share(GRAPH.id, RUN, "new")

        assert await shares.shared("old") is None
        assert await shares.shared("new") is not None

    async def test_what_is_not_shared_any_more_is_not_shown(self, shares: Shares) -> None:
        await shares.of(ANN).share(GRAPH.id, RUN, "token")

        assert await shares.of(ANN).unshare(GRAPH.id, RUN)

        assert await shares.shared("token") is None
        assert await shares.of(ANN).unshare(GRAPH.id, RUN)

    async def test_a_deleted_run_is_not_shown(self, shares: Shares, storage: Storage) -> None:
        await shares.of(ANN).share(GRAPH.id, RUN, "token")
        await storage.of(ANN).delete_execution(RUN, now_us=9)

        assert await shares.shared("token") is None
        assert not await shares.of(ANN).share(GRAPH.id, RUN, "again")

    async def test_a_run_is_shared_by_its_owner_and_with_its_graph_only(
        self, shares: Shares
    ) -> None:
        assert not await shares.of(BOB).share(GRAPH.id, RUN, "token")
        assert not await shares.of(ANN).share(GraphId("another"), RUN, "token")

        assert await shares.shared("token") is None
        await shares.of(ANN).share(GRAPH.id, RUN, "token")
        assert not await shares.of(BOB).unshare(GRAPH.id, RUN)
        assert not await shares.of(ANN).unshare(GraphId("another"), RUN)
        assert await shares.shared("token") is not None

    async def test_the_run_of_a_deleted_graph_is_still_shown(
        self, shares: Shares, storage: Storage
    ) -> None:
        await shares.of(ANN).share(GRAPH.id, RUN, "token")
        await storage.of(ANN).delete_graph(GRAPH.id, now_us=9)

        shown = await shares.shared("token")

        assert shown is not None
        assert shown.graph_name == ""

    async def test_an_empty_token_shows_nothing(self, shares: Shares) -> None:
        assert await shares.shared("") is None
