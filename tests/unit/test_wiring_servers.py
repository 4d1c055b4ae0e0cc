"""The administrator's file of tool servers: what it takes, and what stops the start."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.mcp import LocalServer
from backend.core.errors import BadSetting, NotConfigured, NotFound
from backend.core.ids import UserId
from backend.settings import Settings
from backend.wiring_servers import local_servers

SOMEBODY = UserId("somebody")
GOOD: dict[str, Any] = {"command": sys.executable, "users": "all"}
Written = Callable[..., Settings]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(entries: Any, *, mode: int = 0o600) -> Settings:
        path = tmp_path / "servers.json"
        path.write_text(entries if isinstance(entries, str) else json.dumps(entries))
        path.chmod(mode)
        return Settings(agpt_data_dir=tmp_path, mcp_servers_file=str(path))

    return write


def test_an_entry_is_all_that_is_run(written: Written, tmp_path: Path) -> None:
    entry = {
        "command": "sh",
        "args": ["-c", "echo $KEY; id"],
        "env": {"PATH": "/usr/bin:/bin", "KEY": "secret"},
        "folder": str(tmp_path),
        "users": [SOMEBODY],
    }

    found = local_servers(written({"tools": entry})).find("stdio:tools", SOMEBODY)

    assert found.command[0].endswith("/sh")
    assert found.command[1:] == ("-c", "echo $KEY; id")
    assert {name: value.reveal() for name, value in found.environment.items()} == entry["env"]
    assert (found.folder, found.users) == (str(tmp_path), frozenset({SOMEBODY}))
    assert "secret" not in repr(found)


def test_what_is_not_said_is_nothing(written: Written) -> None:
    found = local_servers(written({"tools": GOOD})).find("stdio:tools", SOMEBODY)

    assert found == LocalServer(name="tools", command=(sys.executable,))


def test_who_is_not_named_does_not_hear_of_it(written: Written) -> None:
    servers = local_servers(written({"mine": {**GOOD, "users": ["ann"]}, "ours": GOOD}))

    with pytest.raises(NotFound, match=r"there are: ours$"):
        servers.find("stdio:mine", SOMEBODY)


def test_without_the_setting_there_are_none(tmp_path: Path) -> None:
    servers = local_servers(Settings(agpt_data_dir=tmp_path))

    with pytest.raises(NotConfigured, match="MCP_SERVERS_FILE"):
        servers.find("stdio:tools", SOMEBODY)


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ("{", "Invalid JSON"),
        ([], "Input should be an object"),
        ({"Tools": GOOD}, "Tools: a name has 1 to 64 small letters"),
        ({"a/b": GOOD}, "a/b: a name has"),
        ({"tools": {"command": sys.executable}}, r"tools\.users: Field required"),
        ({"tools": {**GOOD, "users": "some"}}, r"tools\.users"),
        ({"tools": {**GOOD, "shell": True}}, r"tools\.shell: Extra inputs"),
        ({"tools": {**GOOD, "args": "-c id"}}, r"tools\.args: Input should be a valid"),
        ({"tools": {**GOOD, "env": {"A": 1}}}, r"tools\.env\.A: Input should be a valid string"),
        ({"tools": {**GOOD, "env": {"A=B": "x"}}}, "tools: env has an entry"),
        ({"tools": {**GOOD, "env": {"A": "\0"}}}, "tools: env has an entry"),
        ({"tools": {**GOOD, "args": ["\0"]}}, r"tools\.args\.0"),
        ({"tools": {**GOOD, "command": "no-such-program"}}, "no-such-program is no program"),
        ({"tools": {**GOOD, "command": "/"}}, "/ is no program"),
        ({"tools": {**GOOD, "command": "./run"}}, "must be a name, or begin with /"),
        ({"tools": {**GOOD, "folder": "here"}}, "folder here is no folder"),
        ({"tools": {**GOOD, "folder": "/nowhere/at/all"}}, "is no folder"),
    ],
)
def test_what_cannot_be_used_is_said_by_entry(written: Written, entries: Any, says: str) -> None:
    with pytest.raises(BadSetting, match=f"^MCP_SERVERS_FILE .*{says}"):
        local_servers(written(entries))


def test_a_wrong_entry_does_not_tell_its_secrets(written: Written) -> None:
    with pytest.raises(BadSetting) as refused:
        local_servers(written({"tools": {**GOOD, "env": {"KEY": ["secret"]}}}))

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_is_refused(written: Written, mode: int) -> None:
    with pytest.raises(BadSetting, match="others than its owner can write"):
        local_servers(written({"tools": GOOD}, mode=mode))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    settings = Settings(agpt_data_dir=tmp_path, mcp_servers_file=str(tmp_path / "nowhere.json"))

    with pytest.raises(BadSetting, match=r"nowhere\.json cannot be read"):
        local_servers(settings)
