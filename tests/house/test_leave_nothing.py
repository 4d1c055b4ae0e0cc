"""What guards CI against processes that outlive their test."""

import subprocess
import sys

import pytest

from tests.house.source import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="only Linux gives orphans away"
    ),
]

DETACHED = "(setsid sleep 4242 >/dev/null 2>&1 & echo $!); exit 0"


def test_a_clean_command_keeps_its_exit_code() -> None:
    ended = guarded("exit 3")

    assert (ended.returncode, ended.stderr) == (3, "")


def test_a_detached_process_is_named_killed_and_makes_the_run_fail() -> None:
    ended = guarded(DETACHED)

    assert ended.returncode == 70
    assert "left behind" in ended.stderr
    assert "sleep 4242" in ended.stderr


def test_when_the_time_is_over_everything_ends() -> None:
    ended = guarded("sleep 4243 & sleep 4244", "--limit-s", "1")

    assert ended.returncode == 124
    assert "the time is over" in ended.stderr


def guarded(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script under guard. Waits for the end of every process that holds its output."""
    return subprocess.run(
        [sys.executable, "-m", "tools.leave_nothing", *options, "--", "sh", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
