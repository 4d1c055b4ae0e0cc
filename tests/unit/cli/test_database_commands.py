"""`agpt db`: where the database is, whether it is whole, and the way forward."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine

from backend.adapters.moving.archive_reader import verify
from backend.adapters.storage.migrate import HEAD, migrate, to_step
from backend.cli import main
from backend.util.locks import share_data_dir


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a new database."""
    migrate(tmp_path / "agpt.db")
    return tmp_path


def db(data: Path, *arguments: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(main, ["db", *arguments, "--data-dir", str(data)])
    return ended.exit_code, ended.stdout, ended.stderr


def do(data: Path, statement: str) -> None:
    with closing(sqlite3.connect(data / "agpt.db")) as connection, connection:
        connection.execute(statement)


def test_a_new_folder_has_no_step_until_it_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "agpt.db"

    assert db(tmp_path, "current") == (
        0,
        f"{path} is not there yet; this program needs {HEAD}.\n",
        "",
    )
    assert db(tmp_path, "upgrade") == (0, f"{path} is at step {HEAD} now (created).\n", "")
    assert db(tmp_path, "upgrade") == (0, f"{path} is at step {HEAD} already.\n", "")
    assert db(tmp_path, "check") == (0, f"{path} is whole and at step {HEAD}.\n", "")


def test_programs_get_the_step_as_json(data: Path) -> None:
    code, text, _ = db(data, "current", "--json")

    assert (code, json.loads(text)) == (
        0,
        {"path": str(data / "agpt.db"), "step": HEAD, "newest": HEAD, "waiting": []},
    )


@pytest.mark.slow
def test_an_older_database_says_which_steps_wait_and_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "agpt.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        to_step(connection, "0026")
        connection.commit()
    engine.dispose()
    lock = share_data_dir(tmp_path)

    waiting = db(tmp_path, "current")[1].splitlines()
    refused = db(tmp_path, "upgrade")
    code, text, _ = db(tmp_path, "upgrade", "--pre")
    lock.release()

    assert waiting[0] == f"{path} is at step 0026; this program needs {HEAD}."
    assert (
        waiting[1] == "  0027  pre   What was sent to webhooks, and how those of providers stand."
    )
    assert (refused[0], "in use" in refused[2]) == (1, True)
    assert (code, text) == (
        0,
        f"{path} is at step {HEAD} now (upgraded from 0026; as it was: agpt.db.before-0026).\n",
    )
    assert db(tmp_path, "check")[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("wanted", ["backup", "none"])
def test_what_is_kept_of_an_older_database_is_a_setting(
    tmp_path: Path, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPGRADE_RESTORE_POINT", wanted)
    engine = create_engine(f"sqlite:///{tmp_path / 'agpt.db'}")
    with engine.connect() as connection:
        to_step(connection, "0026")
        connection.commit()
    engine.dispose()

    assert db(tmp_path, "upgrade")[0] == 0

    kept = [one.name for one in tmp_path.rglob("*before-*")]
    if wanted == "none":
        assert kept == []
    else:
        [archive] = (tmp_path / "backups").iterdir()
        assert [archive.name] == kept
        assert verify(archive, lambda _: None).step == "0026"


def test_nothing_is_upgraded_under_a_server(tmp_path: Path) -> None:
    lock = share_data_dir(tmp_path)

    code, text, errors = db(tmp_path, "upgrade")
    lock.release()

    assert (code, text) == (1, "")
    assert f"The data directory {tmp_path} is in use by" in errors
    assert not (tmp_path / "agpt.db").exists()


WRONG: list[tuple[str, str]] = [
    ("UPDATE alembic_version SET version_num = '9999'", "made by a newer agpt-server"),
    ("UPDATE alembic_version SET version_num = '0000'", "is at step 0000; this program needs"),
    ("DELETE FROM alembic_version", "has no tables; this program needs"),
    ("DROP TABLE notices", "The table notices is missing."),
    ("ALTER TABLE notices RENAME error TO mistake", "The column error of the table notices is"),
]


@pytest.mark.parametrize(("statement", "sentence"), WRONG, ids=[one for one, _ in WRONG])
def test_what_is_not_as_it_must_be_is_told(data: Path, statement: str, sentence: str) -> None:
    do(data, statement)

    code, text, errors = db(data, "check")

    assert (code, text) == (1, "")
    assert sentence in errors
    found = json.loads(db(data, "check", "--json")[1])
    assert found["ok"] is False
    assert sentence in found["problems"][0]


def test_a_torn_file_is_told(data: Path) -> None:
    for number in range(200):
        do(data, f"INSERT INTO installation VALUES ('key {number}', '{'x' * 500}')")
    with closing(sqlite3.connect(data / "agpt.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    with (data / "agpt.db").open("r+b") as file:
        file.seek((pages - 3) * 4096)
        file.write(b"\0" * 4096)

    code, _, errors = db(data, "check")

    assert code == 1
    assert "SQLite finds" in errors or "malformed" in errors


@pytest.mark.parametrize("command", ["current", "check", "upgrade"])
def test_what_is_no_database_has_its_sentence(tmp_path: Path, command: str) -> None:
    (tmp_path / "agpt.db").write_text("hello" * 1000, encoding="utf-8")

    code, text, errors = db(tmp_path, command)

    assert (code, text) == (1, "")
    assert "file is not a database" in errors


def test_a_check_of_nothing_says_that_there_is_nothing(tmp_path: Path) -> None:
    code, _, errors = db(tmp_path, "check")

    assert code == 1
    assert "no server has been started on it yet" in errors


def test_a_database_is_compacted_and_can_give_room_back_from_then_on(data: Path) -> None:
    with closing(sqlite3.connect(data / "agpt.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum=NONE")
        connection.execute("VACUUM")
        connection.execute("INSERT INTO key_values VALUES ('u', 'k', ?, 1)", ("x" * 5_000_000,))
        connection.execute("DELETE FROM key_values")

    code, text, errors = db(data, "compact")

    assert (code, errors) == (0, "")
    assert " MB now; it had " in text
    assert (data / "agpt.db").stat().st_size < 1_000_000
    with closing(sqlite3.connect(data / "agpt.db")) as connection:
        incremental = 2
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (incremental,)


def test_nothing_is_compacted_under_a_server(data: Path) -> None:
    lock = share_data_dir(data)

    code, text, errors = db(data, "compact")
    lock.release()

    assert (code, text) == (1, "")
    assert "in use" in errors


def test_the_last_time_of_each_job_is_told(data: Path) -> None:
    nothing = db(data, "jobs")
    do(
        data,
        "INSERT INTO system_jobs (name, started_us, ended_us, result) VALUES ('retention', 1000000, 3500000, '7 runs deleted')",
    )

    assert nothing == (0, "No job has run yet.\n", "")
    assert db(data, "jobs") == (
        0,
        "retention: 1970-01-01 00:00:03+00:00, 2.5 s: 7 runs deleted\n",
        "",
    )
    _, text, _ = db(data, "jobs", "--json")
    assert json.loads(text)[0]["result"] == "7 runs deleted"
