"""Processes that are frozen with rows locked: others end what they have begun, and nothing else."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, update

from backend.adapters.storage import stalled
from backend.adapters.storage.postgres import APPLICATION, DOCTOR, PostgresDatabase
from backend.adapters.storage.stalled import end_stalled, keep_ending_stalled
from backend.adapters.storage.tables import users
from backend.telemetry import Metrics
from tests.databases import emptied
from tests.frozen import frozen_session
from tests.services import require_service
from tests.unit.adapters.storage.test_postgres import add, total

pytestmark = pytest.mark.service("postgres")

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
    """Take whoever is silent for one that is frozen."""
    monkeypatch.setattr(stalled, "STALLED_S", 0.0)


def change(connection: Connection) -> None:
    connection.execute(update(users).values(email="changed"))


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("name", [APPLICATION, DOCTOR])
async def test_rows_that_a_frozen_process_has_locked_become_free(
    database: PostgresDatabase, url: str, name: str
) -> None:
    with frozen_session(url, name, statement=LOCKS):
        waits = asyncio.create_task(database.write(change))
        await asyncio.sleep(0.2)
        assert not waits.done()
        assert await end_stalled(database) == 1
        await waits
    assert await database.read(total) == "changed"


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("psql", "active"),  # not ours
        (APPLICATION, "idle"),
        (APPLICATION, "idle in transaction"),  # PostgreSQL ends it
    ],
)
async def test_nobody_else_is_ended(
    database: PostgresDatabase, url: str, name: str, state: str
) -> None:
    with frozen_session(url, name, state=state, statement=LOCKS):
        assert await end_stalled(database) == 0


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


@pytest.mark.usefixtures("soon")
async def test_it_is_done_again_and_again_and_counted(database: PostgresDatabase, url: str) -> None:
    metrics = Metrics("test")
    with frozen_session(url, APPLICATION, statement=LOCKS):
        keeps = asyncio.create_task(keep_ending_stalled(database, metrics.counter))
        await database.write(change)
        await asyncio.sleep(0)
        keeps.cancel()
        await asyncio.wait([keeps])
    assert b"stalled_sessions_ended_total 1.0" in metrics.text()
