"""`agpt secrets`: no server is locked out by a key that it has not read."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.adapters.storage.migrate import migrate
from backend.adapters.vault import fingerprint
from backend.cli import main
from backend.setting_keys import new_key
from backend.util.record import record_path, write_record


@pytest.fixture
def data(tmp_path: Path) -> Path:
    migrate(tmp_path / "agpt.db")
    (tmp_path / "run").mkdir()
    return tmp_path


def rotate(data: Path, *keys: str) -> tuple[int, str]:
    ended = CliRunner().invoke(
        main, ["secrets", "rotate", "--data-dir", str(data)], env={"ENCRYPTION_KEY": ",".join(keys)}
    )
    return ended.exit_code, ended.output


def test_a_key_that_a_running_server_has_not_read_seals_nothing(data: Path) -> None:
    old, new = new_key(), new_key()
    write_record(data, (), [fingerprint(old)])

    code, said = rotate(data, new, old)

    assert code == 1
    assert f"(pid {os.getpid()}) was started before the newest key was set" in said
    assert "No other key is needed" not in said


def test_a_key_that_it_has_read_seals_and_so_does_any_without_a_server(data: Path) -> None:
    old, new = new_key(), new_key()
    write_record(data, (), [fingerprint(new), fingerprint(old)])
    read = rotate(data, new, old)
    record_path(data, os.getpid()).unlink()

    alone = rotate(data, new_key(), new, old)

    assert (read[0], alone[0]) == (0, 0)
    assert "No other key is needed" in read[1]
    assert "No other key is needed" in alone[1]
