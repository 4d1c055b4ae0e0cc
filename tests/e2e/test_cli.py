"""Whole commands, as people type them: right ones and wrong ones."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.services.portable import to_file
from backend.usecases.sample import create_test_graph
from tests.e2e.conftest import StartServer
from tests.e2e.harness import KEY, SERVICES, Server, until
from tests.e2e.running import ROOT, free_ports
from tests.stores import STORES
from tests.unit.test_wiring_run import endless

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

AGPT = [sys.executable, "-c", "from backend.cli import main; main()"]
LIMIT_S = 60


class Agpt:
    """The command line of somebody who has a home, and a folder with a few files, of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.temporary = home / "temporary"
        self.temporary.mkdir()
        STORES.at(home / "data", tables=False)
        own = ("AGPT_TOKEN", "DATABASE_URL", "ENCRYPTION_KEY", "VIRTUAL_ENV")
        self.environment = {
            **{name: text for name, text in os.environ.items() if name not in own},
            **free_ports(SERVICES.values()),
            "HOME": str(home),
            "AGPT_DATA_DIR": str(home / "data"),
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": str(ROOT),
        }
        self.file("sample.json", to_file(create_test_graph()))
        self.file("endless.json", to_file(endless()))
        self.file("empty.json", {})
        self.file("unknown.json", {"nodes": [{"id": "a", "block_id": "nobody"}]})
        (home / "bad.json").write_text("{", encoding="utf-8")

    def file(self, name: str, content: Any) -> None:
        (self.home / name).write_text(json.dumps(content), encoding="utf-8")

    def uses(self, server: Server) -> "Agpt":
        ports = {variable: str(server.ports[name]) for name, variable in SERVICES.items()}
        self.environment |= {**ports, "JWT_VERIFY_KEY": KEY}
        return self

    def __call__(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        ended = subprocess.run(
            [*AGPT, *arguments],
            cwd=self.home,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        return ended.returncode, ended.stdout, ended.stderr

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*AGPT, *arguments],
            cwd=self.home,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def left_behind(self) -> list[str]:
        pid_files = (self.home / ".config" / "agpt").glob("running.*[!k]")
        return [path.name for path in (*self.temporary.iterdir(), *pid_files)]


@pytest.fixture
def agpt(tmp_path: Path) -> Agpt:
    home = tmp_path / "home"
    home.mkdir()
    return Agpt(home)


WRONG: list[tuple[str, int, str]] = [
    ("nonsense", 2, "No such command 'nonsense'"),
    ("run", 2, "Name one agent file, or --sample."),
    ("run --sample sample.json", 2, "Name one agent file, or --sample."),
    ("run nowhere.json", 2, "'nowhere.json' does not exist"),
    ("run temporary", 2, "'temporary' is a directory"),
    ("run bad.json", 1, "bad.json is no agent file that can be read: not valid JSON"),
    ("run empty.json", 1, "it has no list of nodes"),
    ("run unknown.json", 1, "Invalid block nobody for node #a"),
    ("run sample.json", 2, "input_1, input_2 are missing. The inputs are: input_1 (required)"),
    ("run --sample -i nay=1", 2, "There is no input 'nay'. The inputs are: input_1"),
    ("run --sample -i input_1=1", 2, "input_2 is missing"),
    ("run --sample -i input_1", 2, "write NAME=VALUE"),
    ("run --sample -i input_1=@nowhere", 2, "nowhere, for 'input_1', cannot be read"),
    ("run --sample --timeout 0", 2, "--timeout"),
    ("run --sample --timeout soon", 2, "not a valid float"),
    ("run --sample --server", 1, "No server answers at http://127.0.0.1:"),
    ("run --sample --data-dir bad.json", 2, "'bad.json' is a file"),
    ("run --sample --data-dir bad.json/d", 1, "cannot be made: Not a directory"),
    ("import", 2, "Missing argument 'FILE...'"),
    ("import bad.json", 1, "not valid JSON"),
    ("import sample.json --server ftp://here", 1, "is no address of a server"),
    ("import sample.json", 1, "`agpt start` starts it"),
    ("export", 2, "Missing argument 'GRAPH_ID'"),
    ("export it --version 0", 2, "--version"),
    ("export it", 1, "No server answers"),
    ("test nothing", 2, "No such command 'nothing'"),
    ("test graph http://127.0.0.1:1", 1, "No server answers at http://127.0.0.1:1"),
    ("test graph http://host:99999", 1, "is no address of a server"),
    ("test graph http://a..b:1", 1, "is no address of a server"),
    ("test reddit", 1, "No server answers"),
    ("test event", 1, "No server answers"),
    ("test event --timeout 0", 2, "--timeout"),
    ("test websocket 127.0.0.1:1", 2, "Missing argument 'EXEC_ID'"),
    ("test websocket 127.0.0.1:1 it", 1, "No WebSocket server answers at ws://127.0.0.1:1"),
    ("token --ttl soon", 1, "'soon' is no time"),
    ("logs Nobody", 1, "There is no log of Nobody"),
]


@pytest.mark.parametrize(("line", "code", "sentence"), WRONG, ids=[line for line, _, _ in WRONG])
def test_a_wrong_command_gets_its_sentence_and_leaves_nothing(
    agpt: Agpt, line: str, code: int, sentence: str
) -> None:
    ended, printed, errors = agpt(*line.split())

    assert (ended, printed) == (code, "")
    assert sentence in errors
    assert "Traceback" not in errors
    assert agpt.left_behind() == []


def test_a_wrong_setting_is_named(agpt: Agpt) -> None:
    code, _, errors = agpt("run", "--sample", LOG_LEVEL="loud")

    assert code == 1
    assert "LOG_LEVEL cannot be 'loud' (environment)" in errors
    assert agpt.left_behind() == []


def test_the_sample_needs_no_server_and_leaves_nothing(agpt: Agpt) -> None:
    code, printed, errors = agpt("run", "--sample", "-i", "input_1=Good", "-i", "input_2=day")

    assert (code, printed, errors) == (0, "output: Good, day!!!\n", "")
    assert agpt.left_behind() == []
    assert {path.name for path in (agpt.home / "data").glob("*")} <= {"config.json"}


def test_programs_get_one_json_object(agpt: Agpt) -> None:
    code, printed, _ = agpt("run", "--sample", "--json")

    found = json.loads(printed)
    assert (code, found["status"]) == (0, "COMPLETED")
    assert found["outputs"] == {"output": ["Hello, World!!!"]}
    assert {"execution", "nodes", "stats"} < found.keys()


def test_a_failed_node_is_told_and_makes_the_exit_code_1(agpt: Agpt) -> None:
    graph = {
        "nodes": [
            {
                "id": "divider",
                "block_id": "db7d8f02-2f44-4c55-ab7a-eae0941f0c30",
                "input_default": {"format": "{{ 1 / 0 }}", "values": {}},
            }
        ]
    }
    agpt.file("failing.json", graph)

    code, printed, errors = agpt("run", "failing.json")

    assert (code, printed) == (1, "")
    assert "FillTextTemplateBlock (node divider) failed: " in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_stopped_and_leaves_nothing(
    agpt: Agpt, number: signal.Signals
) -> None:
    process = agpt.begin("run", "endless.json", "--json")
    # The journal's first commit: the run is under way.
    until(lambda: [*agpt.temporary.glob("agpt-run-*/agpt.db-wal")] or None, what="the run")

    process.send_signal(number)
    printed, errors = process.communicate(timeout=LIMIT_S)

    assert process.returncode == 130
    assert errors in ("", "agpt: interrupted.\n")
    assert not printed or json.loads(printed)["status"] == "TERMINATED"
    assert agpt.left_behind() == []


def test_a_run_over_its_time_is_stopped(agpt: Agpt) -> None:
    code, _, errors = agpt("run", "endless.json", "--timeout", "0.2")

    assert (code, errors) == (1, "agpt: the time is over; the run was stopped.\n")


def test_help_is_quick() -> None:
    code = (
        "import sys; sys.argv = ['agpt', 'run', '--help']\n"
        "from backend.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'pydantic', 'httpx2', 'asyncio', 'structlog', 'websockets', 'orjson'}\n"
        "print(*sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert ended.stderr.split() in ([], ["orjson"])


class TestWithAServer:
    """One server for each test: they change what it holds."""

    @pytest.fixture
    def server(self, start_server: StartServer) -> Server:
        return start_server()

    @pytest.mark.both_stores
    def test_a_file_goes_in_and_out_and_runs_on_both_sides(
        self, agpt: Agpt, server: Server
    ) -> None:
        agpt.uses(server)
        inputs = ("-i", "input_1=Good", "-i", "input_2=day")

        code, printed, errors = agpt("import", "sample.json")
        assert (code, errors) == (0, "")
        word, graph_id, *version = printed.split()
        assert (word, version) == ("graph", ["version", "1"])

        assert agpt("export", graph_id, "-o", "back.json")[0] == 0
        for place in ((), ("--server",)):
            assert agpt("run", "back.json", *inputs, *place)[:2] == (0, "output: Good, day!!!\n")

    def test_a_file_that_is_refused_does_not_keep_others_out(
        self, agpt: Agpt, server: Server
    ) -> None:
        code, printed, errors = agpt.uses(server)("import", "unknown.json", "sample.json")

        assert code == 1
        assert printed.startswith("graph ")
        assert "unknown.json is refused: " in errors
        assert "Invalid block nobody for node #a" in errors
        assert len(server.rest.get("/graphs")) == 1

    def test_the_sample_graph_is_created_run_and_watched(self, agpt: Agpt, server: Server) -> None:
        code, printed, _ = agpt.uses(server)(
            "test", "graph", f"http://127.0.0.1:{server.ports['AgentServer']}"
        )

        lines = printed.splitlines()
        run_id = lines[1].split()[1]
        assert (code, lines[2]) == (0, "output: Hello, World!!!")

        at = f"127.0.0.1:{server.ports['WebsocketServer']}"
        code, printed, _ = agpt("test", "websocket", at, run_id)

        frames = [json.loads(line) for line in printed.splitlines()]
        assert (code, frames[-1]["data"]["status"]) == (0, "COMPLETED")
        assert sum(frame["method"] == "node_execution_event" for frame in frames) == 4

    @pytest.mark.parametrize(
        ("line", "sentence"),
        [
            ("export nobody", "answered 404: Graph #nobody not found."),
            ("import sample.json --token wrong", "does not accept the token"),
            ("test graph --token wrong", "does not accept the token"),
            ("test websocket {ws} nobody", "Graph execution nobody not found"),
            ("test websocket {ws} nobody --token wrong", "does not accept the token"),
            ("test websocket {rest} nobody", "is no WebSocket server of ours"),
        ],
    )
    def test_what_the_server_refuses_is_one_sentence(
        self, agpt: Agpt, server: Server, line: str, sentence: str
    ) -> None:
        at = {name: f"127.0.0.1:{server.ports[name]}" for name in server.ports}
        arguments = line.format(ws=at["WebsocketServer"], rest=at["AgentServer"]).split()

        code, _, errors = agpt.uses(server)(*arguments)

        assert code == 1
        assert sentence in errors
        assert errors.count("\n") == 1

    def test_a_data_directory_in_use_is_left_alone(self, agpt: Agpt, server: Server) -> None:
        data_dir = str(server.data_dir)

        code, printed, errors = agpt.uses(server)("run", "--sample", "--data-dir", data_dir)

        assert (code, printed) == (1, "")
        assert f"is in use by pid {server.running.pid}" in errors

    def test_an_interrupted_run_is_stopped_on_the_server_too(
        self, agpt: Agpt, server: Server
    ) -> None:
        process = agpt.uses(server).begin("run", "endless.json", "--server")
        until(
            lambda: any(run["status"] == "RUNNING" for run in server.rest.get("/executions")),
            what="the run",
        )

        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=LIMIT_S)

        assert (process.returncode, errors) == (130, "agpt: interrupted; the run was stopped.\n")
        [run] = server.rest.get("/executions")
        assert run["status"] == "TERMINATED"
