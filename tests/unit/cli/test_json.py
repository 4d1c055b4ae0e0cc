"""`--json` of commands that need no server, and what every command refuses."""

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from click.testing import CliRunner

from backend.adapters.storage.migrate import HEAD
from backend.cli import main
from backend.cli.logs import news_of
from tests.e2e import test_cli, wrong_commands
from tests.unit.cli.test_command_tree import ALL

#: Commands that take nothing but options that all have, so that nothing can be wrong about them.
NOTHING_WRONG = {
    ("start",): "tests/e2e/test_background_server.py: ports, settings, a second start",
    ("stop",): "tests/e2e/test_background_server.py: pid files of all kinds",
    ("status",): "the same",
    ("gen-encrypt-key",): "it reads nothing",
}


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGPT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "data"


def printed(*words: str) -> list[Any]:
    """Return what a command prints, a document a line."""
    ended = CliRunner().invoke(main, words)
    assert (ended.exit_code, ended.stderr) == (0, "")
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_a_key_and_a_token_come_in_an_object() -> None:
    [key] = printed("gen-encrypt-key", "--json")
    [token] = printed("token", "--ttl", "90m", "--json")

    assert len(key["key"]) == 44
    assert token["expires_in_s"] == 5400
    claims = jwt.decode(token["token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 5400


def test_an_upgrade_says_from_where_to_where(data: Path) -> None:
    path = str(data / "agpt.db")

    assert printed("db", "upgrade", "--json") == [{"path": path, "before": None, "step": HEAD}]
    assert printed("db", "upgrade", "--json") == [{"path": path, "before": HEAD, "step": HEAD}]


def test_a_new_block_says_where_it_is(tmp_path: Path) -> None:
    [found] = printed("new-block", "shout-words", "--dir", str(tmp_path), "--json")

    assert found["block"] == "ShoutWordsBlock"
    assert Path(found["folder"]) == tmp_path / "agpt-shout-words"
    assert "ShoutWordsBlock" in Path(found["file"]).read_text()


def test_a_server_that_is_not_there_is_neither_stopped_nor_killed() -> None:
    assert printed("stop", "--json") == [{"stopped": False, "pid": None, "killed": False}]


def test_each_line_of_a_log_is_an_object_that_names_its_log(data: Path) -> None:
    folder = data / "logs"
    folder.mkdir(parents=True)
    lines = ['{"event": "up", "service": "B", "took_s": NaN}', "Traceback", "[1]", "a\u2028b"]
    (folder / "A.log").write_text("\n".join(lines) + "\n", encoding="utf-8")

    assert printed("logs", "--json") == [
        {"event": "up", "service": "B", "took_s": "NaN", "log": "A"},
        {"event": "Traceback", "log": "A"},
        {"event": "[1]", "log": "A"},
        {"event": "a\u2028b", "log": "A"},
    ]


def test_an_error_is_a_sentence_also_with_json() -> None:
    ended = CliRunner().invoke(main, ["token", "--ttl", "soon", "--json"])

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr == ("agpt: 'soon' is no time: write a number and s, m, h or d, like 24h.\n")


@pytest.mark.parametrize("path", [path for path in ALL if path not in NOTHING_WRONG], ids=" ".join)
def test_every_command_is_tried_with_what_it_must_refuse(path: tuple[str, ...]) -> None:
    lines = [line.split() for line, _, _ in (*test_cli.WRONG, *wrong_commands.WRONG)]

    assert [line for line in lines if tuple(line[: len(path)]) == path]


def test_a_line_that_is_longer_than_a_block_does_not_hold_up_those_behind_it(
    tmp_path: Path,
) -> None:
    path, seen = tmp_path / "A.log", list[str]()
    path.write_text("x" * 200_000 + "\nlast\n")
    place = (path.stat().st_ino, 0)

    for _ in range(2):
        place = news_of(path, *place, lambda _, line: seen.append(line))

    assert [len(line) for line in seen] == [200_000, 4]
    assert place[1] == path.stat().st_size
