"""`agpt pause`, `resume`, `pauses`: what an operator sees of what he holds."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.adapters.storage.migrate import migrate
from backend.cli import main


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a new database."""
    migrate(tmp_path / "agpt.db")
    return tmp_path


def agpt(data: Path, *words: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(main, [*words, "--data-dir", str(data)])
    return ended.exit_code, ended.stdout, ended.stderr


def test_the_server_is_held_and_let_go(data: Path) -> None:
    assert agpt(data, "pauses") == (0, "Nothing is paused.\n", "")
    assert agpt(data, "pause", "server", "--reason", "moving") == (0, "the server is paused.\n", "")
    assert agpt(data, "pause", "server") == (0, "the server is paused already.\n", "")

    code, text, _ = agpt(data, "pauses")
    assert code == 0
    assert text.startswith("the server, since ")
    assert text.endswith(": moving\n")
    _, listed, _ = agpt(data, "pauses", "--json")
    [one] = json.loads(listed)
    assert (one["kind"], one["id"], one["reason"]) == ("server", None, "moving")

    assert agpt(data, "resume", "server") == (0, "the server goes on.\n", "")
    assert agpt(data, "resume", "server") == (
        1,
        "",
        "agpt: the server is not paused; `agpt pauses` lists what is.\n",
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("pause run", "which run? Give its id after `run`."),
        ("pause graph", "which graph? Give its id after `graph`."),
        ("pause server now", "the whole server has no id"),
        ("pause run nothing", "Graph execution #nothing not found."),
        ("pause graph nothing", "Graph #nothing not found."),
        ("resume graph", "which graph? Give its id after `graph`."),
        ("resume run nothing", "run #nothing is not paused; `agpt pauses` lists what is."),
    ],
)
def test_what_cannot_be_paused_is_told_and_nothing_is(data: Path, words: str, says: str) -> None:
    assert agpt(data, *words.split()) == (1, "", f"agpt: {says}\n")
    assert agpt(data, "pauses") == (0, "Nothing is paused.\n", "")
