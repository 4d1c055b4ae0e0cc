"""`agpt start`, `stop`, `status`, `logs`: the real commands, the real supervisor, small services."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from backend.util.identity import Identity, identify, is_alive, wait_until_gone
from tests.e2e.running import ROOT, family_of, free_ports

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SERVICES = {
    "DatabaseManager": "DATABASE_API_PORT",
    "Scheduler": "EXECUTION_SCHEDULER_PORT",
    "NotificationManager": "NOTIFICATION_SERVICE_PORT",
    "WebsocketServer": "WEBSOCKET_SERVER_PORT",
    "AgentServer": "AGENT_API_PORT",
    "ExecutionManager": "EXECUTION_MANAGER_PORT",
}
LIMIT_S = 60


class Agpt:
    """The command line of a user who has a home of their own."""

    def __init__(self, home: Path) -> None:
        self.pid_file = home / ".config" / "agpt" / "running.tmp"
        self.data = home / "data"
        self.ports = {name: int(port) for name, port in free_ports(SERVICES).items()}
        self.environment = {
            **os.environ,
            "HOME": str(home),
            "AGPT_DATA_DIR": str(self.data),
            "PYTHONPATH": str(Path(__file__).parent / "fake_wiring"),
            **{SERVICES[name]: str(port) for name, port in self.ports.items()},
        }

    def __call__(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        ended = subprocess.run(
            [sys.executable, "-c", "from backend.cli import main; main()", *arguments],
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        return ended.returncode, ended.stdout, ended.stderr

    def server(self) -> Identity:
        found = identify(int(self.pid_file.read_text()))
        assert found is not None
        return found

    def claim(self, pid: int, birth: str | None) -> None:
        """Write the pid files by hand."""
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        self.pid_file.write_text(str(pid))
        if birth is not None:
            self.pid_file.with_name("running.started").write_text(birth)


@pytest.fixture
def agpt(tmp_path: Path) -> Iterator[Agpt]:
    command = Agpt(tmp_path)
    yield command
    code, out, errors = command("stop")
    assert code == 0, out + errors


@pytest.fixture
def stranger() -> Iterator[Identity]:
    """Somebody else's program."""
    with subprocess.Popen(["sleep", "600"]) as process:
        found = identify(process.pid)
        assert found is not None
        yield found
        process.kill()


def test_start_returns_when_all_six_are_ready(agpt: Agpt) -> None:
    code, out, errors = agpt("start")

    assert (code, errors) == (0, "")
    for name, port in agpt.ports.items():
        assert f"127.0.0.1:{port}" in out
        assert name in out
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_programs_are_told_in_json_what_was_started_and_stopped(agpt: Agpt) -> None:
    started = agpt("start", "--json")
    pid = agpt.server().pid
    shown = agpt("logs", "--json", "AgentServer", "-n", "1")
    stopped = agpt("stop", "--json")

    assert {(code, errors) for code, _, errors in (started, shown, stopped)} == {(0, "")}
    services = {name: f"127.0.0.1:{port}" for name, port in agpt.ports.items()}
    assert json.loads(started[1]) == {"pid": pid, "services": services}
    assert json.loads(shown[1])["log"] == "AgentServer"
    assert json.loads(stopped[1]) == {"stopped": True, "pid": pid, "killed": False}


def test_the_pid_file_holds_the_pid_and_nothing_else(agpt: Agpt) -> None:
    agpt("start")

    text = agpt.pid_file.read_text()

    assert text.isdecimal()
    assert is_alive(agpt.server())
    assert agpt.pid_file.with_name("running.started").read_text() == agpt.server().birth


def test_the_server_is_detached(agpt: Agpt) -> None:
    agpt("start")

    pid = agpt.server().pid

    assert os.getsid(pid) == pid
    assert Path(f"/proc/{pid}/fd/1").readlink() == agpt.data / "logs" / "server.log"


def test_a_second_start_says_that_it_runs_and_changes_nothing(agpt: Agpt) -> None:
    agpt("start")
    server = agpt.server()

    code, _, errors = agpt("start")

    assert code == 1
    assert errors == f"agpt: The server is already running (pid {server.pid}).\n"
    assert agpt.server() == server


def test_stop_ends_the_whole_tree_and_says_so(agpt: Agpt) -> None:
    agpt("start")
    server = agpt.server()
    family = family_of(server.pid)

    code, out, _ = agpt("stop")

    assert (code, out) == (0, f"Stopped the server (pid {server.pid}).\n")
    assert len(family) == 8
    assert wait_until_gone(family, limit_s=0) == []
    assert not agpt.pid_file.exists()


def test_stop_without_a_server_says_so(agpt: Agpt) -> None:
    assert agpt("stop") == (0, "The server is not running.\n", "")


def test_stop_after_the_server_was_killed_removes_the_file(agpt: Agpt) -> None:
    agpt("start")
    family = family_of(agpt.server().pid)
    os.kill(agpt.server().pid, signal.SIGKILL)
    assert wait_until_gone(family, limit_s=5) == []

    code, out, _ = agpt("stop")

    assert code == 0
    assert out.startswith("The server is not running.")
    assert not agpt.pid_file.exists()


