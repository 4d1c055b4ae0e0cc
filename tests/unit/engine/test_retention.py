"""What is old goes, in small steps; what is not ended, or belongs to something that stays, stays."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.mail import OutboxMailer
from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.audit_log import SqlAuditLog
from backend.adapters.storage.doctor import examine
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.retention import BEGAN_KEY, SqlRetention
from backend.adapters.storage.usage import SqlUsage
from backend.core.ids import ExecutionId, UserId
from backend.core.usage import ALL_GRAPHS
from backend.engine.retention import Keep, Retention
from backend.ports.audit import AuditQuery
from backend.ports.doctor import Rule
from backend.ports.mail import Letter
from backend.testing.audit import ENTRY
from backend.testing.clock import FakeClock

DAY = 24 * 3600 * 1_000_000
NOW = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqlStorage]:
    migrate(tmp_path / "agpt.db")
    made = open_storage(tmp_path / "agpt.db")
    yield made
    await made.close()


async def no_rest(_: float) -> None:
    """Go on at once."""


def retention(
    storage: SqlStorage, *, days: int = 90, newest: int = 0, audit_days: int = 0, **more: Any
) -> Retention:
    clock = FakeClock()
    clock.set_us(NOW)
    keep = Keep(days=days, runs_per_graph=newest, audit_days=audit_days)
    return Retention(SqlRetention(storage.database), clock, keep, rest=no_rest, **more)


@contextmanager
def rows_of(storage: SqlStorage) -> Iterator[Callable[..., list[Any]]]:
    """Give a way to say something to the database."""
    connection = sqlite3.connect(storage.database.path)
    try:
        yield lambda sql, *values: connection.execute(sql, values).fetchall()
        connection.commit()
    finally:
        connection.close()


def add_run(
    storage: SqlStorage,
    run_id: str,
    *,
    days_ago: float,
    status: str = "COMPLETED",
    parent: str | None = None,
    nodes: int = 2,
    text: str = "x",
) -> None:
    at_us = int(NOW - days_ago * DAY)
    ended_us = at_us if status in ("COMPLETED", "FAILED", "TERMINATED") else None
    with rows_of(storage) as say:
        say(
            "INSERT INTO executions (id, user_id, graph_id, graph_version, parent_id, root_id, depth,"
            " trigger, status, attempt, revision, created_us, updated_us, started_us, ended_us,"
            " inputs, stats) VALUES (?, 'ann', 'graph', 1, ?, ?, 0, 'api', ?, 1, 9, ?, ?, ?, ?,"
            ' \'{}\', \'{"node_count": \' || ? || \'}\')',
            run_id, parent, parent or run_id, status, at_us, at_us, at_us, ended_us, nodes,
        )  # fmt: skip
        for ordinal in range(nodes):
            say(
                "INSERT INTO node_executions (run_id, ordinal, id, node_id, block_id, kind, status,"
                " saved_outputs, queue_no, add_us, queue_us, start_us, end_us, revision)"
                " VALUES (?, ?, ?, 'n', 'b', 'Standard', 'COMPLETED', 1, ?, 1, 1, 1, 1, 2)",
                run_id, ordinal, f"{run_id}-{ordinal}", ordinal,
            )  # fmt: skip
            say(
                "INSERT INTO node_outputs VALUES (?, ?, 0, ?)",
                run_id, ordinal, f'[["out", "{text}"]]',
            )  # fmt: skip


def runs(storage: SqlStorage) -> set[str]:
    with rows_of(storage) as say:
        return {row[0] for row in say("SELECT id FROM executions")}


def count(storage: SqlStorage, table: str) -> int:
    with rows_of(storage) as say:
        return int(say(f"SELECT count(*) FROM {table}")[0][0])


async def test_a_run_goes_when_it_is_old_with_all_that_belongs_to_it(storage: SqlStorage) -> None:
    add_run(storage, "old", days_ago=91)
    add_run(storage, "new", days_ago=89)
    with rows_of(storage) as say:
        say(
            "INSERT INTO reviews (node_exec_id, node_id, user_id, run_id, graph_id, graph_version,"
            " payload, editable, status, created_us)"
            " VALUES ('q', 'n', 'ann', 'old', 'graph', 1, '{}', 1, 'APPROVED', 1)"
        )
        say("INSERT INTO approved_nodes VALUES ('old', 'n')")
        say("INSERT INTO holds VALUES ('run', 'old', NULL, 1), ('run', 'new', NULL, 1)")

    said = await retention(storage).work(at_most_s=60)

    assert said.startswith("1 runs, 0 notices")
    assert runs(storage) == {"new"}
    left = ("node_executions", "node_outputs", "reviews", "approved_nodes", "deleted_runs", "holds")
    assert [count(storage, table) for table in left] == [2, 2, 0, 0, 0, 1]


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "REVIEW", "INCOMPLETE"])
async def test_a_run_that_has_not_ended_stays_however_old_it_is(
    storage: SqlStorage, status: str
) -> None:
    add_run(storage, "waits", days_ago=3650, status=status)
    add_run(storage, "newest", days_ago=1)

    await retention(storage, newest=1).work(at_most_s=60)

    assert runs(storage) == {"waits", "newest"}


async def test_a_run_goes_with_the_one_that_started_it_and_not_before(storage: SqlStorage) -> None:
    add_run(storage, "parent", days_ago=10)
    add_run(storage, "child", days_ago=100, parent="parent")
    add_run(storage, "grandchild", days_ago=100, parent="child")

    await retention(storage).work(at_most_s=60)
    early = runs(storage)
    await retention(storage, days=9).work(at_most_s=60)

    assert early == {"parent", "child", "grandchild"}
    assert runs(storage) == set()
    assert count(storage, "node_executions") == 0


async def test_a_run_stays_while_anything_below_it_has_not_ended(storage: SqlStorage) -> None:
    add_run(storage, "parent", days_ago=100)
    add_run(storage, "child", days_ago=100, parent="parent")
    add_run(storage, "waits", days_ago=100, parent="child", status="REVIEW")
    add_run(storage, "other", days_ago=99)

    await retention(storage).work(at_most_s=60)

    assert runs(storage) == {"parent", "child", "waits"}


async def test_a_run_whose_parent_is_gone_goes_by_itself(storage: SqlStorage) -> None:
    add_run(storage, "orphan", days_ago=100, parent="nobody")

    await retention(storage).work(at_most_s=60)

    assert runs(storage) == set()


async def test_of_one_graph_only_the_newest_stay(storage: SqlStorage) -> None:
    """What was started by a run is not counted, and goes with it."""
    for day in range(1, 121):
        add_run(storage, f"run{day:03}", days_ago=day, nodes=1)
    add_run(storage, "of the newest", days_ago=200, parent="run001")
    add_run(storage, "of the oldest", days_ago=0, parent="run120")

    await retention(storage, days=0, newest=3).work(at_most_s=60)

    assert runs(storage) == {"run001", "run002", "run003", "of the newest"}


async def test_zero_keeps_everything_for_ever(storage: SqlStorage) -> None:
    add_run(storage, "ancient", days_ago=36_500)

    await retention(storage, days=0).work(at_most_s=60)

    assert runs(storage) == {"ancient"}


async def test_a_large_run_goes_in_small_steps_and_the_rows_obey_the_rules_all_the_time(
    storage: SqlStorage,
) -> None:
    add_run(storage, "large", days_ago=91, nodes=100)
    rows = SqlRetention(storage.database)

    gone = await rows.delete_runs([ExecutionId("large")])
    steps, broken = [], []
    while done := await rows.clear(rows=30):
        steps.append(done)
        with examine(Path(storage.database.path)) as records:
            broken += [found for rule in Rule for found in records.broken(rule)]

    assert gone == 1
    assert steps == [30] * 6 + [21]
    assert broken == []


async def test_what_a_crash_has_left_of_a_run_goes_the_next_time(storage: SqlStorage) -> None:
    add_run(storage, "old", days_ago=91)
    await SqlRetention(storage.database).delete_runs([ExecutionId("old")])

    await retention(storage).work(at_most_s=60)

    assert (count(storage, "node_executions"), count(storage, "deleted_runs")) == (0, 0)


async def test_nothing_is_deleted_in_the_week_after_retention_came(storage: SqlStorage) -> None:
    add_run(storage, "old", days_ago=100)
    with rows_of(storage) as say:
        say("INSERT INTO installation VALUES (?, ?)", BEGAN_KEY, str(NOW - 6 * DAY))

    said = await retention(storage).work(at_most_s=60)
    early = runs(storage)
    with rows_of(storage) as say:
        say("UPDATE installation SET value = ?", str(NOW - 7 * DAY))
    await retention(storage).work(at_most_s=60)

    assert said.startswith("nothing is deleted for 1 days yet")
    assert early == {"old"}
    assert runs(storage) == set()


async def test_old_notices_and_fires_go_but_none_that_waits(storage: SqlStorage) -> None:
    with rows_of(storage) as say:
        for name, status, days in (("a", "SENT", 91), ("b", "QUEUED", 91), ("c", "FAILED", 89)):
            say(
                "INSERT INTO notices (id, user_id, type, data, created_us, status, attempts, next_us)"
                " VALUES (?, 'ann', 'AGENT_RUN', '{}', ?, ?, 0, 0)",
                name, NOW - days * DAY, status,
            )  # fmt: skip
        say("INSERT INTO schedule_fires VALUES ('s', ?, NULL)", NOW - 31 * DAY)
        say("INSERT INTO schedule_fires VALUES ('s', ?, NULL)", NOW - 29 * DAY)

    await retention(storage).work(at_most_s=60)

    with rows_of(storage) as say:
        assert say("SELECT id FROM notices ORDER BY id") == [("b",), ("c",)]
        assert say("SELECT fire_us FROM schedule_fires") == [(NOW - 29 * DAY,)]


async def test_old_letters_go_and_what_else_lies_there_stays(
    storage: SqlStorage, tmp_path: Path
) -> None:
    outbox = OutboxMailer(tmp_path / "outbox", sender="a@example.com")
    for days in (91, 89):
        await outbox.send(
            Letter(
                key=str(days), to="b@example.com", subject="s", text="t", html="h",
                sent_us=NOW - days * DAY,
            )
        )  # fmt: skip
    (tmp_path / "outbox" / "0-mine.txt").touch()

    work = retention(storage, delete_letters=outbox.delete_before)
    await work.work(at_most_s=60)

    left = sorted(path.name[:8] for path in (tmp_path / "outbox").iterdir())
    assert left == ["0-mine.t", "20260304"]
    assert work.figures.letters == 1


async def test_a_database_that_is_written_and_pruned_in_turns_does_not_grow(
    storage: SqlStorage, tmp_path: Path
) -> None:
    """What is written takes the place of what went; what is not needed goes back to the disk."""
    empty, sizes = _pages(storage), []
    for turn in range(4):
        for number in range(40):
            add_run(storage, f"{turn}-{number}", days_ago=91, nodes=10, text="x" * 4000)
        sizes.append(_pages(storage))
        await retention(storage).work(at_most_s=60)

    assert sizes[0] > 400
    assert max(sizes) <= sizes[0] * 1.1
    assert _pages(storage) < empty + 300  # what is spare stays


def _pages(storage: SqlStorage) -> int:
    with rows_of(storage) as say:
        return int(say("PRAGMA page_count")[0][0])


async def test_old_rows_of_the_audit_log_go_and_its_chain_holds(storage: SqlStorage) -> None:
    log = SqlAuditLog(storage.database)
    old, new = NOW - 11 * DAY, NOW - 9 * DAY
    for at_us in (*[old] * 200, new, new):
        await log.append(replace(ENTRY, at_us=at_us))
    kept = await log.head()

    await retention(storage, audit=log, audit_days=0).work(at_most_s=60)
    untouched = len(await log.listed(AuditQuery(limit=500)))
    await retention(storage, audit=log, audit_days=10).work(at_most_s=60)

    assert untouched == 202
    rows = await log.listed(AuditQuery(limit=500))
    assert [row.entry.verb for row in rows] == ["expire", "expire", "delete", "delete"]
    assert rows[0].entry.facts["through"] == 200
    assert await log.verify(kept) == []


async def test_answers_that_nobody_may_take_again_go_at_once(storage: SqlStorage) -> None:
    """Whether runs are kept for ever or not, and from the first day on."""
    with rows_of(storage) as say:
        say("INSERT INTO installation (key, value) VALUES (?, ?)", BEGAN_KEY, str(NOW - DAY))
        for key, until_us in (("over", NOW - 1), ("young", NOW)):
            say("INSERT INTO model_answers VALUES ('ann', ?, 'r', '1', 1, ?)", key, until_us)
    made = retention(storage, days=0)

    await made.work(at_most_s=60)

    with rows_of(storage) as say:
        assert say("SELECT key FROM model_answers") == [("young",)]
    assert made.figures.answers == 1


def add_usage(storage: SqlStorage, days_ago: int, graph_id: str, *, calls: int = 1) -> None:
    day = datetime.fromtimestamp(NOW / 1e6 - days_ago * 86_400, UTC).strftime("%Y-%m-%d")
    with rows_of(storage) as say:
        say(
            "INSERT INTO model_usage VALUES ('ann', ?, ?, 'm', ?, 1, 10, 2, 7, 3, 4)",
            day,
            graph_id,
            calls,
        )


async def test_old_sums_by_agent_become_sums_of_days_and_nothing_is_lost(
    storage: SqlStorage,
) -> None:
    usage = SqlUsage(storage.database)
    for days_ago in (0, 90, 91, 366):
        for number in range(200):
            add_usage(storage, days_ago, f"g{number}")
    before = await usage.total(UserId("ann"), first="0", last="9")

    await retention(storage).work(at_most_s=60)
    twice = await usage.total(UserId("ann"), first="0", last="9")
    await retention(storage).work(at_most_s=60)

    count, total = await usage.total(UserId("ann"), first="0", last="9")
    assert before[0] == 800
    assert (count, total) == twice == (402, before[1])
    found = await usage.of(UserId("ann"), first="0", last="9", limit=1_000)
    folded = [(one.day, one.use.calls) for one in found if one.graph_id == ALL_GRAPHS]
    assert folded == [("2026-03-02", 200), ("2025-05-31", 200)]


@pytest.mark.parametrize(("days", "left"), [(90, 1), (366, 1), (400, 2), (0, 3)])
async def test_sums_of_days_stay_as_long_as_they_are_shown(
    storage: SqlStorage, days: int, left: int
) -> None:
    for days_ago in (366, 367, 401):
        add_usage(storage, days_ago, "g")

    await retention(storage, days=days).work(at_most_s=60)

    count, _ = await SqlUsage(storage.database).total(UserId("ann"), first="0", last="9")
    assert count == left
