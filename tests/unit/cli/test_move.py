"""`agpt migrate`: what it refuses, what it sets, and what it says."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.adapters.storage.schema import metadata
from backend.cli import main, switch
from backend.util.locks import share_data_dir, take_service
from tests.databases import emptied
from tests.filled import fill
from tests.services import require_service

ROWS = len(metadata.tables)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    data = tmp_path / "data"
    data.mkdir()
    fill(data / "agpt.db", 1)
    return data


@pytest.fixture
def url() -> str:
    return emptied(require_service("postgres"))


def migrate(data: Path, *words: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(main, ["migrate", *words, "--data-dir", str(data)])
    return ended.exit_code, ended.stdout, ended.stderr


def test_without_switch_it_says_what_is_to_be_set(data: Path, url: str) -> None:
    code, text, _ = migrate(data, "--to", url)

    assert code == 0
    assert text.startswith(f"{ROWS} rows are in postgresql://")
    assert text.endswith(
        "checked; 0 changed meanwhile. Before the next start, set DATABASE_URL to its address.\n"
    )
    assert (data / "agpt.db").exists()
    assert not (data / "config.json").exists()


def test_with_switch_it_is_set_and_the_old_file_has_another_name(data: Path, url: str) -> None:
    (data / "config.json").write_text('{"log_level": "debug", "DATABASE_URL": ""}')

    code, text, errors = migrate(data, "--to", url, "--switch", "--json")

    told = json.loads(text)
    assert (code, told["switched"], told["started"], told["rows"]) == (0, True, False, ROWS)
    assert json.loads((data / "config.json").read_text()) == {
        "log_level": "debug",
        "database_url": url,
    }
    assert (data / "config.json").stat().st_mode & 0o777 == 0o600
    assert not (data / "agpt.db").exists()
    assert Path(told["aside"]).exists()
    assert "agpt:" not in errors
    code, text, _ = migrate(data, "--to", "sqlite:", "--switch")
    assert (code, "agpt.db, checked" in text) == (0, True)
    assert json.loads((data / "config.json").read_text()) == {"log_level": "debug"}


def test_a_setting_that_stands_before_the_file_is_not_switched(
    data: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    code, text, errors = migrate(data, "--to", "sqlite:", "--switch")

    assert (code, text) == (1, "")
    assert "DATABASE_URL is set in environment, which stands before config.json" in errors


def test_two_moves_at_once_are_refused(data: Path, url: str) -> None:
    (data / "run").mkdir()
    lock = take_service(data, "move")
    code, _, errors = migrate(data, "--to", url)
    lock.release()

    assert (code, "in use" in errors) == (1, True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switch, "WAIT_S", 0.2)


def test_a_server_that_is_not_stopped_keeps_everything_as_it_is(
    data: Path, url: str, impatient: None
) -> None:
    lock = share_data_dir(data)
    code, text, errors = migrate(data, "--to", url)
    lock.release()

    assert (code, text) == (1, "")
    assert "The server did not stop, so nothing was changed." in errors
    code, text, _ = migrate(data, "--to", url)
    assert code == 1
    code, text, _ = migrate(data, "--to", url, "--again")
    assert code == 1, "rows of an installation without an owner are nobody's"
