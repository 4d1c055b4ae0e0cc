"""The witness sees what is committed, and only that; it looks at a real database, of each kind."""

import re
import threading
from collections.abc import Iterator

import pytest

from backend.adapters.storage import SqlStorage
from backend.core.status import Status
from backend.selfcheck.rows import SqliteRows
from backend.selfcheck.rows_postgres import PostgresRows
from backend.selfcheck.witness import Witness
from backend.testing.storage import ANN, GRAPH, RUN, change, commit, new_run
from tests.databases import Rows
from tests.frozen import frozen_session


@pytest.fixture
async def storage(rows: Rows) -> SqlStorage:
    made = rows.storage()
    await made.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    await made.of(ANN).add_graphs([GRAPH], now_us=1)
    await made.submit(new_run(inputs={"run": "run-7"}))
    return made


@pytest.fixture
def witness(rows: Rows) -> Iterator[Witness]:
    place = rows.place
    seen = PostgresRows(place.url) if place.url else SqliteRows(place.path)
    yield Witness(seen)
    seen.close()


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


async def test_only_those_that_were_at_a_dead_executor_are_interrupted(
    storage: SqlStorage, witness: Witness
) -> None:
    await commit(storage, "one", change(claim=True))
    witness.look()

    witness.interrupted(0, {"another"})
    await commit(storage, "one", change(revision=3))
    witness.look()
    spared = list(witness.recoveries_s)
    had = witness.runs_of({"one"}), witness.runs_of({"another"})
    witness.interrupted(0, {"one"})
    await commit(storage, "two", change(claim=True, attempt=2, revision=4))
    witness.look()

    assert spared == []
    assert witness.have_moved({RUN}, {"one"})
    assert not witness.have_moved({RUN, "nobody's"}, {"one", "two"})
    assert had == (frozenset({RUN}), frozenset())
    assert len(witness.recoveries_s) == 1
    assert witness.seen_runs[RUN][-1].owner == "two"


async def test_all_that_was_committed_is_read_at_the_end(
    storage: SqlStorage, witness: Witness
) -> None:
    await commit(storage, "one", change(claim=True))

    runs, nodes = witness.rows()

    assert [row.status for row in runs.values()] == ["RUNNING"]
    assert nodes == {}
    assert witness.graph_ids() == {RUN: GRAPH.id}


async def test_who_has_a_transaction_open_is_told(
    storage: SqlStorage, rows: Rows, witness: Witness
) -> None:
    url = rows.place.url
    assert witness.open_transactions() == []
    if not url:
        return
    with frozen_session(url, "agpt-server x", state="idle in transaction", statement=_UPDATE):
        [found] = witness.open_transactions()

    assert re.fullmatch(
        r"agpt-server x, idle in transaction, ClientRead, since \d\.\d s, silent for \d\.\d s, "
        + re.escape(_UPDATE),
        found,
    )


_UPDATE = "UPDATE users SET email = 'a'"
