"""Agents from elsewhere, and our sample: imported, run by REST, run without a server, watched."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backend.services.portable import to_file
from backend.usecases.sample import create_test_graph
from tests.e2e.conftest import StartServer
from tests.e2e.harness import Server
from tests.e2e.running import ROOT
from tests.e2e.test_cli import Agpt

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

#: Files of other people: they lie beside the project, never in it.
ELSEWHERE = ROOT.parent / "shared" / "agents" / "qa"


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A file of ELSEWHERE, or our sample; what it is given, and how what it prints begins."""

    file: str
    inputs: dict[str, Any]
    output: str
    beginning: str

    def content(self) -> str:
        if not self.file:
            return json.dumps(to_file(create_test_graph()))
        path = ELSEWHERE / self.file
        if not path.exists():
            pytest.skip(f"{self.file} is somebody else's, and is not here")
        return path.read_text(encoding="utf-8")


AGENTS = [
    Agent(
        file="",
        inputs={"input_1": "Good", "input_2": "day"},
        output="output",
        beginning="Good, day!!!",
    ),
    Agent(
        file="calculator-agent.json",
        inputs={"Input": 4},
        output="Output",
        beginning="38.0",
    ),
    # It ends with the date.
    Agent(
        file="hello-world-agent.json",
        inputs={"name": "Ada"},
        output="greeting",
        beginning="Hello, Ada! Today's date is ",
    ),
]


@pytest.fixture(params=AGENTS, ids=lambda agent: agent.file or "sample")
def agent(request: pytest.FixtureRequest, tmp_path: Path) -> Agent:
    found: Agent = request.param
    (tmp_path / "agent.json").write_text(found.content(), encoding="utf-8")
    return found


@pytest.fixture
def agpt(tmp_path: Path) -> Agpt:
    home = tmp_path / "home"
    home.mkdir()
    return Agpt(home)


def test_it_runs_without_a_server(agent: Agent, agpt: Agpt, tmp_path: Path) -> None:
    given = [part for name, value in agent.inputs.items() for part in ("-i", f"{name}={value}")]

    code, printed, errors = agpt("run", str(tmp_path / "agent.json"), *given)

    assert (code, errors) == (0, "")
    assert printed.startswith(f"{agent.output}: {agent.beginning}")
    assert printed.count("\n") == 1


def test_it_is_imported_run_and_watched(
    agent: Agent, agpt: Agpt, start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server()
    code, printed, errors = agpt.uses(server)("import", str(tmp_path / "agent.json"))
    assert (code, errors) == (0, "")
    graph_id = printed.split()[1]

    run_id = server.rest.start(graph_id, **agent.inputs)
    frames = watched(agpt, server, run_id)

    run = server.rest.run(graph_id, run_id)
    assert run["status"] == "COMPLETED"
    yielded = [
        str(value)
        for node in run["node_executions"]
        for values in node["output_data"].values()
        for value in values
    ]
    assert any(text.startswith(agent.beginning) for text in yielded)
    assert frames[-1]["data"]["status"] == "COMPLETED"
    assert frames[-1]["data"]["outputs"] == run["outputs"]
    assert {frame["data"].get("node_exec_id") for frame in frames[1:-1]} >= {
        node["node_exec_id"] for node in run["node_executions"]
    }


def watched(agpt: Agpt, server: Server, run_id: str) -> list[dict[str, Any]]:
    """Return what the WebSocket service tells of a run, to its end."""
    at = f"127.0.0.1:{server.ports['WebsocketServer']}"
    code, printed, errors = agpt("test", "websocket", at, run_id)
    assert (code, errors) == (0, "")
    return [json.loads(line) for line in printed.splitlines()]


OLD = {
    "name": "old",
    "nodes": [
        {
            "id": "n",
            "block_id": "db7d8f02-2f44-4c55-ab7a-eae0941f0c30",
            "input_default": {"format": "Hi {who}", "named_texts": {"who": "Ada"}},
        }
    ],
    "links": [],
}


def test_an_old_file_is_mended_and_told(
    agpt: Agpt, start_server: StartServer, tmp_path: Path
) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(OLD), encoding="utf-8")

    ran = agpt("run", str(path))
    code, printed, errors = agpt.uses(start_server())("import", str(path))

    told = ["named_texts is called values now", "places of format have two braces now: who"]
    assert ran == (0, "output: Hi Ada\n", "".join(f"mended at node n: {one}\n" for one in told))
    first, node, *lines = printed.splitlines()
    assert (code, errors, first.split()[0], node.split()[0]) == (0, "", "graph", "node")
    assert [line.strip() for line in lines] == told
