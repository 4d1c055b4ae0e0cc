"""`agpt user`: an operator says who may come in."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.adapters.storage.account_storage import SqlAccounts
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.sqlite import SqliteDatabase
from backend.cli import main
from backend.core.accounts import AccountRecord, Role
from backend.core.ids import DEFAULT_USER_ID
from backend.wiring_accounts import revision_path


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data directory whose database has the owner's account."""
    migrate(tmp_path / "agpt.db")
    database = SqliteDatabase(tmp_path / "agpt.db", synchronous="OFF")
    owner = AccountRecord(id=DEFAULT_USER_ID, email="default@example.com", role=Role.OWNER)
    await SqlAccounts(database).add(owner)
    await database.close()
    return tmp_path


def agpt(data: Path, *words: str, given: str = "") -> tuple[int, str, str]:
    ended = CliRunner().invoke(main, ["user", *words, "--data-dir", str(data)], input=given)
    return ended.exit_code, ended.stdout, ended.stderr


def listed(data: Path) -> dict[str, dict[str, object]]:
    code, text, errors = agpt(data, "list", "--json")
    assert (code, errors) == (0, "")
    return {one["email"]: one for one in json.loads(text)}


def test_an_account_is_made_with_a_password_that_is_shown_once(data: Path) -> None:
    code, text, _ = agpt(data, "add", "Ann@Example.com", "--name", "Ann", "--role", "admin")

    assert code == 0
    said, shown = text.splitlines()
    assert said == "ann@example.com may sign in now, as admin."
    password = shown.removeprefix("Password: ")
    assert len(password) == 29
    assert password not in agpt(data, "list")[1]
    ann = listed(data)["ann@example.com"]
    assert (ann["role"], ann["name"], ann["has_password"]) == ("admin", "Ann", True)


def test_a_password_is_read_from_standard_input_or_asked_for(data: Path) -> None:
    read = agpt(data, "add", "ann@example.com", "--stdin", "--json", given="of twelve or more\n")
    asked = agpt(data, "reset", "owner", "--ask", given="of twelve or more\n" * 2)

    assert read[0] == asked[0] == 0
    assert json.loads(read[1]).keys() == {"id", "email"}
    assert asked[1].endswith("default@example.com signs in with the new password.\n")
    assert "of twelve" not in read[1] + asked[1]


def test_an_account_is_disabled_and_enabled_and_the_server_hears_of_it(data: Path) -> None:
    agpt(data, "add", "ann@example.com")
    before = revision_path(data).read_bytes()

    assert agpt(data, "disable", "ann@example.com") == (
        0,
        "ann@example.com is refused from now on.\n",
        "",
    )

    assert revision_path(data).read_bytes() != before
    assert listed(data)["ann@example.com"]["is_disabled"]
    assert "disabled" in agpt(data, "list")[1]
    assert agpt(data, "enable", "ann@example.com")[0] == 0
    assert not listed(data)["ann@example.com"]["is_disabled"]


def test_a_role_is_changed(data: Path) -> None:
    agpt(data, "add", "ann@example.com")

    code, text, _ = agpt(data, "role", "ann@example.com", "admin")

    assert (code, text) == (0, "ann@example.com is admin from now on.\n")
    assert listed(data)["ann@example.com"]["role"] == "admin"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("add ann", "this is no e-mail address"),
        ("add default@example.com", "this e-mail address is somebody's already"),
        ("add a@example.com --stdin", "a password has 12 to 1,000 characters"),
        ("add a@example.com --stdin --ask", "--ask and --stdin exclude each other."),
        ("disable nobody@example.com", "there is no account 'nobody@example.com'"),
        ("disable owner", "the owner of a server is not disabled"),
        ("role owner member", "a server has one owner, and keeps it"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_changed(data: Path, words: str, says: str) -> None:
    before = listed(data)

    assert agpt(data, *words.split(), given="short\n") == (1, "", f"agpt: {says}\n")

    assert listed(data) == before


def test_what_an_operator_does_is_in_the_audit_log(data: Path) -> None:
    agpt(data, "add", "ann@example.com")
    agpt(data, "disable", "ann@example.com")
    agpt(data, "disable", "owner")
    agpt(data, "list")

    with closing(sqlite3.connect(data / "agpt.db")) as connection:
        rows = connection.execute(
            "SELECT verb, object_id, outcome FROM audit WHERE by = 'cli' ORDER BY seq"
        ).fetchall()

    ann = listed(data)["ann@example.com"]["id"]
    assert rows == [
        ("add", ann, "done"),
        ("disable", ann, "done"),
        ("disable", DEFAULT_USER_ID, "refused"),
    ]


def test_without_a_database_there_is_nobody(tmp_path: Path) -> None:
    code, _, errors = agpt(tmp_path, "list")

    assert code == 1
    assert "no server has been started on it yet" in errors
