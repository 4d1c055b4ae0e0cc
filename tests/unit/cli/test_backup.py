"""`agpt backup` and `agpt restore`: what they say, to people and to programs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.adapters.storage.schema import metadata
from backend.cli import main
from backend.util.locks import share_data_dir
from tests.filled import fill

#: One in each table.
ROWS = len(metadata.tables)


def agpt(*words: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(main, words)
    return ended.exit_code, ended.stdout, ended.stderr


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with rows and a file."""
    data = tmp_path / "data"
    (data / "files" / "run").mkdir(parents=True)
    (data / "files" / "run" / "a").write_bytes(b"content")
    fill(data / "agpt.db", 1)
    return data


def test_a_backup_goes_and_comes_back(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"

    code, text, _ = agpt("backup", str(path), "--data-dir", str(data))
    assert (code, text.partition(" holds ")[0]) == (0, str(path))
    assert text.endswith("read back and whole; the keys are not in it.\n")
    code, text, _ = agpt("restore", str(path), "--check")
    assert (code, text) == (0, f"{path} is whole: {ROWS} rows and 1 files.\n")
    code, text, errors = agpt("restore", str(path), "--data-dir", str(tmp_path / "new"))

    assert (code, text.endswith("read back and as they were.\n")) == (0, True)
    assert "Secrets in it do not open with the key here" in errors
    assert (tmp_path / "new/files/run/a").read_bytes() == b"content"


def test_with_its_keys_nothing_more_is_needed(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    agpt("backup", str(path), "--with-keys", "--data-dir", str(data))

    code, text, _ = agpt("restore", str(path), "--json", "--data-dir", str(tmp_path / "new"))

    told = json.loads(text)
    assert (code, told["key_fits"], told["has_keys"], told["rows"]) == (0, True, True, ROWS)
    for key in ("encryption.key", "jwt.key"):
        assert (tmp_path / "new/keys" / key).read_bytes() == (data / "keys" / key).read_bytes()


def test_in_a_folder_it_is_named_by_the_time(data: Path, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()

    code, text, _ = agpt("backup", str(tmp_path / "to"), "--json", "--data-dir", str(data))

    [made] = (tmp_path / "to").iterdir()
    assert code == 0
    assert json.loads(text)["path"] == str(made)
    assert made.name.startswith("agpt-2")


def test_nothing_is_restored_under_a_server(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    agpt("backup", str(path), "--data-dir", str(data))
    lock = share_data_dir(data)

    code, text, errors = agpt("restore", str(path), "--replace", "--yes", "--data-dir", str(data))
    lock.release()

    assert (code, text) == (1, "")
    assert "in use" in errors


def test_a_person_is_asked_before_something_is_replaced(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    agpt("backup", str(path), "--data-dir", str(data))
    words = ["restore", str(path), "--replace", "--data-dir", str(data)]

    refused = CliRunner().invoke(main, words, input="n\n")
    untouched = list(data.glob("replaced-*")) == []
    taken = CliRunner().invoke(main, words, input="y\n")

    assert (refused.exit_code, untouched) == (1, True)
    assert taken.exit_code == 0
    assert "What was there before lies in" in taken.stderr


def test_a_server_that_was_never_started_has_no_backup(tmp_path: Path) -> None:
    code, _, errors = agpt("backup", str(tmp_path / "a.tar"), "--data-dir", str(tmp_path / "d"))

    assert code == 1
    assert "no server has been started on it yet" in errors
    assert sorted(one.name for one in tmp_path.iterdir()) == ["d"]
