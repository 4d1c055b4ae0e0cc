"""Settings: where they come from, what they refuse, and the keys of the first start."""

import json
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from backend.core.errors import BadSetting, CannotStart
from backend.settings import Settings, load_settings


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory that the environment names, and an empty working directory."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("AGPT_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_each_source_wins_over_the_next(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data.mkdir()
    config = {"agent_api_port": 1, "websocket_server_port": 1, "smtp_port": 1, "retention_days": 1}
    (data / "config.json").write_text(json.dumps(config))
    Path(".env").write_text("AGENT_API_PORT=2\nWEBSOCKET_SERVER_PORT=2\nSMTP_PORT=2\n")
    monkeypatch.setenv("AGENT_API_PORT", "3")
    monkeypatch.setenv("WEBSOCKET_SERVER_PORT", "3")

    settings, sources = load_settings({"agent_api_port": "4"})

    found = {name: (getattr(settings, name), sources[name]) for name in config}
    assert found == {
        "agent_api_port": (4, "command line"),
        "websocket_server_port": (3, "environment"),
        "smtp_port": (2, ".env"),
        "retention_days": (1, str(data / "config.json")),
    }
    assert sources["log_level"] == "default"


def test_names_in_the_environment_may_be_written_small(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("num_graph_workers", "7")

    assert load_settings()[0].num_graph_workers == 7


def test_an_empty_text_counts_as_not_said(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_API_PORT", "")

    assert load_settings()[0].agent_api_port == 8006


@pytest.mark.parametrize("text", ["a,b", '["a", "b"]', " a , b ,"])
def test_lists_are_json_or_have_commas(
    data: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("TRUST_ENDPOINTS_FOR_REQUESTS", text)

    assert load_settings()[0].trust_endpoints_for_requests == ("a", "b")


def test_the_end_of_a_base_url_is_trimmed(data: Path) -> None:
    settings, _ = load_settings({"platform_base_url": "https://agents.example//"})

    assert settings.platform_base_url == "https://agents.example"


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("agent_api_port", "http", "valid integer"),
        ("agent_api_port", 70000, "65535"),
        ("agent_api_port", 8001, "WEBSOCKET_SERVER_PORT is the same port"),
        ("num_graph_workers", 0, "greater than or equal to 1"),
        ("num_graph_workers", 1001, "less than or equal to 1000"),
        ("log_level", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("enable_auth", "maybe", "boolean"),
        ("platform_base_url", "ftp://x", "must start with http:// or https://"),
        ("provider_base_urls", "{", "must be JSON"),
        ("provider_base_urls", "[1]", "dictionary"),
        ("jwt_sign_algorithm", "none", "JWT_VERIFY_KEY"),
        ("jwt_sign_algorithm", "RS256", "JWT_VERIFY_KEY"),
        ("agent_api_host", "0.0.0.0", "JWT_VERIFY_KEY"),
        ("websocket_server_host", "::", "JWT_VERIFY_KEY"),
        ("pyro_host", "192.0.2.1", "JWT_VERIFY_KEY"),
        ("rabbitmq_url", "amqp://x", "only with DATABASE_URL"),
        ("rabbitmq_url", "http://x", "an address of RabbitMQ"),
        ("cron_dialect", "quartz", "'posix' or 'autogpt'"),
    ],
)
def test_a_bad_value_is_named_with_its_source_and_what_is_allowed(
    data: Path, name: str, value: object, part: str
) -> None:
    with pytest.raises(BadSetting) as caught:
        load_settings({name: value})

    assert name.upper() in str(caught.value)
    assert "(command line)" in str(caught.value)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("encryption_key", "hunter2"), ("database_url", "mysql://me:hunter2@db/agpt")],
)
def test_the_value_of_a_secret_is_not_shown(data: Path, name: str, value: str) -> None:
    with pytest.raises(BadSetting) as caught:
        load_settings({name: value})

    assert name.upper() in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_setting_that_is_not_there_is_refused_on_the_command_line(data: Path) -> None:
    with pytest.raises(BadSetting, match="Did you mean agent_api_port"):
        load_settings({"agent_api_prot": 1})


@pytest.mark.parametrize("text", ["{", "[]", '{"agpt_data_dir": "/elsewhere"}'])
def test_a_config_file_that_cannot_be_used_is_named(data: Path, text: str) -> None:
    data.mkdir()
    (data / "config.json").write_text(text)

    with pytest.raises(BadSetting, match=r"config\.json"):
        load_settings()


def test_another_host_is_allowed_with_a_key_of_ones_own(data: Path) -> None:
    settings, _ = load_settings({"agent_api_host": "0.0.0.0", "jwt_verify_key": "k" * 32})

    assert settings.agent_api_host == "0.0.0.0"


def test_without_sign_in_only_loopback_is_allowed(data: Path) -> None:
    with pytest.raises(BadSetting, match=r"AGENT_API_HOST.*loopback"):
        load_settings(
            {"enable_auth": "false", "agent_api_host": "0.0.0.0", "jwt_verify_key": "k" * 32}
        )

    assert load_settings({"enable_auth": "false"})[0].enable_auth is False


def test_the_first_start_makes_keys_for_the_owner_only(data: Path) -> None:
    settings, sources = load_settings()

    files = sorted((data / "keys").iterdir())
    assert [path.name for path in files] == [
        "encryption.key",
        "instance.key",
        "jwt.key",
        "unsubscribe.key",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert sources["jwt_verify_key"] == str(data / "keys" / "jwt.key")
    Fernet(settings.encryption_key.get_secret_value())


@pytest.mark.parametrize("name", ["jwt_verify_key", "instance_key", "unsubscribe_secret_key"])
def test_a_key_that_could_be_guessed_lets_in_nobody_from_elsewhere(data: Path, name: str) -> None:
    keys = {"jwt_verify_key": "k" * 32, name: "k" * 31}

    with pytest.raises(BadSetting, match=rf"{name.upper()} cannot be .*at least 32 characters"):
        load_settings({**keys, "agent_api_host": "0.0.0.0"})

    assert load_settings(keys)[0].agent_api_host == "127.0.0.1"
    assert load_settings({**keys, name: "k" * 32, "agent_api_host": "0.0.0.0"})


def test_the_second_start_finds_the_same_keys(data: Path) -> None:
    assert load_settings() == load_settings()


def test_a_key_of_the_environment_wins_and_none_is_made(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_VERIFY_KEY", "from outside")

    settings, sources = load_settings()

    assert settings.jwt_verify_key.get_secret_value() == "from outside"
    assert sources["jwt_verify_key"] == "environment"
    assert not (data / "keys" / "jwt.key").exists()


def test_a_key_that_was_emptied_is_not_replaced(data: Path) -> None:
    load_settings()
    (data / "keys" / "encryption.key").write_text("")

    with pytest.raises(CannotStart, match=r"encryption\.key is empty"):
        load_settings()


@pytest.mark.slow
def test_two_first_starts_at_once_agree_on_the_keys(data: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        answers = list(pool.map(_keys, [str(data)] * 8))

    assert len(set(answers)) == 1


def _keys(data: str) -> str:
    return load_settings({"agpt_data_dir": data})[0].to_json()


def test_a_data_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(CannotStart, match="cannot be made"):
        load_settings({"agpt_data_dir": str(tmp_path / "file" / "data")})


def test_the_default_data_directory_follows_the_user(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AGPT_DATA_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))

    settings, sources = load_settings()

    assert settings.agpt_data_dir == tmp_path / "xdg" / "agpt"
    assert sources["agpt_data_dir"] == "default"


def test_a_child_gets_the_same_settings_secrets_too(data: Path) -> None:
    settings, _ = load_settings({"provider_base_urls": '{"a": "http://b"}', "smtp_password": "pw"})

    assert Settings.from_json(settings.to_json()) == settings


def test_settings_do_not_show_their_secrets(data: Path) -> None:
    settings, _ = load_settings({"smtp_password": "hunter2"})

    assert "hunter2" not in repr(settings)
    assert settings.encryption_key.get_secret_value() not in repr(settings)
