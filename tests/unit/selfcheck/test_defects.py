"""What a check finds in the logs of its servers."""

from pathlib import Path

import pytest

from backend.selfcheck.defects import defects_in

INFO = '{"level": "info", "event": "service_ready"}'
WARNING = '{"level": "warning", "event": "run_taken_over"}'
STUCK = '{"level":"error","event":"run_stuck","execution":"7","times":1}'
BROKEN = '{"level": "error", "event": "broken", "exception": "Traceback\\n  here\\nKeyError: 1"}'


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


def test_errors_are_told_by_service_and_kind_with_the_first_one(logs: Path) -> None:
    (logs / "ExecutionManager.log").write_text(f"{INFO}\n{STUCK}\n{WARNING}\n{BROKEN}\n")
    (logs / "ExecutionManager.log.1").write_text(f"{STUCK}\n")
    (logs / "Scheduler.log").write_text(f"{INFO}\n")

    found = defects_in(logs, logs / "server.out")

    assert [one.partition(":")[0] for one in found] == [
        "ExecutionManager notes broken (1 times)",
        "ExecutionManager notes run_stuck (2 times)",
    ]
    assert "KeyError: 1" in found[0]
    assert '"execution":"7"' in found[1]


def test_what_a_kill_has_cut_short_is_no_error(logs: Path) -> None:
    (logs / "Scheduler.log").write_text(f"{WARNING}\n{STUCK[:-5]}")

    assert defects_in(logs, logs / "server.out") == []


def test_what_a_process_died_of_is_found_in_what_it_said(logs: Path) -> None:
    said = logs / "server.out"
    said.write_text("ready\nTraceback (most recent call last):\n  here\nOSError\n")

    assert defects_in(logs, said) == ["server.out has 1 exceptions that nobody caught"]
