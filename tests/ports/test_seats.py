"""Each adapter of seats against the spec of its port."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import psycopg
import pytest
from cryptography.fernet import Fernet

from backend.adapters.storage.cluster import (
    TABLES,
    PostgresSeats,
    forget,
    installation_at,
    join,
)
from backend.adapters.storage.migrate import HEAD, NEEDS
from backend.core.errors import CannotStart, Unavailable
from backend.ports.seats import Seats
from backend.testing.seats import ANN, PER_GRAPH, PER_USER, SeatsSpec, seats_for
from tests.databases import emptied
from tests.seats import MemorySeats, SharedSeats
from tests.services import require_service


class TestMemorySeats(SeatsSpec):
    @pytest.fixture
    def at(self) -> Callable[[str], Seats]:
        shared = SharedSeats(per_graph=PER_GRAPH, per_user=PER_USER)
        return lambda name: MemorySeats(shared, name)


@pytest.fixture
def url() -> str:
    """The address of a database whose cluster is gone."""
    found = emptied(require_service("postgres"))
    with psycopg.connect(found, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(f"DROP TABLE IF EXISTS {table}".encode())
    return found


class TestPostgresSeats(SeatsSpec):
    @pytest.fixture
    async def at(self, url: str) -> AsyncIterator[Callable[[str], Seats]]:
        join(url, secret="secret", keys=[OLD])
        made: list[PostgresSeats] = []

        def seats(name: str) -> Seats:
            made.append(PostgresSeats(url, name, per_graph=PER_GRAPH, per_user=PER_USER))
            return made[-1]

        yield seats
        for one in made:
            await one.close()

    async def test_a_session_that_was_ended_is_made_anew(
        self, at: Callable[[str], Seats], url: str
    ) -> None:
        one, wanted = at("one"), seats_for(ANN, "g", 1, 2)
        await one.exchange(wanted[:1], left=(), gone=())

        await asyncio.to_thread(_end_sessions, url)

        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(Unavailable):
                    found = await one.exchange(wanted, left=(), gone=())
                    break
        assert len(found.taken) == 2


def _end_sessions(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


def test_an_installation_keeps_its_id(url: str) -> None:
    first = join(url, secret="secret", keys=[OLD])

    assert join(url, secret="secret", keys=[OLD]) == first == installation_at(url)
    assert len(first) == 12
    with psycopg.connect(url) as connection:
        [[mark, sealed]] = connection.execute("SELECT secrets, sealed FROM cluster").fetchall()
    assert "secret" not in mark + sealed


def test_who_has_other_keys_is_refused(url: str) -> None:
    join(url, secret="secret", keys=[OLD])

    with pytest.raises(CannotStart, match=r"other keys than this machine \(JWT_VERIFY_KEY"):
        join(url, secret="another", keys=[OLD])
    with pytest.raises(CannotStart, match=r"other keys than this machine \(ENCRYPTION_KEY"):
        join(url, secret="secret", keys=[NEW])
    forget(url)
    assert installation_at(url) is None
    assert join(url, secret="another", keys=[NEW]) == installation_at(url)


def test_keys_can_be_changed_member_by_member(url: str) -> None:
    join(url, secret="secret", keys=[OLD])

    join(url, secret="secret", keys=[NEW, OLD])
    join(url, secret="secret", keys=[NEW])
    with pytest.raises(CannotStart, match="other keys"):
        join(url, secret="secret", keys=[OLD])


def test_a_member_waits_for_the_tables(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.adapters.storage.cluster._WAIT_S", 0.1)
    monkeypatch.setattr("backend.adapters.storage.cluster.HEAD", "9999")
    monkeypatch.setattr("backend.adapters.storage.cluster.needed", lambda: "9999")

    with pytest.raises(CannotStart, match="needs step 9999"):
        join(url, secret="secret", keys=[OLD])


@pytest.fixture
def at_step(url: str) -> Iterator[Callable[[str], None]]:
    """Says at which step the database is; it is where it was afterwards."""

    def say(step: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("UPDATE alembic_version SET version_num = %s", (step,))

    yield say
    say(HEAD)


@pytest.mark.parametrize(
    ("step", "says"), [("unfinished", "broken off"), ("9999", "newer agpt-server")]
)
def test_a_member_refuses_tables_that_it_does_not_know(
    url: str, at_step: Callable[[str], None], step: str, says: str
) -> None:
    """Whoever brings tables up to date may be on another machine, so each looks itself."""
    at_step(step)

    with pytest.raises(CannotStart, match=says):
        join(url, secret="secret", keys=[OLD])


def test_a_member_joins_newer_tables_to_which_only_something_was_added(
    url: str, at_step: Callable[[str], None]
) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO installation VALUES (%s, %s)", (NEEDS, HEAD))
    at_step("9999")

    assert join(url, secret="secret", keys=[OLD]) == installation_at(url)
