"""Log files: whose they are, what they never show, and that they end somewhere."""

import json
import logging
import stat
from pathlib import Path

import pytest
import structlog

from backend.settings import Settings
from backend.telemetry import Metrics, close_logging, configure_logging
from backend.util import logfile
from backend.util.logfile import close_log, log_path, supervisor_log, without_query


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "logs").mkdir()
    return Settings(agpt_data_dir=tmp_path)


def lines(settings: Settings, service: str) -> list[dict[str, object]]:
    text = log_path(settings.agpt_data_dir, service).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET /ws?token=abc HTTP/1.1", "GET /ws?… HTTP/1.1"),
        ("http://a.b:1/c?x=1&y=2, then", "http://a.b:1/c?… then"),
        ("'/a?b=c'", "'/a?…'"),
        ("Is it so? Yes=no", "Is it so? Yes=no"),
        ("nothing", "nothing"),
    ],
)
def test_queries_are_never_logged(text: str, shown: str) -> None:
    assert without_query(text) == shown


def test_events_and_lines_of_libraries_are_json_in_one_private_file(settings: Settings) -> None:
    configure_logging(settings, "Door")
    try:
        structlog.get_logger().info("opened", path="/ws?token=abc")
        logging.getLogger("uvicorn.error").warning("at /ws?token=abc")
        structlog.get_logger().debug("not shown")
    finally:
        close_logging()

    first, second = lines(settings, "Door")
    assert (first["event"], first["service"], first["path"]) == ("opened", "Door", "/ws?…")
    assert (second["event"], second["logger"]) == ("at /ws?…", "uvicorn.error")
    path = log_path(settings.agpt_data_dir, "Door")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_level_of_one_service_can_differ(settings: Settings) -> None:
    configure_logging(settings, "Base", "warning")
    try:
        structlog.get_logger().info("not shown")
        structlog.get_logger().warning("shown")
    finally:
        close_logging()

    assert [line["event"] for line in lines(settings, "Base")] == ["shown"]


def test_files_are_rotated_and_stay_private(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfile, "_FILE_BYTES", 2000)
    configure_logging(settings, "Door")
    try:
        for number in range(500):
            structlog.get_logger().info("again", number=number, padding="x" * 100)
    finally:
        close_logging()

    files = sorted((settings.agpt_data_dir / "logs").iterdir())
    assert len(files) == 10
    assert max(path.stat().st_size for path in files) <= 2000
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_an_exception_is_one_line(settings: Settings) -> None:
    configure_logging(settings, "Door")
    try:
        int("why")
    except ValueError:
        structlog.get_logger().exception("failed")
    finally:
        close_logging()

    [line] = lines(settings, "Door")
    assert "ValueError" in str(line["exception"])


def test_the_supervisor_writes_facts_beside_the_event(settings: Settings) -> None:
    log = supervisor_log(settings.agpt_data_dir)

    log.info("service_died", extra={"exit_code": -9})
    close_log(log)

    [line] = lines(settings, "Supervisor")
    assert (line["event"], line["exit_code"]) == ("service_died", -9)


def test_metrics_of_two_services_do_not_mix() -> None:
    one, two = Metrics("One"), Metrics("Two")

    one.counter("runs", "Runs.").inc(3)

    assert b"autogpt_runs_total 3.0" in one.text()
    assert b"autogpt_runs" not in two.text()
    assert b'autogpt_up{service="Two"} 1.0' in two.text()
