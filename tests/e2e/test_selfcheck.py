"""`agpt selfcheck` as people run it: it finds nothing, leaves nothing, and would find something."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.selfcheck.plan import Kind

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

BROKEN_ENGINE = Path(__file__).parent / "broken_engine"


def selfcheck(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "backend.cli", "selfcheck", *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def report_of(*arguments: str, limit_s: float, **environment: str) -> tuple[int, dict[str, Any]]:
    """Run a check to its end; return its exit code and its report."""
    check = selfcheck(*arguments, "--json", **environment)
    try:
        out, errors = check.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        # Asked, not killed: so it ends its server first.
        check.terminate()
        check.communicate()
        raise
    assert out, errors
    report: dict[str, Any] = json.loads(out)
    return check.returncode, report


def processes_of(folder: Path) -> Iterator[int]:
    """Yield the processes whose server lies somewhere in *folder*."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("AGPT_DATA_DIR", "").startswith(str(folder)):
                yield process.pid
        except (psutil.Error, OSError):
            continue


def test_nothing_is_lost_in_a_short_check(tmp_path: Path) -> None:
    code, report = report_of(
        "--kills", "20", "--seed", "5", "--data-dir", str(tmp_path), limit_s=300
    )

    assert report["violations"] == []
    assert (code, report["ok"], report["kills"], report["kept"]) == (0, True, 20, None)
    assert set(report["runs"]) == {kind.value for kind in Kind}
    assert set(report["calls"]) == {"keyed", "idempotent", "at_most_once"}
    assert report["calls"]["at_most_once"]["repeated"] == 0
    assert report["recovery_seconds"]["count"] > 0
    assert report["events"]["runs"] > 0
    assert (list(tmp_path.iterdir()), list(processes_of(tmp_path))) == ([], [])


def test_an_interrupted_check_leaves_nothing_behind(tmp_path: Path) -> None:
    check = selfcheck("--kills", "10", "--seed", "5", "--data-dir", str(tmp_path))
    assert check.stderr is not None
    while not check.stderr.readline().startswith("1 of 10 kills"):
        assert check.poll() is None

    check.send_signal(signal.SIGINT)
    out, errors = check.communicate(timeout=120)

    assert (check.returncode, out) == (130, "")
    assert errors.splitlines()[-1] == "agpt: interrupted; nothing of the check is left."
    assert (list(tmp_path.iterdir()), list(processes_of(tmp_path))) == ([], [])


@pytest.mark.chaos
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_lost_in_a_thousand_kills(tmp_path: Path, seed: int) -> None:
    code, report = report_of(
        "--kills", "1000", "--seed", str(seed), "--data-dir", str(tmp_path), limit_s=3 * 3600
    )

    assert report["violations"] == []
    assert (code, report["kills"]) == (0, 1000)


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("promise", "rules"),
    [
        ("once", {"ONCE"}),
        ("finished", {"REDONE"}),
        ("told", {"EVENTS"}),
        ("accepted", {"LOST"}),
        ("key", {"KEYS"}),
    ],
)
def test_a_broken_promise_is_found(tmp_path: Path, promise: str, rules: set[str]) -> None:
    """Each is broken in the private server by `broken_engine`, in its own way."""
    code, report = report_of(
        "--kills", "30", "--seed", "1", "--data-dir", str(tmp_path),
        limit_s=600, BROKEN_PROMISE=promise, PYTHONPATH=str(BROKEN_ENGINE),
    )  # fmt: skip

    assert (code, report["ok"]) == (1, False)
    assert rules <= {one["rule"] for one in report["violations"]}
    assert Path(report["kept"]).is_dir()
