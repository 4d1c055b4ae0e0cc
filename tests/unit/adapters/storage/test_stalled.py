"""Processes that are frozen with rows locked: others end what they have begun, and nothing else."""

import asyncio
import threading
from collections.abc import AsyncIterator

import psycopg
import pytest
from sqlalchemy import Connection, update

from backend.adapters.storage import postgres, stalled
from backend.adapters.storage.postgres import (
    APPLICATION,
    DOCTOR,
    PostgresDatabase,
    application_of,
)
from backend.adapters.storage.stalled import end_stalled, keep_ending_stalled
from backend.adapters.storage.tables import users
from backend.telemetry import Metrics
from tests.databases import emptied
from tests.frozen import frozen_session
from tests.services import require_service
from tests.unit.adapters.storage.test_postgres import add, total

pytestmark = pytest.mark.service("postgres")

GONE = "8d9a8b3a-5a8e-4a51-9d05-3a4e1c6f7a10"
LIVES = "f1f0a2f4-7f0e-4a4e-8a8f-0c9f1c0a3b77"
#: What a process did before it was frozen.
LOCKS = "UPDATE users SET email = 'frozen' WHERE id = 'ann'"


@pytest.fixture
async def url() -> str:
    return await asyncio.to_thread(lambda: emptied(require_service("postgres")))


@pytest.fixture
async def database(url: str) -> AsyncIterator[PostgresDatabase]:
    made = PostgresDatabase(url)
    await made.write(add)
    yield made
    await made.close()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take whoever is silent for one that is frozen, and every transaction for an old one."""
    monkeypatch.setattr(stalled, "STALLED_S", 0.0)
    monkeypatch.setattr(postgres, "_OLD_S", 0.0)


def waits_for_rows(url: str) -> None:
    with psycopg.connect(url, options="-c lock_timeout=2000") as connection:
        connection.execute(LOCKS)
        connection.rollback()


def change(connection: Connection) -> None:
    connection.execute(update(users).values(email="changed"))


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("name", [APPLICATION, application_of(LIVES), DOCTOR])
@pytest.mark.parametrize("state", ["active", "idle in transaction"])
async def test_rows_that_a_frozen_process_has_locked_become_free(
    database: PostgresDatabase, url: str, name: str, state: str
) -> None:
    with frozen_session(url, name, state=state, statement=LOCKS):
        waits = asyncio.create_task(database.write(change))
        await asyncio.sleep(0.2)
        assert not waits.done()
        assert await end_stalled(database) == 1
        await waits
    assert await database.read(total) == "changed"


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("name", "state", "statement"),
    [
        ("psql", "active", LOCKS),  # not ours
        ("psql", "idle in transaction", LOCKS),
        (APPLICATION, "idle", ""),
        (APPLICATION, "idle in transaction", "SELECT id FROM users"),  # a backup
    ],
)
async def test_nobody_else_is_ended(
    database: PostgresDatabase, url: str, name: str, state: str, statement: str
) -> None:
    with frozen_session(url, name, state=state, statement=statement):
        assert await end_stalled(database) == 0


async def test_postgresql_itself_does_not_end_who_is_frozen_after_a_pipeline(
    database: PostgresDatabase, url: str
) -> None:
    """
    If this fails one day, its limit is enough for who is frozen between two pipelines.

    Often, not always, the driver sends a Flush behind the end of one: here it always comes.
    """
    limit = "SET idle_in_transaction_session_timeout = 500"
    for flushes in (True, False):
        with frozen_session(url, APPLICATION, state="idle") as one:
            one.execute(limit)
            one.execute("BEGIN")
            one.execute("UPDATE users SET email = 'a'")
            if not flushes:
                await asyncio.to_thread(waits_for_rows, url)
                continue
            one.pgconn.send_flush_request()
            one.pgconn.flush()
            with pytest.raises(psycopg.errors.LockNotAvailable):
                await asyncio.to_thread(waits_for_rows, url)


async def test_who_has_been_silent_for_a_moment_is_left_alone(
    database: PostgresDatabase, url: str
) -> None:
    with frozen_session(url, APPLICATION, statement=LOCKS):
        assert await end_stalled(database) == 0


@pytest.mark.usefixtures("soon")
async def test_a_copy_may_wait_for_what_is_copied(database: PostgresDatabase, url: str) -> None:
    """A move that reads a slow disk."""
    copies = "COPY users (id) FROM STDIN"
    with frozen_session(url, APPLICATION, state="idle") as mover, mover.cursor().copy(copies):
        assert await end_stalled(database) == 0


async def test_it_is_done_again_and_again_and_counted(
    database: PostgresDatabase, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stalled, "_LOOK_S", 0.01)
    # Long enough for our own transaction, which is silent between two statements.
    monkeypatch.setattr(stalled, "STALLED_S", 0.5)
    metrics = Metrics("test")
    keeps = asyncio.create_task(keep_ending_stalled(database, metrics.counter))
    for number in (1, 2):
        with frozen_session(url, APPLICATION, statement=LOCKS):
            await database.write(change)
        await until_counted(metrics, number)
    keeps.cancel()
    await asyncio.wait([keeps])

    assert b"stalled_sessions_ended_total 2.0" in metrics.text()  # these two, and nobody else


async def until_counted(metrics: Metrics, ended: int) -> None:
    async with asyncio.timeout(20):
        while f"stalled_sessions_ended_total {ended}.0".encode() not in metrics.text():  # noqa: ASYNC110 - it wakes nobody
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("state", ["active", "idle in transaction"])
async def test_what_a_gone_executor_has_locked_becomes_free_whatever_its_session_does(
    database: PostgresDatabase, url: str, state: str
) -> None:
    with frozen_session(url, application_of(GONE), state=state, statement=LOCKS):
        waits = asyncio.create_task(database.write(change))
        await asyncio.sleep(0.2)
        assert not waits.done()
        assert await database.free_rows({GONE, LIVES}) == 1
        await waits
    assert await database.read(total) == "changed"


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("name", [APPLICATION, application_of(LIVES), "psql"])
async def test_only_what_gone_executors_do_is_ended(
    database: PostgresDatabase, url: str, name: str
) -> None:
    with frozen_session(url, name, state="idle in transaction", statement=LOCKS):
        assert await database.free_rows({GONE, ""}) == 0


@pytest.mark.usefixtures("soon")
async def test_who_was_taken_for_gone_goes_on(database: PostgresDatabase, url: str) -> None:
    """Its connection between two transactions is left alone; in one it is made anew."""
    mistaken = PostgresDatabase(url, owner=GONE)
    try:
        await mistaken.write(change)
        assert await database.free_rows({GONE}) == 0
        begun, may_end = threading.Event(), threading.Event()
        tries = []

        def slowly(connection: Connection) -> None:
            change(connection)
            tries.append(connection)
            begun.set()
            may_end.wait()
            change(connection)  # it is told here

        writes = asyncio.create_task(mistaken.write(slowly))
        await asyncio.to_thread(begun.wait)
        assert await database.free_rows({GONE}) == 1
        may_end.set()
        await writes
        assert len(tries) == 2
    finally:
        await mistaken.close()


async def test_a_transaction_that_has_just_begun_is_left_alone(
    database: PostgresDatabase, url: str
) -> None:
    with frozen_session(url, application_of(GONE), statement=LOCKS):
        assert await database.free_rows({GONE}) == 0
