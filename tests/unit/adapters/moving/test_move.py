"""An installation goes to another database while others write; nothing is lost, and all is checked."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from backend import wiring_upgrade
from backend.adapters.database_place import Place
from backend.adapters.moving.changes import NOTES, begin_notes, end_notes
from backend.adapters.moving.follow import following
from backend.adapters.moving.move import Copied, Move, check_source, copy_running
from backend.adapters.moving.rows import Sum, sum_of
from backend.adapters.moving.sources import (
    PostgresSource,
    Source,
    SqliteSource,
    postgres_connection,
    raw_of,
)
from backend.adapters.moving.switch import STAGE, remove_stage, set_aside
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.migrate_postgres import migrate_postgres
from backend.adapters.storage.schema import metadata
from backend.core.errors import CannotStart, Conflict, Unavailable
from backend.core.ids import DEFAULT_USER_ID
from backend.settings import load_settings
from backend.util.locks import take_service
from backend.wiring_upgrade import MOVE, forget_broken_move
from tests.databases import emptied
from tests.filled import fill
from tests.services import require_service

ROWS = 6
#: What others do meanwhile: rows come, change, get another key, and go.
MEANWHILE = (
    "INSERT INTO installation VALUES ('new', 'one')",
    "UPDATE graphs SET name = 'changed' WHERE version = 1",
    "UPDATE node_executions SET status = 'AGAIN'",
    "DELETE FROM executions WHERE depth <> 0",
    "UPDATE key_values SET key = 'other' WHERE updated_us = 1",
    "DELETE FROM budgets",
    "INSERT INTO installation VALUES ('gone', 'at once')",
    "DELETE FROM installation WHERE key = 'gone'",
    "UPDATE system_job_runs SET result = 'x' WHERE started_us < 0",
    "INSERT INTO users (id, email, created_us, updated_us) VALUES ('u', 'x', 1, 1) ON CONFLICT (id) DO UPDATE SET email = excluded.email",
    f"UPDATE users SET id = '{DEFAULT_USER_ID}', created_us = 7 WHERE id = 'plain1'",
)


def silent(_: str) -> None:
    """Say nothing."""


@pytest.fixture
def url() -> str:
    return emptied(require_service("postgres"))


@pytest.fixture
def move(tmp_path: Path, url: str) -> Move:
    """From a file with rows in every table to a database without any."""
    path = tmp_path / "agpt.db"
    fill(path, ROWS)
    return Move(source=Place(path), target=Place(path, url), data_dir=tmp_path, again=False)


def back(move: Move) -> Move:
    """Return the way back."""
    return replace(move, source=move.target, target=move.source)


def change(place: Place) -> None:
    """Do to a file what others do."""
    with closing(sqlite3.connect(place.path)) as connection, connection:
        for statement in MEANWHILE:
            connection.execute(statement)


def sums(place: Place) -> dict[str, Sum]:
    def summed(source: Source) -> dict[str, Sum]:
        return {shape.name: sum_of(shape, source.rows(shape)) for shape in source.shapes()}

    if place.url:
        with postgres_connection(place.url, writes=False) as outer:
            return summed(PostgresSource(raw_of(outer)))
    with closing(sqlite3.connect(place.path)) as connection:
        return summed(SqliteSource(connection))


def finish(move: Move, copied: Copied) -> None:
    """Do what is done when nobody writes any more, and forget the notes."""
    with following(move, copied) as follower:
        follower.finish()
    end_notes(move.source)
    remove_stage(move.data_dir)


def traces(place: Place) -> int:
    """Return how many tables and triggers of a move are there."""
    query = "SELECT (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal) + (SELECT count(*) FROM pg_tables WHERE tablename LIKE 'agpt_move%')"
    if place.url:
        with psycopg.connect(place.url) as server:
            found = server.execute(query.encode()).fetchone()
    else:
        with closing(sqlite3.connect(place.path)) as connection:
            query = "SELECT count(*) FROM sqlite_master WHERE name LIKE 'agpt_move%'"
            found = connection.execute(query).fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.slow
def test_what_changes_meanwhile_comes_along_there_and_back(move: Move, tmp_path: Path) -> None:
    done = copy_running(move, silent)
    assert traces(move.source) > len(metadata.tables)
    change(move.source)
    expected = sums(move.source)
    with pytest.raises(CannotStart, match="was being filled, and that was broken off"):
        migrate_postgres(move.target.url)
    finish(move, done)
    check_source(move.source, done, silent)

    assert sums(move.target) == expected
    assert migrate_postgres(move.target.url) == "current"
    assert (traces(move.source), traces(move.target)) == (0, 0)
    aside = set_aside(move.source.path, "agpt.db.moved")
    assert sums(Place(aside)) == expected

    with psycopg.connect(move.target.url) as connection:
        connection.execute("DELETE FROM installation")
        connection.execute("DELETE FROM key_values")
    again = back(move)
    done = copy_running(again, silent)
    with psycopg.connect(move.target.url) as connection:
        connection.execute("UPDATE graphs SET name = 'once more'")
        connection.execute("DELETE FROM node_executions")
    expected = sums(move.target)
    finish(again, done)
    check_source(again.source, done, silent)

    assert sums(again.target) == expected
    assert migrate(again.target.path) == "current"
    assert (traces(again.source), traces(again.target)) == (0, 0)
    assert again.target.path.stat().st_mode & 0o777 == 0o600


def test_a_copy_that_was_broken_off_lets_no_server_in_and_is_made_again(move: Move) -> None:
    change(move.source)
    copy_running(move, silent)
    with pytest.raises(CannotStart, match="was being filled, and that was broken off"):
        migrate_postgres(move.target.url)

    finish(move, copy_running(move, silent))

    assert sums(move.target) == sums(move.source)


def test_a_whole_copy_on_which_a_server_may_have_worked_is_replaced_only_if_asked(
    move: Move,
) -> None:
    change(move.source)
    finish(move, copy_running(move, silent))
    with pytest.raises(Conflict, match="`--again` copies all anew"):
        copy_running(move, silent)

    finish(move, copy_running(replace(move, again=True), silent))

    assert sums(move.target) == sums(move.source)


def test_rows_of_another_installation_stay(move: Move, tmp_path: Path, url: str) -> None:
    other = tmp_path / "other"
    other.mkdir()
    migrate(other / "agpt.db")
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO installation VALUES ('a', 'b')")
    before = sums(move.target)

    with pytest.raises(Conflict, match="is not empty: its table installation has rows"):
        copy_running(replace(move, again=True), silent)

    assert sums(move.target) == before
    assert traces(move.source) == 0


def test_nothing_is_copied_over_a_server_that_works(move: Move, url: str) -> None:
    with (
        postgres_connection(url, writes=False),
        pytest.raises(Conflict, match="A server or a command works on"),
    ):
        copy_running(move, silent)

    assert traces(move.source) == 0


@pytest.mark.parametrize("fails", ["fill", "index"])
def test_a_copy_that_fails_leaves_no_trace(
    move: Move, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sums(move.source), sums(move.target)

    def refuse(*_: object) -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(f"backend.adapters.moving.targets.PostgresTarget.{fails}", refuse)
    with pytest.raises(Unavailable, match="the disk is full"):
        copy_running(move, silent)

    assert (sums(move.source), sums(move.target)) == before
    assert traces(move.source) == 0
    assert not (move.data_dir / "moving").exists()


def test_a_change_that_nobody_noted_is_found(move: Move) -> None:
    done = copy_running(move, silent)
    with closing(sqlite3.connect(move.source.path)) as connection, connection:
        connection.execute("DROP TRIGGER agpt_move_budgets_d")
        connection.execute("DELETE FROM budgets")

    with pytest.raises(Unavailable, match="the table budgets has 0 rows, its copy 6"):
        finish(move, done)

    with pytest.raises(CannotStart, match="was being filled"):
        migrate_postgres(move.target.url)


def test_a_change_of_the_same_count_is_found_afterwards(move: Move) -> None:
    done = copy_running(move, silent)
    with closing(sqlite3.connect(move.source.path)) as connection, connection:
        connection.execute("DROP TRIGGER agpt_move_graphs_u")
        connection.execute("UPDATE graphs SET name = 'unnoted'")
    finish(move, done)

    with pytest.raises(Unavailable, match="the rows of the table graphs are not what they were"):
        check_source(move.source, done, silent)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_noting_changes_no_count_of_rows(move: Move, kind: str) -> None:
    """The journal counts the rows that it has touched, to know whether they are still its own."""
    place = move.source if kind == "sqlite" else move.target
    update = "UPDATE installation SET value = '2' WHERE key = 'k'"
    begin_notes(place)
    begin_notes(place)

    if kind == "sqlite":
        with closing(sqlite3.connect(place.path)) as connection, connection:
            connection.execute("INSERT INTO installation VALUES ('k', '1')")
            counts = [connection.execute(update).rowcount, connection.execute(update).rowcount]
            noted = connection.execute(f"SELECT DISTINCT tbl, key FROM {NOTES}").fetchall()
    else:
        with psycopg.connect(place.url) as server:
            server.execute("INSERT INTO installation VALUES ('k', '1')")
            counts = [server.execute(update.encode()).rowcount for _ in range(2)]
            noted = server.execute(
                f"SELECT DISTINCT tbl, key::text FROM {NOTES}".encode()
            ).fetchall()
    end_notes(place)

    assert counts == [1, 1]
    assert noted == [("installation", '["k"]')]
    assert traces(place) == 0


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_server_that_starts_forgets_a_move_that_was_killed(move: Move, kind: str) -> None:
    place = move.source if kind == "sqlite" else move.target
    data_dir = str(move.data_dir)
    settings, _ = load_settings({"agpt_data_dir": data_dir, "database_url": place.url})
    assert not forget_broken_move(settings)
    begin_notes(place)
    (move.data_dir / STAGE).mkdir()

    lock = take_service(move.data_dir, MOVE)
    while_it_works = forget_broken_move(settings)
    lock.release()
    noted = traces(place)
    afterwards = forget_broken_move(settings)

    assert (while_it_works, afterwards) == (False, True)
    assert (noted > 0, traces(place)) == (True, 0)
    assert not (move.data_dir / STAGE).exists()
    assert (wiring_upgrade.NOTES, wiring_upgrade.STAGE) == (NOTES, STAGE)


def test_a_table_without_a_key_could_not_be_noted() -> None:
    assert all(table.primary_key.columns for table in metadata.sorted_tables)
    assert not [
        table.name
        for table in metadata.sorted_tables
        for column in table.columns
        if column.identity or (column.default is not None and column.default.is_sequence)
    ], "numbers that the database draws must be set after a copy"
