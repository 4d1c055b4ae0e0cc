"""`agpt credits`: the ledger, beside a running server or without one."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.adapters.storage import open_storage
from backend.adapters.storage.migrate import migrate
from backend.cli import main
from backend.core.ids import UserId


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with an account, where credits are on."""
    migrate(tmp_path / "agpt.db")

    async def account() -> None:
        storage = open_storage(tmp_path / "agpt.db")
        await storage.of(UserId("ann")).save_user(email="a@example.com", name=None, now_us=1)
        await storage.close()

    asyncio.run(account())
    monkeypatch.setenv("ENABLE_CREDIT", "true")
    monkeypatch.setenv("NUM_USER_CREDITS_REFILL", "100")
    return tmp_path


def agpt(data: Path, *words: str) -> tuple[int, str, str]:
    where = ["--data-dir", str(data)]
    ended = CliRunner().invoke(main, ["credits", words[0], *where, *words[1:]])
    return ended.exit_code, ended.stdout, ended.stderr


def test_what_was_granted_is_shown_and_audited(data: Path) -> None:
    assert agpt(data, "show", "ann")[1].startswith("100 credits")
    assert agpt(data, "grant", "ann", "25", "--reason", "a present") == (0, "125 credits\n", "")

    shown = agpt(data, "show", "ann")[1]
    as_json = json.loads(agpt(data, "show", "ann", "--json")[1])

    assert "GRANT   +25  a present" in shown
    assert (as_json["credits"], len(as_json["transactions"])) == (125, 2)
    with closing(sqlite3.connect(data / "agpt.db")) as connection:
        rows = connection.execute("SELECT verb, object_id FROM audit").fetchall()
    assert ("grant_credits", "ann") in rows


def test_credits_are_taken_back_as_far_as_there_are_some(data: Path) -> None:
    agpt(data, "show", "ann")

    assert agpt(data, "grant", "ann", "--", "-40")[1] == "60 credits\n"
    status, _, said = agpt(data, "grant", "ann", "--", "-61")
    assert (status, said) == (1, "agpt: Insufficient balance: there are 60 credits.\n")


def test_nobody_gets_nothing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert agpt(data, "grant", "nobody", "5")[2] == "agpt: User #nobody not found\n"
    monkeypatch.setenv("ENABLE_CREDIT", "false")
    assert "ENABLE_CREDIT" in agpt(data, "grant", "ann", "5")[2]
    assert agpt(data, "show", "ann")[1] == "100 credits\n"
