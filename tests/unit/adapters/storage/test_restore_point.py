"""An upgrade leaves the old database, all of it, if it fails; and a copy of it if it does not."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from sqlalchemy import Connection, create_engine

from backend.adapters.storage import migrate as migrations
from backend.adapters.storage import migrate_postgres as postgres_migrations
from backend.adapters.storage.migrate import HEAD, NEEDS, migrate, to_step
from backend.adapters.storage.migrate_postgres import migrate_postgres
from backend.adapters.storage.postgres import engine_for
from backend.adapters.storage.restore_point import point_for
from backend.core.errors import CannotStart
from tests.unit.adapters.storage.test_migrate import shape
from tests.unit.adapters.storage.test_migrate_postgres import asked, empty

__all__ = ["empty"]

pytestmark = pytest.mark.slow

OLD = "0024"
_COLUMNS = (
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file of an older program, with a row."""
    path = tmp_path / "agpt.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        to_step(connection, OLD)
        connection.commit()
    engine.dispose()
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("INSERT INTO installation VALUES ('mine', 'kept')")
    return path


def step_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as raw:
        return str(raw.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def half_a_step(connection: Connection, _: str) -> None:
    """Change a table, and fail."""
    connection.exec_driver_sql("ALTER TABLE users ADD COLUMN half TEXT")
    connection.exec_driver_sql("DELETE FROM installation")
    connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0027'")
    connection.exec_driver_sql("CREATE TABLE users (id TEXT)")


def test_a_file_is_copied_before_it_is_upgraded(old: Path) -> None:
    before = shape(old)

    assert migrate(old, keeps_copy=True) == f"upgraded from {OLD}"

    point = point_for(old, OLD)
    assert (step_of(old), step_of(point)) == (HEAD, OLD)
    assert shape(point) == before
    assert point.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(point)) as raw:
        assert raw.execute("SELECT value FROM installation WHERE key = 'mine'").fetchone() == (
            "kept",
        )
    assert migrate(old, keeps_copy=True) == "current"


def test_two_copies_are_kept(old: Path) -> None:
    for number in ("0001", "0002"):
        point_for(old, number).write_bytes(b"older")

    migrate(old, keeps_copy=True)

    found = sorted(one.name for one in old.parent.glob("*.before-*"))
    assert found == ["agpt.db.before-0002", f"agpt.db.before-{OLD}"]


def test_without_room_for_a_copy_nothing_is_done(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))

    with pytest.raises(CannotStart, match=r"no room to keep a copy: 6. MB are needed, 1 MB are"):
        migrate(old, keeps_copy=True)

    assert step_of(old) == OLD
    assert migrate(old) == f"upgraded from {OLD}"


def test_a_file_is_as_it_was_if_a_step_fails(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shape(old)
    monkeypatch.setattr(migrations, "to_step", half_a_step)

    with pytest.raises(CannotStart, match=f"cannot be brought to step {HEAD}, and is as it was"):
        migrate(old)

    assert (shape(old), step_of(old)) == (before, OLD)
    with closing(sqlite3.connect(old)) as raw:
        assert raw.execute("SELECT count(*) FROM installation WHERE key = 'mine'").fetchone() == (
            1,
        )
    monkeypatch.undo()
    assert migrate(old) == f"upgraded from {OLD}"


def test_a_database_of_postgres_is_as_it_was_if_a_step_fails(
    empty: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = _old_postgres(empty())
    before = asked(url, _COLUMNS)
    monkeypatch.setattr(postgres_migrations, "to_step", half_a_step)

    with pytest.raises(CannotStart, match=r"and is as it was: relation .* already exists"):
        migrate_postgres(url)

    assert asked(url, _COLUMNS) == before
    assert asked(url, "SELECT version_num FROM alembic_version") == {(OLD,)}
    monkeypatch.undo()
    assert migrate_postgres(url) == f"upgraded from {OLD}"


@pytest.mark.parametrize(("needs", "lets_in"), [("0000", True), (HEAD, True), ("9998", False)])
def test_an_older_program_works_on_tables_to_which_only_something_was_added(
    empty: Callable[[], str], tmp_path: Path, needs: str, *, lets_in: bool
) -> None:
    path, url = tmp_path / "new.db", empty()
    migrate(path)
    migrate_postgres(url)
    newer = (
        f"INSERT INTO installation VALUES ('{NEEDS}', '{needs}')",
        "UPDATE alembic_version SET version_num = '9999'",
    )
    with closing(sqlite3.connect(path)) as raw, raw, psycopg.connect(url) as server:
        for statement in newer:
            raw.execute(statement)
            server.execute(statement.encode())

    works: list[Callable[[], str]] = [lambda: migrate(path), lambda: migrate_postgres(url)]
    for work in works:
        if lets_in:
            assert work() == "current"
        else:
            with pytest.raises(CannotStart, match="made by a newer agpt-server"):
                work()


def test_an_upgrade_says_what_a_program_must_know(old: Path) -> None:
    migrate(old, goal="0026")

    with closing(sqlite3.connect(old)) as raw:
        found = raw.execute(f"SELECT value FROM installation WHERE key = '{NEEDS}'").fetchone()
    assert (step_of(old), found) == ("0026", ("0000",))


def _old_postgres(url: str) -> str:
    engine = engine_for(url).execution_options(isolation_level="READ COMMITTED")
    with engine.begin() as connection:
        to_step(connection, OLD)
    engine.dispose()
    return url
