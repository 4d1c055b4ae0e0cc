"""`agpt audit`, and what the command line itself writes into the log."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.adapters.storage.audit_log import SqlAuditLog
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.sqlite import SqliteDatabase
from backend.cli import main
from backend.cli.recorded import account
from backend.ports.doctor import Rule
from backend.services.doctor import SENTENCES
from backend.testing.audit import ENTRY
from tests.unit.cli.sick_database import SickDatabase
from tests.unit.cli.test_doctor import broken, examined


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory whose log has three rows."""
    migrate(tmp_path / "agpt.db")
    write(tmp_path, 3)
    return tmp_path


def write(data: Path, rows: int) -> None:
    async def done() -> None:
        database = SqliteDatabase(data / "agpt.db")
        for _ in range(rows):
            await SqlAuditLog(database).append(ENTRY)
        await database.close()

    asyncio.run(done())


def spoil(data: Path, *statements: str) -> None:
    with closing(sqlite3.connect(data / "agpt.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def agpt(data: Path, *words: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(main, [*words, "--data-dir", str(data)])
    return ended.exit_code, ended.stdout, ended.stderr


def test_the_rows_are_printed_newest_first(data: Path) -> None:
    code, text, _ = agpt(data, "audit", "list", "--limit", "2")

    first, second = text.splitlines()
    assert code == 0
    assert first == (
        "3  1970-01-01 00:00:00  ann for bob by api_key from 192.0.2.7: "
        "delete graph graph-1 version=3 name=größer forced=True before=None"
    )
    assert second.startswith("2  ")
    _, listed, _ = agpt(data, "audit", "list", "--json", "--before", "2")
    [row] = json.loads(listed)
    assert (row["seq"], row["who"], row["by"], row["facts"]["version"]) == (1, "ann", "api_key", 3)
    assert agpt(data, "audit", "list", "--who", "nobody")[1].startswith("Nothing like that")


def test_a_log_that_holds_prints_its_head(data: Path) -> None:
    code, text, errors = agpt(data, "audit", "verify", "--json")

    found = json.loads(text)
    assert (code, errors, found["ok"], found["problems"]) == (0, "", True, [])
    assert (
        agpt(data, "audit", "verify")[1] == f"The audit log holds; its head is {found['head']}.\n"
    )
    assert agpt(data, "audit", "verify", "--head", found["head"])[0] == 0


def test_a_kept_head_shows_that_the_end_was_cut_off(data: Path) -> None:
    head = json.loads(agpt(data, "audit", "verify", "--json")[1])["head"]
    (data / "head.txt").write_text(head + "\n")
    spoil(
        data,
        "DELETE FROM audit WHERE seq = 3",
        "UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit WHERE seq = 2)",
    )

    assert agpt(data, "audit", "verify")[0] == 0
    code, _, errors = agpt(data, "audit", "verify", "--head", str(data / "head.txt"))
    assert (code, errors) == (
        1,
        "agpt: row 3: row 3 is not there as it was when its hash was kept\n",
    )


def test_a_row_that_was_changed_is_named(data: Path) -> None:
    spoil(data, "UPDATE audit SET who = 'bob' WHERE seq = 2")

    code, _, errors = agpt(data, "audit", "verify")
    assert (code, errors) == (1, "agpt: row 2: it was changed\n")
    code, text, _ = agpt(data, "audit", "verify", "--json")
    assert json.loads(text)["problems"] == [{"seq": 2, "problem": "it was changed"}]


@pytest.mark.parametrize("head", ["7", "no/such/file", "1:xyz", "-1:" + "0" * 64])
def test_what_is_no_head_is_refused(data: Path, head: str) -> None:
    code, _, errors = agpt(data, "audit", "verify", "--head", head)

    assert code == 1
    assert errors.startswith("agpt: ")


def test_an_empty_log_holds(tmp_path: Path) -> None:
    migrate(tmp_path / "agpt.db")

    assert agpt(tmp_path, "audit", "verify") == (0, "It is empty.\n", "")


def test_an_operators_pause_is_in_it_and_one_that_changed_nothing_is_not(data: Path) -> None:
    for words in (("pause", "server"), ("pause", "server"), ("resume", "server")):
        agpt(data, *words)

    rows = json.loads(agpt(data, "audit", "list", "--json")[1])[:-3]
    assert [(row["verb"], row["kind"], row["who"], row["by"]) for row in rows] == [
        ("resume", "server", account(), "cli"),
        ("pause", "server", account(), "cli"),
    ]
    assert agpt(data, "audit", "verify")[0] == 0


def test_keys_that_the_command_line_makes_and_takes_back_are_in_it(data: Path) -> None:
    spoil(data, "INSERT INTO users (id, email, created_us, updated_us) VALUES ('ann', 'a@b', 0, 0)")
    _, made, _ = agpt(data, "key", "add", "mine", "-p", "READ_GRAPH", "--user", "ann", "--json")
    key_id = json.loads(made)["api_key"]["id"]
    agpt(data, "key", "revoke", key_id, "--user", "ann")

    revoked, created, *_ = json.loads(agpt(data, "audit", "list", "--json")[1])

    assert (created["verb"], created["object_id"], created["acting_for"]) == (
        "create",
        key_id,
        "ann",
    )
    assert (revoked["verb"], revoked["object_id"]) == ("revoke", key_id)
    assert json.loads(made)["plain_text_key"] not in json.dumps([revoked, created])


def test_the_doctor_finds_a_broken_chain(tmp_path: Path) -> None:
    database = SickDatabase(tmp_path / "agpt.db")
    write(tmp_path, 3)
    assert broken(examined(database)) == {}

    database.do("DELETE FROM audit WHERE seq = 2")

    assert broken(examined(database)) == {SENTENCES[Rule.AUDIT]: ["audit 3"]}


def test_what_the_doctor_mends_is_in_it(tmp_path: Path) -> None:
    database = SickDatabase(tmp_path / "agpt.db")
    database.do("UPDATE executions SET stats = 'x' WHERE id = 'done'")

    agpt(tmp_path, "doctor", "--fix", "--dry-run")
    assert json.loads(agpt(tmp_path, "audit", "list", "--json")[1]) == []
    agpt(tmp_path, "doctor", "--fix")

    [row] = json.loads(agpt(tmp_path, "audit", "list", "--json")[1])
    assert (row["verb"], row["kind"], row["object_id"]) == ("mend", "database", "stats")
