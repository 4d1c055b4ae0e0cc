"""Databases are made, found as they are, upgraded, or refused."""

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from backend.adapters.storage import migrate as migrations
from backend.adapters.storage.migrate import HEAD, migrate
from backend.core.errors import CannotStart


def shape(path: Path) -> set[tuple[str, str, str]]:
    """Return tables, columns and indexes of a database, whatever wrote them."""
    found: set[tuple[str, str, str]] = set()
    with sqlite3.connect(path) as connection:
        objects = connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        ).fetchall()
        for kind, name, table, sql in objects:
            found.add((kind, name, table))
            found.add(("clustered", name, str("WITHOUT ROWID" in sql)))
            if kind == "table":
                for column in connection.execute(f"PRAGMA table_xinfo({name})"):
                    found.add(("column", name, repr(column[1:])))
            else:
                columns = connection.execute(f"PRAGMA index_xinfo({name})").fetchall()
                found.add(("index columns", name, repr([row[1:4] for row in columns])))
    connection.close()
    return found


def by_steps(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    place = Path(migrations.__file__).parent / "migrations"
    config.set_main_option("script_location", str(place))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)
        connection.commit()
    engine.dispose()


def test_a_new_database_is_the_one_that_the_steps_lead_to(tmp_path: Path) -> None:
    made, stepped = tmp_path / "made.db", tmp_path / "stepped.db"

    said = migrate(made)
    by_steps(stepped)

    assert said == "created"
    assert shape(made) == shape(stepped)


def test_a_second_time_is_harmless(tmp_path: Path) -> None:
    migrate(tmp_path / "a.db")

    assert migrate(tmp_path / "a.db") == "current"


def test_a_database_of_a_newer_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    migrate(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = shape(path)

    with pytest.raises(CannotStart, match="9999, made by a newer agpt-server"):
        migrate(path)

    assert shape(path) == before


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"this is a shopping list, not a database" * 100)

    with pytest.raises(CannotStart, match="cannot be used"):
        migrate(path)


def test_only_its_owner_reads_a_new_database(tmp_path: Path) -> None:
    migrate(tmp_path / "a.db")

    assert (tmp_path / "a.db").stat().st_mode & 0o777 == 0o600


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.db").mkdir()

    with pytest.raises(CannotStart, match="cannot be opened"):
        migrate(tmp_path / "a.db")
