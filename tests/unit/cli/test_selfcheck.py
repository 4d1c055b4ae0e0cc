"""`agpt selfcheck`: what is refused before anything is started."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.cli import main


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--kills", "0"], "0 is not in the range 1<=x<=100000"),
        (["--kills", "many"], "'many' is not a valid integer"),
        (["--kills", "100001"], "is not in the range"),
        (["--minutes", "0"], "is not in the range 0<x<=10080"),
        (["--minutes", "nan"], "'nan' is not a finite number"),
        (["--kills", "121", "--minutes", "1"], "121 kills do not fit into 1 minutes: at most 120 a minute."),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--seed", "x"], "'x' is not a valid integer"),
        (["--data-dir", "nowhere"], "Directory 'nowhere' does not exist."),
        (["--data-dir", "file"], "Directory 'file' is a file."),
        (["--database", "postgresql://h/d"], "--database and --broker go together."),
        (["--broker", "amqp://h/"], "--database and --broker go together."),
        (["--database", "", "--broker", "amqp://h/"], "--database and --broker go together."),
        (["--database", "mysql://h/d", "--broker", "amqp://h/"], "--database begins with postgresql://"),
        (["--database", "postgresql://h/d", "--broker", "h"], "--broker begins with amqp://"),
        (["more"], "Got unexpected extra argument (more)"),
        (["--kill", "3"], "No such option"),
    ],
)  # fmt: skip
def test_a_wrong_command_gets_one_clear_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()

    result = CliRunner().invoke(main, ["selfcheck", *arguments])

    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())
    assert result.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A command of root may write anywhere, so the folder is one that takes nothing."""
    result = CliRunner().invoke(main, ["selfcheck", "--data-dir", "/proc", "--kills", "1"])

    assert result.exit_code in (1, 2)
    assert "/proc" in result.stderr
    assert "Traceback" not in result.stderr


def test_help_loads_nothing_of_the_check() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from backend.cli import main;"
        "CliRunner().invoke(main, ['selfcheck', '--help']);"
        "print([name for name in sys.modules if name.startswith('backend.selfcheck')])"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "[]"
