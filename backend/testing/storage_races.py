"""The spec of storage, more of it: runs that end, stop or begin at once, and blocks alone. See storage.py."""

from dataclasses import replace

import pytest

from backend.core import alone
from backend.core.ids import ExecutionId
from backend.core.status import Status
from backend.ports.storage import Storage
from backend.testing.storage import ANN, BOB, GRAPH, RUN, StorageSpec, change, commit, new_run


class StorageRacesSpec(StorageSpec):
    """Give a fixture `storage`, migrated and empty; every test must pass."""

    async def test_a_run_that_has_ended_since_it_was_read_is_not_begun_again(
        self, storage: Storage
    ) -> None:
        """Its own executor may have been the one that ended it, while a sweep was reading."""
        await storage.submit(new_run())
        await commit(storage, "one", change(claim=True, read_at=1))
        [read] = await storage.load_runs([RUN])
        await commit(storage, "one", change(status=Status.COMPLETED, revision=9))

        late = change(claim=True, attempt=2, revision=3, read_at=read.record.revision)
        assert await commit(storage, "one", late) == {RUN}

        run = await storage.of(ANN).execution(RUN)
        assert run is not None
        assert (run.status, run.revision) == (Status.COMPLETED, 9)

    async def test_what_a_gone_executor_has_begun_is_found_though_its_user_is_full(
        self, storage: Storage
    ) -> None:
        """Whoever takes it over begins it before others: it must hear of it while there is no room."""
        for run in (RUN, ExecutionId("theirs"), ExecutionId("waits")):
            await storage.submit(new_run(run))
        await commit(storage, "gone", change(claim=True))
        await commit(storage, "lives", replace(change(claim=True), run_id=ExecutionId("theirs")))

        mine, found = [
            await storage.unfinished(
                limit=9,
                exclude=[],
                full=[(ANN, GRAPH.id)],
                full_users=[ANN],
                takeable=takeable,
            )
            for takeable in (["me"], ["me", "gone"])
        ]

        assert (mine, found) == ([], [RUN])

    async def test_runs_are_read_in_the_order_in_which_they_are_asked_for(
        self, storage: Storage
    ) -> None:
        """Rows that change may come last: what was under way before what waits, else not."""
        ids = [ExecutionId(f"r{number}") for number in range(6)]
        for run_id in ids:
            await storage.submit(new_run(run_id))
        begun = [replace(change(claim=True), run_id=run_id) for run_id in ids[:2]]
        await commit(storage, "one", *begun)

        for order in (ids, ids[::-1], [ids[3], ids[0], ids[5]]):
            assert [one.record.id for one in await storage.load_runs(order)] == order

    @pytest.mark.parametrize("end", [Status.TERMINATED, Status.FAILED])
    async def test_what_an_ended_run_left_running_must_stop(
        self, storage: Storage, end: Status
    ) -> None:
        """A run that could not be read any more had nobody to stop its children."""
        await storage.submit(new_run())
        await commit(storage, "one", change(claim=True))
        await storage.submit(new_run("child", parent_id=RUN))
        await storage.submit(new_run("grandchild", parent_id="child"))

        await commit(storage, "one", change(status=end, revision=3))

        assert sorted(await storage.stops_asked()) == ["child", "grandchild"]

    async def test_a_block_alone_is_a_run_that_no_list_shows(self, storage: Storage) -> None:
        """Its agent is in no table; the same id twice is one run."""
        new = new_run("alone", graph_id=alone.GRAPH_ID, masks={"block": {"a": 1}})

        for _ in range(2):
            record = await storage.submit_alone(new)

        assert record.masks == {"block": {"a": 1}}
        assert await storage.unfinished(limit=10, exclude=[]) == ["alone"]
        assert await storage.of(ANN).executions(limit=10) == []
        assert await storage.of(BOB).execution(record.id) is None
