"""The witness sees what is committed, and only that; it looks at a real file."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.migrate import migrate
from backend.core.status import Status
from backend.selfcheck.rows import SqliteRows
from backend.selfcheck.witness import Witness
from backend.testing.storage import ANN, GRAPH, RUN, change, commit, new_run


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqlStorage]:
    migrate(tmp_path / "agpt.db")
    made = open_storage(tmp_path / "agpt.db")
    await made.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    await made.of(ANN).add_graphs([GRAPH], now_us=1)
    await made.submit(new_run(inputs={"run": "run-7"}))
    yield made
    await made.close()


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(SqliteRows(tmp_path / "agpt.db"))


async def test_each_change_of_a_run_is_seen_once(storage: SqlStorage, witness: Witness) -> None:
    witness.look()
    witness.look()
    await commit(storage, "one", change(claim=True))
    witness.look()
    unfinished = witness.unfinished()
    await commit(storage, "one", change(status=Status.COMPLETED, revision=3))
    witness.look()

    seen = witness.seen_runs[RUN]
    assert [row.status for row in seen] == ["QUEUED", "RUNNING", "COMPLETED"]
    assert {row.name for row in seen} == {"run-7"}
    assert (unfinished, witness.unfinished()) == (1, 0)
    assert witness.has_ended(RUN)
    assert witness.revision_of(RUN) == 3


async def test_a_run_that_was_interrupted_goes_on_with_its_next_commit(
    storage: SqlStorage, witness: Witness
) -> None:
    await commit(storage, "one", change(claim=True))
    witness.look()

    witness.interrupted(0)
    witness.look()
    waiting = list(witness.recoveries_s)
    await commit(storage, "two", change(claim=True, attempt=2, revision=3))
    witness.look()

    assert waiting == []
    assert len(witness.recoveries_s) == 1
    assert witness.slowest == (witness.recoveries_s[0], RUN)


async def test_a_run_that_waits_for_a_person_is_not_interrupted(
    storage: SqlStorage, witness: Witness
) -> None:
    await commit(storage, "one", change(claim=True))
    waits = "UPDATE executions SET status = 'REVIEW', revision = 3"
    await storage.database.write(lambda connection: connection.exec_driver_sql(waits))
    witness.look()

    witness.interrupted(0)
    await commit(storage, "one", change(status=Status.TERMINATED, revision=4))
    witness.look()

    assert witness.recoveries_s == []


async def test_a_commit_of_anybody_is_a_moment(storage: SqlStorage, witness: Witness) -> None:
    found: list[bool] = []
    waiter = threading.Thread(
        target=lambda: found.append(witness.wait_for_commits(2, limit_s=30)), daemon=True
    )
    waiter.start()

    number = 0
    while waiter.is_alive():
        number += 1
        await storage.submit(new_run(f"run {number}"))

    assert found == [True]
    assert not witness.wait_for_commits(1, limit_s=0)
