"""`agpt config`: every setting is shown with its source, and all that stops a start is told at once."""

import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from click.testing import CliRunner

from backend.adapters.storage.migrate import HEAD, migrate
from backend.cli import main
from backend.cli.config import GROUPS
from backend.settings import ADDRESSES, SECRETS, Settings
from backend.util.identity import identify
from backend.util.record import ServiceRecord, write_record
from tests.e2e.running import free_port
from tests.s3 import S3


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory that the environment names, free ports, an empty working folder."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    work = tmp_path / "here"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("AGPT_DATA_DIR", str(tmp_path / "data"))
    for _, port in ADDRESSES:
        monkeypatch.setenv(port.upper(), str(free_port()))
    return tmp_path / "data"


@pytest.fixture
def mail_server() -> Iterator[Controller]:
    """A mail server on this machine that knows no encryption."""
    server = Controller(object(), hostname="127.0.0.1", port=free_port())
    server.start()
    yield server
    server.stop()


def config(*arguments: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(main, ["config", *arguments])
    return ended.exit_code, ended.stdout, ended.stderr


def shown() -> dict[str, dict[str, Any]]:
    code, text, _ = config("show", "--json")
    assert code == 0
    return {row["name"]: row for row in json.loads(text)["settings"]}


def problems() -> dict[str, list[str]]:
    code, text, _ = config("check", "--json")
    found = json.loads(text)
    assert found["ok"] is (code == 0)
    return {one["check"]: one["problems"] for one in found["checks"]}


SETTINGS = "settings, data directory and keys"
OUTSIDE = "addresses to call, pages that may ask"


def test_every_setting_is_shown_with_its_source(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.mkdir()
    (data / "config.json").write_text('{"retention_days": 7}', encoding="utf-8")
    Path(".env").write_text("SMTP_SENDER=me@here\n", encoding="utf-8")
    monkeypatch.setenv("LOG_LEVEL", "debug")

    rows = shown()

    assert list(rows) == [name.upper() for name in Settings.model_fields]
    wanted = {
        "RETENTION_DAYS": (7, str(data / "config.json")),
        "SMTP_SENDER": ("me@here", ".env"),
        "LOG_LEVEL": ("debug", "environment"),
        "APP_ENV": ("local", "default"),
    }
    assert {name: (rows[name]["value"], rows[name]["source"]) for name in wanted} == wanted


def test_every_setting_is_in_a_group() -> None:
    assert GROUPS.keys() <= Settings.model_fields.keys()
    assert next(iter(GROUPS)) == next(iter(Settings.model_fields))
    assert {row["group"] for row in shown().values()} == set(GROUPS.values())


def test_people_see_groups_names_values_and_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")

    code, text, _ = config("show")

    assert code == 0
    assert "\n\nRunning it\n" in text
    assert ["LOG_LEVEL", "debug", "environment"] in [line.split() for line in text.splitlines()]


def test_no_secret_is_shown(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "very-secret-word")
    monkeypatch.setenv("PROVIDER_BASE_URLS", '{"a": "http://me:very-secret-word@host/"}')
    monkeypatch.setenv(
        "DATABASE_URL",
        "postgresql://me:very-secret-word@host/x?sslkey=k&sslpassword=very-secret-word",
    )

    text = config("show")[1] + config("show", "--json")[1]

    assert "very-secret-word" not in text
    for path in (data / "keys").iterdir():
        assert path.read_text(encoding="ascii").strip() not in text
    rows = shown()
    # What is not set is empty, and no secret.
    assert {rows[name.upper()]["value"] for name in SECRETS} == {"***", ""}
    assert rows["SMTP_PASSWORD"]["value"] == "***"
    assert rows["PROVIDER_BASE_URLS"]["value"] == {"a": "http://me:***@host/"}


def test_a_fresh_machine_has_no_problems() -> None:
    assert problems() == {SETTINGS: [], OUTSIDE: [], "ports": [], "database": []}


@pytest.mark.parametrize(
    ("name", "value", "check", "says"),
    [
        ("SMTP_SENDER", "nobody", SETTINGS, "must be an address"),
        ("SMTP_SENDER", "a@b.c\nBcc: all@b.c", SETTINGS, "on one line"),
        ("TRUST_ENDPOINTS_FOR_REQUESTS", "http://*.local", OUTSIDE, "no host to trust"),
        ("BACKEND_CORS_ALLOW_ORIGINS", "regex:((", OUTSIDE, "cannot be used"),
    ],
)
def test_what_would_be_found_only_when_it_is_used_is_told(
    name: str, value: str, check: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    [told] = problems()[check]
    assert name in told
    assert says in told


def test_a_sender_may_have_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_SENDER", "Agents <agents@example.com>")

    assert problems()[SETTINGS] == []


def test_in_production_no_page_of_this_machine_may_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENV", "prod")
    assert problems()[SETTINGS] == []
    assert shown()["BACKEND_CORS_ALLOW_ORIGINS"]["value"] == []

    for origin in ("http://localhost:3000", "regex:http://127.0.0.1:.*"):
        monkeypatch.setenv("BACKEND_CORS_ALLOW_ORIGINS", f"https://mine.example,{origin}")
        assert [origin in told for told in problems()[SETTINGS]] == [True]

    monkeypatch.setenv("BACKEND_CORS_ALLOW_ORIGINS", "https://mine.example")
    assert problems()[SETTINGS] == []


def test_all_wrong_settings_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "LOG_LEVEL": "loud",
        "NUM_GRAPH_WORKERS": "0",
        "PLATFORM_BASE_URL": "nowhere",
        "PROVIDER_BASE_URLS": "{",
        "DATABASE_URL": "mysql://host/name",
        "RABBITMQ_URL": "amqp://host",
        "AGENT_API_HOST": "0.0.0.0",
        "AGENT_API_PORT": os.environ["WEBSOCKET_SERVER_PORT"],
        "ENCRYPTION_KEY": "short",
        "JWT_SIGN_ALGORITHM": "RS256",
    }
    for name, text in wrong.items():
        monkeypatch.setenv(name, text)

    found = problems()

    assert {problem.split()[0] for problem in found[SETTINGS]} == wrong.keys()
    assert len(found[SETTINGS]) == len(wrong)
    assert (found["ports"], found["database"]) == ([], [])


def test_a_port_that_is_given_twice_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # It is the default of the second: a default in its place would be wrong again.
    monkeypatch.setenv("WEBSOCKET_SERVER_PORT", "8006")
    monkeypatch.setenv("AGENT_API_PORT", "8006")

    found = problems()

    assert [problem.split()[0] for problem in found[SETTINGS]] == ["AGENT_API_PORT"]
    assert "database" in found


def test_people_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "loud")

    code, text, errors = config("check")

    assert code == 1
    assert errors.startswith(f"problem  {SETTINGS}: LOG_LEVEL cannot be 'loud' (environment): ")
    assert text.splitlines() == [
        f"ok       {OUTSIDE}: understood",
        "ok       ports: free, or this server's own",
        "ok       database: not there yet; the first start makes it",
    ]


def test_a_data_directory_that_cannot_be_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("AGPT_DATA_DIR", str(tmp_path / "file" / "data"))

    [problem] = problems()[SETTINGS]

    assert problem.endswith("Choose another one with AGPT_DATA_DIR.")


@pytest.mark.parametrize(("content", "sentence"), [("{", "is not JSON"), ("[]", "one JSON object")])
def test_a_config_file_that_cannot_be_read_is_told(data: Path, content: str, sentence: str) -> None:
    data.mkdir()
    (data / "config.json").write_text(content, encoding="utf-8")

    [problem] = problems()[SETTINGS]

    assert sentence in problem


def test_a_key_that_is_lost_is_told_beside_the_rest(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "keys").mkdir(parents=True)
    (data / "keys" / "encryption.key").write_text("", encoding="ascii")
    monkeypatch.setenv("LOG_LEVEL", "loud")

    found = problems()[SETTINGS]

    assert [any(word in problem for problem in found) for word in ("is empty", "LOG_LEVEL")] == [
        True,
        True,
    ]


def test_a_taken_port_is_told_unless_we_are_the_ones(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("AGENT_API_PORT", str(port))
        [problem] = problems()["ports"]
        me = identify(os.getpid())
        assert me is not None
        service = ServiceRecord(
            name="AgentServer",
            state="ready",
            pid=me.pid,
            birth=me.birth,
            address=f"127.0.0.1:{port}",
        )
        write_record(data, [service])
        ours = problems()["ports"]

    assert f"Port {port} on 127.0.0.1 is taken by another program" in problem
    assert ours == []


def test_templates_of_letters_that_would_stop_a_start_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "letters"
    folder.mkdir()
    monkeypatch.setenv("NOTICE_TEMPLATES_DIR", str(folder))
    assert problems()["letters"] == []

    (folder / "agent_run.html").write_text("{{", encoding="utf-8")
    [problem] = problems()["letters"]
    monkeypatch.setenv("NOTICE_TEMPLATES_DIR", str(tmp_path / "none"))
    [missing] = problems()["letters"]

    assert "NOTICE_TEMPLATES_DIR make no letter of AGENT_RUN" in problem
    assert "cannot be read" in missing


def test_an_unknown_host_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_VERIFY_KEY", "a key that only tests use, long enough")
    monkeypatch.setenv("AGENT_API_HOST", "192.0.2.1")

    assert problems()["ports"] == ["AGENT_API_HOST is '192.0.2.1': not an address of this machine."]


def test_a_database_that_is_too_new_or_none_is_told(data: Path) -> None:
    data.mkdir()
    path = data / "agpt.db"
    migrate(path)
    said = config("check")[1]
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    newer = problems()["database"]
    for one in data.glob("agpt.db*"):
        one.unlink()
    path.write_text("hello" * 1000, encoding="utf-8")

    assert f"ok       database: at step {HEAD}\n" in said
    assert "made by a newer agpt-server" in newer[0]
    assert "file is not a database" in problems()["database"][0]


def test_a_mail_server_that_answers_is_no_problem(
    mail_server: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("SMTP_PORT", str(mail_server.port))
    monkeypatch.setenv("SMTP_SECURITY", "none")

    assert problems()["mail server"] == []


@pytest.mark.parametrize("security", ["none", "starttls"])
def test_a_mail_server_that_cannot_be_used_is_told(
    mail_server: Controller, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    # Without encryption nobody answers; with it, somebody does who knows none.
    port = free_port() if security == "none" else mail_server.port
    monkeypatch.setenv("SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("SMTP_PORT", str(port))
    monkeypatch.setenv("SMTP_SECURITY", security)

    [problem] = problems()["mail server"]

    assert problem.startswith(f"127.0.0.1:{port} (SMTP_HOST, SMTP_PORT) cannot be used")


@pytest.mark.slow
def test_a_store_of_files_is_tried(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    fine = problems()["file store"]
    monkeypatch.setenv("FILES_URL", "s3://no-such-bucket")

    assert fine == []
    assert problems()["file store"] == [
        "There is no bucket no-such-bucket (FILES_URL, AWS_ENDPOINT_URL)."
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FILES_URL", "https://bucket.example.com"),
        ("FILES_URL", "s3://"),
        ("FILES_URL", "s3://bucket/../other"),
        ("AWS_ENDPOINT_URL", "storage.example.com"),
    ],
)
def test_an_address_of_files_that_can_be_none_is_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    [problem] = problems()["settings, data directory and keys"]

    assert problem.startswith(f"{name} cannot be {value!r} (environment): must ")


def test_a_file_of_tool_servers_is_checked_before_a_start(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "servers.json"
    monkeypatch.setenv("MCP_SERVERS_FILE", str(path))
    path.write_text('{"tools": {"command": "no-such-program", "users": "all"}}')
    path.chmod(0o600)
    assert "no-such-program is no program" in problems()["tool servers"][0]

    path.write_text('{"tools": {"command": "sh", "users": "all"}}')

    assert problems()["tool servers"] == []
