"""PostgreSQL: transactions that meet, connections that end, texts that it cannot hold."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, select, update

from backend.adapters.database_place import shown
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.postgres import MISSED_S, PostgresDatabase, engine_for
from backend.adapters.storage.postgres_lock import Kind, PostgresLock
from backend.adapters.storage.tables import users
from backend.core.errors import CannotStart, Unavailable
from tests.databases import emptied
from tests.services import require_service

_ENDED = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
async def url() -> str:
    return await asyncio.to_thread(lambda: emptied(require_service("postgres")))


@pytest.fixture
async def database(url: str) -> AsyncIterator[PostgresDatabase]:
    made = PostgresDatabase(url)
    yield made
    await made.close()


@pytest.fixture
async def other(url: str) -> AsyncIterator[PostgresDatabase]:
    made = PostgresDatabase(url)
    yield made
    await made.close()


def add(connection: Connection, name: str = "ann", email: str = "0") -> None:
    connection.execute(
        insert_on(connection, users).values(
            id=name, email=email, name="", created_us=1, updated_us=1
        )
    )


def count(connection: Connection) -> None:
    """Read, then write what was read plus one: lost by whoever is not kept apart."""
    found = connection.execute(select(users.c.email)).scalar_one()
    connection.execute(update(users).values(email=str(int(found) + 1)))


def total(connection: Connection) -> Any:
    return connection.execute(select(users.c.email)).scalar_one()


def kill_sessions(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_ENDED)


async def test_what_was_read_is_still_so_when_it_is_written(
    database: PostgresDatabase, other: PostgresDatabase
) -> None:
    await database.write(add)

    await asyncio.gather(*(each.write(count) for _ in range(50) for each in (database, other)))

    assert await database.read(total) == "100"
    assert database.busy_waits + other.busy_waits > 0


async def test_a_session_that_was_ended_is_made_anew_for_the_next_work(
    database: PostgresDatabase, url: str
) -> None:
    await database.write(add)
    await database.read(total)
    await asyncio.to_thread(kill_sessions, url)

    await database.write(count)

    assert await database.read(total) == "1"


async def test_work_whose_session_ends_under_it_is_done_anew_and_once(
    database: PostgresDatabase, url: str
) -> None:
    await database.write(add)
    tries = []

    def interrupted(connection: Connection) -> None:
        count(connection)
        tries.append(1)
        if len(tries) == 1:
            kill_sessions(url)
        total(connection)

    await database.write(interrupted)

    assert (len(tries), await database.read(total)) == (2, "1")


@pytest.mark.parametrize("works", [1, 3])
async def test_works_of_a_group_whose_session_has_ended_are_all_done_anew(
    database: PostgresDatabase, url: str, works: int
) -> None:
    await database.write(add)
    await asyncio.to_thread(kill_sessions, url)

    await asyncio.gather(*(database.write_grouped(count) for _ in range(works)))

    assert await database.read(total) == str(works)


async def test_a_server_that_is_not_there_is_said_to_be_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("backend.adapters.storage.postgres.BUSY_LIMIT_S", 0.2)
    database = PostgresDatabase("postgresql://me:hunter2@127.0.0.1:1/none")

    with pytest.raises(Unavailable, match="cannot be opened") as caught:
        await database.read(total)
    await database.close()

    assert "hunter2" not in str(caught.value)


async def test_a_text_with_a_nul_is_kept_with_a_sign_in_its_place(
    database: PostgresDatabase,
) -> None:
    await database.write(lambda c: add(c, "a\0b"))

    assert await database.read(lambda c: c.execute(select(users.c.id)).scalar_one()) == "a\ufffdb"


async def test_texts_have_the_order_of_their_characters(database: PostgresDatabase) -> None:
    for name in ("b", "B", "a", "é", "_"):
        await database.write(partial(add, name=name, email=name))

    found = await database.read(
        lambda c: c.execute(select(users.c.id).order_by(users.c.id)).scalars().all()
    )

    assert found == sorted(found)


async def test_one_executor_at_a_time_holds_a_database(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.adapters.storage.postgres_lock._TAKEN_WAIT_S", 0.1)
    first = await PostgresLock.take(url)
    with pytest.raises(CannotStart, match="in use by another executor"):
        await PostgresLock.take(url)
    first.release()

    (await PostgresLock.take(url)).release()


async def test_who_lost_the_lock_takes_it_again_or_ends(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.adapters.storage.postgres_lock._LOOK_S", 0.01)
    monkeypatch.setattr("backend.adapters.storage.postgres_lock._TAKEN_WAIT_S", 0.1)
    lock = await PostgresLock.take(url)
    lost = lock._connection
    keeping = asyncio.create_task(lock.keep())

    await asyncio.to_thread(kill_sessions, url)
    async with asyncio.timeout(20):
        while lock._connection is lost:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    is_free = await asyncio.to_thread(_is_free, url)
    keeping.cancel()
    lock.release()

    assert not is_free


async def test_who_lost_the_lock_to_another_ends(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.adapters.storage.postgres_lock._LOOK_S", 0.01)
    monkeypatch.setattr("backend.adapters.storage.postgres_lock._TAKEN_WAIT_S", 0.1)
    lock = PostgresLock(url, Kind.EXECUTOR, await asyncio.to_thread(_ended_session, url))
    theirs = await PostgresLock.take(url)

    with pytest.raises(CannotStart, match="in use"):
        await lock.keep()
    theirs.release()


async def test_works_that_share_a_commit_are_begun_anew_on_another_connection(
    database: PostgresDatabase,
) -> None:
    """Alone, and after one of them had to be done by itself because another one fails."""
    ends = iter([True, False, False])

    def add_and_end(connection: Connection, name: str) -> str:
        add(connection, name, name)
        if next(ends):
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        return name

    def fail(_: Connection) -> None:
        raise KeyError("of its own")

    alone = await database.write_grouped(partial(add_and_end, name="ann"))
    ends = iter([True, True, False])
    together = await asyncio.gather(
        database.write_grouped(lambda c: add(c, "bob", "bob")),
        database.write_grouped(fail),
        database.write_grouped(partial(add_and_end, name="cyd")),
        return_exceptions=True,
    )

    names = await database.read(lambda c: c.execute(select(users.c.id).order_by("id")).all())
    assert alone == "ann"
    assert [type(one).__name__ for one in together] == ["NoneType", "KeyError", "str"]
    assert [row.id for row in names] == ["ann", "bob", "cyd"]


#: Ends the session while it commits: nobody can know whether the commit was made.
_ENDS_AT_COMMIT = """
CREATE FUNCTION end_session() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER ends_session AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.id = 'bob') EXECUTE FUNCTION end_session();
"""


@pytest.fixture
def ends_at_commit(url: str) -> Iterator[None]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_ENDS_AT_COMMIT)
        yield
        # Other tests use these tables, too.
        connection.execute("DROP FUNCTION end_session CASCADE")


@pytest.mark.usefixtures("ends_at_commit")
async def test_a_commit_that_is_not_answered_is_told_to_all_who_share_it(
    database: PostgresDatabase,
) -> None:
    together = await asyncio.gather(
        *(database.write_grouped(partial(add, name=one, email=one)) for one in ("ann", "bob")),
        return_exceptions=True,
    )
    await database.write_grouped(partial(add, name="cyd", email="cyd"))

    assert [type(one) for one in together] == [Unavailable, Unavailable]


async def test_a_session_that_ends_before_it_is_rolled_back_is_replaced(
    database: PostgresDatabase, url: str
) -> None:
    ends = iter([True, True, False, False])

    def fail(connection: Connection) -> None:
        add(connection, "ann", "ann")
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        if next(ends):
            with psycopg.connect(url, autocommit=True) as killer:
                killer.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        raise KeyError("of its own")

    with pytest.raises(KeyError, match="of its own"):
        await database.write(fail)
    together = await asyncio.gather(
        database.write_grouped(fail),
        database.write_grouped(partial(add, name="bob", email="bob")),
        return_exceptions=True,
    )

    names = await database.read(lambda c: c.execute(select(users.c.id)).scalars().all())
    assert [type(one).__name__ for one in together] == ["KeyError", "NoneType"]
    assert names == ["bob"]


async def test_each_of_those_that_share_a_commit_hears_that_there_is_no_database(url: str) -> None:
    database = PostgresDatabase(url.rsplit("/", 1)[0] + "/agpt_no_such_database")
    database._is_down = True  # whoever comes is told at once

    async with asyncio.timeout(30):
        told = await asyncio.gather(
            database.write_grouped(add), database.write_grouped(add), return_exceptions=True
        )

    await database.close()
    assert [type(one) for one in told] == [Unavailable, Unavailable]


def _is_free(url: str) -> bool:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        ).fetchone()
    return found == (0,)


def _ended_session(url: str) -> Connection:
    connection = engine_for(url).connect()
    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    with psycopg.connect(url, autocommit=True) as killer:
        killer.execute("SELECT pg_terminate_backend(%s)", (pid,))
    return connection


@pytest.mark.parametrize("url", ["mysql://x/y", "postgresql", ""])
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(CannotStart, match="postgresql://"):
        engine_for(url)


def test_an_address_is_shown_without_its_password() -> None:
    assert (
        shown("postgresql://me:hunter2@db:5433/agpt?sslmode=require") == "postgresql://db:5433/agpt"
    )


def test_a_side_that_vanishes_is_missed_by_the_other_in_time(url: str) -> None:
    """How long that takes with a real cable: tests/e2e/test_half_open.py."""
    with engine_for(url).connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        names = ("idle", "interval", "count")
        server = [
            int(connection.exec_driver_sql(f"SHOW tcp_keepalives_{name}").scalar_one())
            for name in names
        ]
        unanswered = connection.exec_driver_sql("SHOW tcp_user_timeout").scalar_one()
        with socket.socket(fileno=os.dup(raw.fileno())) as ours:
            client = [
                ours.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            ]
            waits_ms = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    assert server == client == [10, 5, 3]
    assert int(unanswered) == waits_ms == MISSED_S * 1000
