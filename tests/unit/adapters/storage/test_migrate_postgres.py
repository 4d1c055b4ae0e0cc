"""Databases of PostgreSQL are made, found as they are, upgraded, or refused."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from backend.adapters.storage import migrate as migrations
from backend.adapters.storage.migrate import HEAD
from backend.adapters.storage.migrate_postgres import migrate_postgres
from backend.adapters.storage.postgres import engine_for
from backend.core.errors import CannotStart
from tests.services import require_service

_COLUMNS = (
    "SELECT table_name, column_name, data_type, is_nullable, coalesce(column_default, ''),"
    " coalesce(collation_name, '') FROM information_schema.columns WHERE table_schema = 'public'"
)
_INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"


@pytest.fixture
def empty() -> Iterator[Callable[[], str]]:
    """Make databases without tables; they are gone at the end."""
    server, made = require_service("postgres"), []

    def make() -> str:
        name = f"agpt_test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
        made.append(name)
        return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))

    yield make
    with psycopg.connect(server, autocommit=True) as connection:
        for name in made:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def asked(url: str, query: str) -> set[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return set(connection.execute(query.encode()).fetchall())


def by_steps(url: str, step: str) -> None:
    config = Config()
    place = Path(migrations.__file__).parent / "migrations"
    config.set_main_option("script_location", str(place))
    engine = engine_for(url).execution_options(isolation_level="READ COMMITTED")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, step)
    engine.dispose()


@pytest.mark.slow
def test_a_new_database_is_the_one_that_the_steps_lead_to(empty: Callable[[], str]) -> None:
    made, stepped = empty(), empty()
    by_steps(stepped, "0024")

    assert migrate_postgres(made) == "created"
    assert migrate_postgres(stepped) == "upgraded from 0024"

    assert asked(made, _COLUMNS) == asked(stepped, _COLUMNS)
    assert asked(made, _INDEXES) == asked(stepped, _INDEXES)
    assert migrate_postgres(stepped) == "current"


@pytest.mark.slow
def test_who_comes_at_the_same_time_waits_and_finds_it_made(empty: Callable[[], str]) -> None:
    url = empty()
    with ThreadPoolExecutor(4) as threads:
        said = sorted(threads.map(migrate_postgres, [url] * 4))

    assert said == ["created", "current", "current", "current"]


@pytest.mark.slow
def test_a_database_of_a_newer_program_is_refused_and_left_as_it_is(
    empty: Callable[[], str],
) -> None:
    url = empty()
    migrate_postgres(url)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = asked(url, _COLUMNS)

    with pytest.raises(CannotStart, match="9999, made by a newer agpt-server"):
        migrate_postgres(url)

    assert asked(url, _COLUMNS) == before
    assert HEAD < "9999"


def test_a_database_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(CannotStart) as caught:
        migrate_postgres("postgresql://me:hunter2@127.0.0.1:1/none")

    assert "postgresql://127.0.0.1:1/none" in str(caught.value)
    assert "hunter2" not in str(caught.value)