@pytest.mark.parametrize("garbage", ["", "abc", "-5", "0", "99999999999999999999", "\x00"])
def test_garbage_in_the_pid_file_is_cleaned(agpt: Agpt, garbage: str) -> None:
    agpt.pid_file.parent.mkdir(parents=True)
    agpt.pid_file.write_text(garbage)

    code, out, _ = agpt("stop")

    assert code == 0
    assert out.startswith("The server is not running.")
    assert not agpt.pid_file.exists()


def test_start_replaces_the_file_of_a_dead_server(agpt: Agpt, stranger: Identity) -> None:
    agpt.claim(stranger.pid, "a birth long ago")

    code, _, _ = agpt("start")

    assert code == 0
    assert agpt.server() != stranger
    assert is_alive(stranger)


def test_a_pid_that_belongs_to_another_program_now_is_never_touched(
    agpt: Agpt, stranger: Identity
) -> None:
    agpt.claim(stranger.pid, "a birth long ago")

    code, out, _ = agpt("stop")

    assert code == 0
    assert out.startswith("The server is not running.")
    assert is_alive(stranger)


def test_a_pid_that_nothing_vouches_for_is_left_alone(agpt: Agpt, stranger: Identity) -> None:
    agpt.claim(stranger.pid, None)

    code, _, errors = agpt("stop")
    state = json.loads(agpt("status", "--json")[1])["state"]
    agpt.pid_file.unlink()

    assert code == 1
    assert "left alone" in errors
    assert state == "unknown"
    assert is_alive(stranger)


def test_status_lists_services_with_their_addresses(agpt: Agpt) -> None:
    agpt("start")

    found = json.loads(agpt("status", "--json")[1])

    assert (found["state"], found["pid"]) == ("running", agpt.server().pid)
    assert {s["name"]: s["address"] for s in found["services"]} == {
        name: f"127.0.0.1:{port}" for name, port in agpt.ports.items()
    }
    assert {s["state"] for s in found["services"]} == {"ready"}


def test_status_without_a_server_is_stopped(agpt: Agpt) -> None:
    assert agpt("status") == (0, "stopped\n", "")


def test_a_start_that_fails_says_why_and_leaves_nothing(agpt: Agpt) -> None:
    code, _, errors = agpt("start", FAKE_FAILURE="database")

    assert code == 1
    assert errors.startswith("agpt: The database is newer than this program.\n")
    assert str(agpt.data / "logs" / "server.log") in errors
    assert not agpt.pid_file.exists()
    assert json.loads(agpt("status", "--json")[1])["state"] == "stopped"


def test_a_start_on_a_taken_port_fails_with_the_port(agpt: Agpt) -> None:
    with socket.create_server(("127.0.0.1", agpt.ports["AgentServer"])):
        code, _, errors = agpt("start")

    assert code == 1
    assert f"Port {agpt.ports['AgentServer']} on 127.0.0.1 is taken" in errors


def test_a_deaf_service_does_not_keep_the_server_from_stopping(agpt: Agpt) -> None:
    agpt("start", FAKE_DEAF="scheduler", STOP_LIMIT_S="1")
    family = family_of(agpt.server().pid)

    code, out, _ = agpt("stop")

    assert code == 0
    assert out.startswith("Stopped")
    assert wait_until_gone(family, limit_s=0) == []


def test_logs_are_for_the_owner_only_and_can_be_shown(agpt: Agpt) -> None:
    agpt("start")

    code, out, _ = agpt("logs", "agentserver", "-n", "1")

    [line] = out.splitlines()
    assert code == 0
    assert json.loads(line)["event"] == "service_ready"
    assert json.loads(line)["version"]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (agpt.data / "logs").iterdir()}
    assert modes == {0o600}


def test_logs_of_nobody_name_those_that_there_are(agpt: Agpt) -> None:
    agpt("start")

    code, _, errors = agpt("logs", "nobody")

    assert code == 1
    assert "There is no log of nobody. There are: AgentServer," in errors


def test_a_token_is_for_the_owner_and_ends(agpt: Agpt) -> None:
    code, out, _ = agpt("token", "--ttl", "90m")

    key = (agpt.data / "keys" / "jwt.key").read_text().strip()
    claims = jwt.decode(out.strip(), key, algorithms=["HS256"], audience="authenticated")
    assert code == 0
    assert claims["sub"] == "3e53486c-cf57-477e-ba2a-cb02dc828e1a"
    assert claims["exp"] - claims["iat"] == 5400


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nonsense"], 2),
        (["start", "--nonsense"], 2),
        (["logs", "-n", "-1"], 2),
        (["token", "--ttl", "soon"], 1),
        (["token", "--ttl", "0s"], 1),
        (["start", "--log-level", "loud"], 1),
    ],
)
def test_a_wrong_command_line_is_refused(agpt: Agpt, arguments: list[str], expected: int) -> None:
    code, _, errors = agpt(*arguments)

    assert code == expected
    assert errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("name", ["gen-encrypt-key", "gen_encrypt_key"])
def test_a_key_is_made_under_both_names(agpt: Agpt, name: str) -> None:
    first, second = agpt(name)[1].strip(), agpt(name)[1].strip()

    assert len(first) == 44
    assert first != second
