"""`agpt migrate --switch` is killed at each of its steps: one database serves, and again it works."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.database_place import Place
from backend.adapters.moving.follow import following
from backend.adapters.moving.move import Move, copy_running
from backend.adapters.moving.switch import remove_stage
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.migrate_postgres import migrate_postgres
from backend.core.errors import CannotStart
from backend.core.ids import DEFAULT_USER_ID
from backend.settings import load_settings
from backend.wiring import database_place
from backend.wiring_upgrade import forget_broken_move
from tests.databases import emptied
from tests.e2e.running import ROOT
from tests.filled import fill
from tests.services import require_service
from tests.unit.adapters.moving.test_move import silent, sums

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

#: What is about to be done when the kill comes: a module, and what of it.
STEPS = {
    "copying": ("backend.adapters.moving.targets", "PostgresTarget.index"),
    "copied": ("backend.adapters.moving.follow", "Follower.settle"),
    "closing the old one": ("backend.adapters.moving.follow", "close_to_servers"),
    "the last rows": ("backend.adapters.moving.follow", "require_nobody"),
    "setting": ("backend.cli.switch", "Switch._set"),
    "leaving the old one": ("backend.cli.switch", "Switch._set_aside"),
    "tidying": ("backend.cli.switch", "Switch._tidy"),
}
KILLED = """
import importlib, os, signal, sys
module, _, name = sys.argv.pop(1).partition(":")
holder = importlib.import_module(module)
*way, last = name.split(".")
for part in way:
    holder = getattr(holder, part)
setattr(holder, last, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
from backend.cli import main
main()
"""


def agpt_migrate(data: Path, *words: str, dies_at: str = "") -> subprocess.CompletedProcess[str]:
    command = ["-c", KILLED, dies_at] if dies_at else ["-m", "backend.cli"]
    environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "RABBITMQ_URL")}
    return subprocess.run(
        [sys.executable, *command, "migrate", *words, "--switch"],
        cwd=ROOT,
        env=environment | {"AGPT_DATA_DIR": str(data), "HOME": str(data.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def url() -> str:
    return emptied(require_service("postgres"))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with rows in every table, among them those of the owner."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("DATABASE_URL", "RABBITMQ_URL"):
        monkeypatch.delenv(name, raising=False)
    data = tmp_path / "data"
    data.mkdir()
    fill(data / "agpt.db", 2)
    with closing(sqlite3.connect(data / "agpt.db")) as connection, connection:
        connection.execute(
            "UPDATE users SET id = ? WHERE rowid = (SELECT min(rowid) FROM users)",
            (DEFAULT_USER_ID,),
        )
    return data


def serving(data: Path) -> Place:
    """Do what a start does first; return the database on which it works."""
    settings, _ = load_settings({"agpt_data_dir": str(data)})
    forget_broken_move(settings)
    place = database_place(settings)
    made = migrate_postgres(place.url) if place.url else migrate(place.path)
    assert made == "current"
    return place


def lets_in(place: Place) -> bool:
    """Say whether a server that is given this address would work on rows that are there."""
    if not place.url:
        return place.path.exists()
    try:
        return migrate_postgres(place.url) == "current"
    except CannotStart:
        return False


def steps(*, every_time: str, without: str = "") -> list[Any]:
    """Return all steps; those but *every_time* are tried in long runs only."""
    return [
        one if one == every_time else pytest.param(one, marks=pytest.mark.chaos)
        for one in STEPS
        if one != without
    ]


@pytest.mark.parametrize("step", steps(every_time="leaving the old one"))
def test_on_the_way_there(data: Path, url: str, step: str) -> None:
    file, there = Place(data / "agpt.db"), Place(data / "agpt.db", url)
    before = sums(file)
    dies_at = ":".join(STEPS[step])

    killed = agpt_migrate(data, "--to", url, dies_at=dies_at)

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    is_set = (
        json.loads((data / "config.json").read_text()) if (data / "config.json").exists() else {}
    )
    place = serving(data)
    assert place.url == is_set.get("database_url", "")
    assert sums(place) == before
    if place.url:
        assert step in ("leaving the old one", "tidying")
        assert not file.path.exists()
        return
    ended = agpt_migrate(data, "--to", url)
    if step == "setting":  # it was whole, and a server may have worked on it since
        assert "`--again` copies all anew" in ended.stderr
        ended = agpt_migrate(data, "--to", url, "--again")
    assert ended.returncode == 0, ended.stderr
    assert serving(data) == there
    assert sums(there) == before


@pytest.mark.parametrize("step", steps(every_time="setting", without="leaving the old one"))
def test_on_the_way_back(data: Path, url: str, step: str) -> None:
    file, there = Place(data / "agpt.db"), Place(data / "agpt.db", url)
    before = sums(file)
    _take_there(data, file, there)
    module, name = STEPS[step]
    dies_at = f"{module}:{name.replace('Postgres', 'Sqlite')}"

    killed = agpt_migrate(data, "--to", "sqlite:", dies_at=dies_at)

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (lets_in(there) and "database_url" not in (data / "config.json").read_text())
    ended = agpt_migrate(data, "--to", "sqlite:")
    if step == "tidying":
        assert "`agpt start` starts the server on it" in ended.stderr
    else:
        assert ended.returncode == 0, ended.stderr
    assert serving(data) == file
    assert sums(file) == before
    assert not lets_in(there)


def test_a_start_after_a_kill_opens_again_what_was_closed(data: Path, url: str) -> None:
    file, there = Place(data / "agpt.db"), Place(data / "agpt.db", url)
    before = sums(file)
    _take_there(data, file, there)

    killed = agpt_migrate(data, "--to", "sqlite:", dies_at=":".join(STEPS["the last rows"]))

    assert killed.returncode == -signal.SIGKILL
    assert not lets_in(there)
    assert serving(data) == there
    assert sums(there) == before


def _take_there(data: Path, file: Place, there: Place) -> None:
    move = Move(source=file, target=there, data_dir=data, again=False)
    with following(move, copy_running(move, silent)) as follower:
        follower.finish()
    remove_stage(data)
    file.path.unlink()
    (data / "config.json").write_text(json.dumps({"database_url": there.url}))
