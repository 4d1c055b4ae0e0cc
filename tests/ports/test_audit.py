"""The audit log over SQLite, and everything that may be done to its rows behind its back."""

import asyncio
import multiprocessing
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from backend.adapters.storage.audit_log import SqlAuditLog
from backend.adapters.storage.database import Database
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.sqlite import SqliteDatabase
from backend.core.audit import COLUMNS, Actor, By, Head
from backend.ports.audit import AuditLog, AuditQuery, Recording, current, under
from backend.testing.audit import ENTRY, AuditLogSpec
from tests.databases import Rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agpt.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    migrate(path)
    made = SqliteDatabase(path, synchronous="OFF")
    yield made
    await made.close()


@pytest.fixture
def log(database: Database) -> AuditLog:
    return SqlAuditLog(database)


class TestSqlAuditLog(AuditLogSpec):
    @pytest.fixture
    def database(self, rows: Rows) -> Database:
        return rows.database()


def spoil(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


async def five(log: AuditLog) -> Head:
    for number in range(5):
        await log.append(replace(ENTRY, at_us=number))
    head = await log.head()
    assert head is not None
    return head


@pytest.mark.parametrize("column", [*COLUMNS, "previous", "hash", "seq"])
async def test_an_edit_of_any_column_is_found(log: AuditLog, path: Path, column: str) -> None:
    await five(log)
    new = "99" if column in ("seq", "at_us") else f"substr({column}, 2) || 'x'"

    spoil(path, f"UPDATE audit SET {column} = {new} WHERE seq = 3")

    assert await log.verify() != []


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("DELETE FROM audit WHERE seq = 3", [4]),
        ("DELETE FROM audit WHERE seq <= 2", [3]),
        ("DELETE FROM audit WHERE seq = 5", [4]),
        ("DELETE FROM audit", [0]),
        ("DELETE FROM audit_head", [5]),
        ("UPDATE audit SET seq = 6 WHERE seq = 5", [6, 6, 6]),
    ],
)
async def test_what_is_deleted_or_moved_is_found(
    log: AuditLog, path: Path, statement: str, where: list[int]
) -> None:
    await five(log)

    spoil(path, statement)

    assert [found.seq for found in await log.verify()] == where


async def test_rows_of_another_log_are_found_though_each_is_right_by_itself(
    log: AuditLog, path: Path
) -> None:
    await five(log)
    other = path.with_name("other.db")
    migrate(other)
    theirs = SqliteDatabase(other)
    await SqlAuditLog(theirs).append(replace(ENTRY, verb="create"))
    await five(SqlAuditLog(theirs))
    await theirs.close()

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS other", (str(other),))
        connection.execute("DELETE FROM audit WHERE seq > 3")
        connection.execute("INSERT INTO audit SELECT * FROM other.audit WHERE seq IN (4, 5)")

    assert [found.seq for found in await log.verify()] == [4, 5]


async def test_a_log_that_was_cut_off_with_its_note_is_found_by_a_kept_head(
    log: AuditLog, path: Path
) -> None:
    kept = await five(log)

    spoil(
        path,
        "DELETE FROM audit WHERE seq > 3",
        "UPDATE audit_head SET seq = 3, hash = (SELECT hash FROM audit WHERE seq = 3)",
    )

    assert await log.verify() == []
    [found] = await log.verify(kept)
    assert (found.seq, "not there" in found.detail) == (5, True)


async def test_a_row_after_a_cut_does_not_hide_it(log: AuditLog, path: Path) -> None:
    await five(log)
    spoil(path, "DELETE FROM audit WHERE seq > 3")

    await log.append(ENTRY)

    assert [found.detail for found in await log.verify()] == ["rows 4 to 5 are missing"]


def write_rows(path: Path, name: str) -> None:
    async def write() -> None:
        database = SqliteDatabase(path, synchronous="OFF")
        log = SqlAuditLog(database)
        await asyncio.gather(*(log.append(replace(ENTRY, object_id=name)) for _ in range(40)))
        await database.close()

    asyncio.run(write())


@pytest.mark.slow
async def test_writers_of_several_processes_write_one_chain(log: AuditLog, path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_rows, args=(path, name)) for name in ("a", "b", "c")]
    for writer in writers:
        writer.start()
    for writer in writers:
        await asyncio.to_thread(writer.join, 60)

    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert await log.verify() == []
    rows = await log.listed(AuditQuery(limit=500))
    assert [row.seq for row in rows] == list(range(120, 0, -1))


def recording() -> Recording:
    actor = Actor(who="ann", by=By.CLI)
    return Recording(at_us=7, actor=actor, verb="delete", kind="thing")


async def test_a_change_and_its_row_are_one_transaction(database: Database, log: AuditLog) -> None:
    with under(recording()), pytest.raises(ZeroDivisionError):
        await database.write(
            lambda c: c.exec_driver_sql("INSERT INTO installation VALUES ('a', 'b')").rowcount // 0
        )

    assert await log.listed(AuditQuery()) == []
    with under(recording()) as made:
        await database.write(
            lambda c: c.exec_driver_sql("INSERT INTO installation VALUES ('a', 'b')").rowcount
        )
        await database.write(lambda _: "a second work of the same request")

    assert made.is_saved
    assert [row.entry.verb for row in await log.listed(AuditQuery())] == ["delete"]


async def test_what_found_nothing_to_change_has_no_row(database: Database, log: AuditLog) -> None:
    with under(recording()) as made:
        assert await database.write(lambda _: False) is False
        assert await database.write(lambda _: 0) == 0

    assert not made.is_saved
    assert await log.listed(AuditQuery()) == []


async def test_what_is_incidental_carries_no_row(database: Database, log: AuditLog) -> None:
    with under(recording()):
        await database.write(lambda _: "an account that was made on the way", incidental=True)

    assert current() is None
    assert await log.listed(AuditQuery()) == []
