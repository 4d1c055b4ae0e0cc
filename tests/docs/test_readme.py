"""The README's commands, all of them, typed into a shell in an empty home."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.docs.markdown import Block, blocks, documents
from tests.e2e.running import free_ports
from tests.house.source import ROOT
from tests.stores import STORES

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PORTS = (
    "AGENT_API_PORT",
    "WEBSOCKET_SERVER_PORT",
    "EXECUTION_MANAGER_PORT",
    "EXECUTION_SCHEDULER_PORT",
    "DATABASE_API_PORT",
    "NOTIFICATION_SERVICE_PORT",
)
LIMIT_S = 180
#: `make run` prints this command when all services are ready.
READY = "agpt token"


@pytest.fixture
def home(tmp_path: Path, store_kind: None) -> Iterator[dict[str, str]]:
    """An environment as on a fresh machine, with ports that nobody uses."""
    own = (*PORTS, "VIRTUAL_ENV", "DATABASE_URL", "JWT_VERIFY_KEY", "ENCRYPTION_KEY")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in own and not name.startswith(("AGPT_", "XDG_", "PYTEST_", "MAKE", "COV_"))
    }
    environment |= free_ports(PORTS)
    # What uv has downloaded before is no part of a home.
    environment.setdefault("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))
    environment |= {"HOME": str(tmp_path), "AGPT_DATA_DIR": str(tmp_path / "data")}
    STORES.at(tmp_path / "data", tables=False)
    yield environment
    agpt = ROOT / ".venv" / "bin" / "agpt"
    subprocess.run([agpt, "stop"], cwd=ROOT, env=environment, capture_output=True, check=False)


def test_the_session_ends_with_the_outputs_that_it_shows(home: dict[str, str]) -> None:
    if not shutil.which("curl"):
        pytest.skip("the README's session uses curl, which is not here")
    session = [pair for pair in commands_and_outputs("README.md") if "make run" not in pair[0].text]
    assert_session(session, home)


def assert_session(session: list[tuple[Block, list[str]]], home: dict[str, str]) -> None:
    """Type the commands of *session* into one shell: each must print what is shown after it."""
    script = "\n".join(f"{commands.text}\necho @@end" for commands, _ in session)
    for standard, name in (("8006", PORTS[0]), ("8001", PORTS[1])):
        script = script.replace(f"127.0.0.1:{standard}", f"127.0.0.1:{home[name]}")

    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env=home,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    printed = ended.stdout.split("@@end")
    for (commands, shown), output in zip(session, printed, strict=False):
        assert in_order(shown, output), f"{commands.text}\nprinted:\n{output}"


def test_make_run_starts_everything_and_ctrl_c_ends_it(home: dict[str, str]) -> None:
    with in_foreground(["make", "run"], home) as process:
        assert process.stdout is not None
        printed = "".join(until(READY, process.stdout))
        health = f"http://127.0.0.1:{home[PORTS[0]]}/health"
        with urllib.request.urlopen(health, timeout=10) as answer:
            status = answer.status
        # A terminal sends Ctrl-C to the whole group.
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stdout.read()

    assert status == 200, printed
    assert all(can_listen(int(home[name])) for name in PORTS), printed + rest


def test_make_test_is_there() -> None:
    # It would run this very test again.
    shown = subprocess.run(
        ["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "tools/test.sh" in shown.stdout
    assert "pytest" in (ROOT / "tools/test.sh").read_text()


def commands_and_outputs(document: str) -> list[tuple[Block, list[str]]]:
    """Each block of commands with the lines that *document* shows after it."""
    pairs: list[tuple[Block, list[str]]] = []
    for block in blocks(documents()[document]):
        if block.language == "sh":
            pairs.append((block, []))
        elif block.language == "text" and pairs:
            pairs[-1][1].extend(block.text.splitlines())
    return pairs


def in_order(lines: list[str], output: str) -> bool:
    """Say whether *output* holds all *lines*, in this order."""
    place = 0
    for line in lines:
        found = output.find(line, place)
        if found < 0:
            return False
        place = found + len(line)
    return True


@contextmanager
def in_foreground(
    command: list[str], environment: dict[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """Run *command* as a terminal does, in a group of its own. It must end within the limit."""
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )
        limit = threading.Timer(LIMIT_S, os.killpg, (process.pid, signal.SIGKILL))
        limit.start()
        stack.callback(limit.cancel)
        try:
            yield process
            process.wait(LIMIT_S)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def until(wanted: str, lines: Iterator[str]) -> Iterator[str]:
    """Give the lines up to the one that holds *wanted*."""
    seen: list[str] = []
    for line in lines:
        seen.append(line)
        yield line
        if wanted in line:
            return
    pytest.fail(f"it ended without {wanted!r}:\n{''.join(seen)}")


def can_listen(port: int) -> bool:
    """Say whether nobody holds *port*."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
