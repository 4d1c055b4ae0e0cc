"""Agent files of other people that are made of local blocks only: each is imported and run.

They lie beside the project, never in it; where they are absent these tests are skipped.
"""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from backend.core.block import BlockSpec
from backend.core.errors import GraphInvalid
from backend.core.graph import Graph, all_graphs
from backend.core.status import Status
from backend.discovery import load_catalog
from backend.services.portable import read_graph, to_file
from backend.wiring_run import place_to_run, run_alone
from tests.contract.rest_server import RestServer

PLACE: Final = Path(__file__).parents[2].parent / "shared" / "agents"

#: Blocks that are built, but look outside: an agent with one of them is not local.
OUTSIDE: Final = frozenset({"SendWebRequestBlock", "GetWikipediaSummaryBlock", "ReadRSSFeedBlock"})


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A file; what it is given; what its nodes yield, by block; or what it lacks to be run."""

    file: str
    inputs: dict[str, Any]
    yields: dict[str, Any] | None = None
    lacks: str = ""


AGENTS: Final = [
    Agent(
        file="edge/double-encoded-export.json",
        inputs={"name": "Ada"},
        yields={"AgentOutputBlock": "Hello, Ada! Today's date is "},
    ),
    Agent(
        file="qa/hello-world-agent.json",
        inputs={"name": "Ada"},
        yields={"AgentOutputBlock": "Hello, Ada! Today's date is "},
    ),
    Agent(
        file="qa/calculator-agent.json",
        inputs={"Input": 4},
        yields={"AgentOutputBlock": "38"},
    ),
    Agent(
        file="fixture/manager_test-test_input_pin_always_waited.json",
        inputs={},
        yields={"FindInDictionaryBlock": "value2"},
    ),
    Agent(
        file="fixture/test-data-generatecomplextestgraph.json",
        inputs={"Load Test Input": "now"},
        yields={"AgentOutputBlock": ""},
    ),
    # Drawn to be looked at, not to be run: a required pin has nothing.
    *(
        Agent(file=f"fixture/graph_test-{name}.json", inputs={}, lacks="input")
        for name in (
            "test_credentials_input_schema_excludes_auto_creds",
            "test_graph_creation",
            "test_reassign_ids_handles_multiple_credential_fie",
            "test_reassign_ids_preserves_non_credential_fields",
        )
    ),
]


def read(path: Path) -> Graph:
    return read_graph(path.read_bytes(), name=path.stem, fresh=lambda: str(uuid.uuid4()))


def is_local(graph: Graph) -> bool:
    catalog = load_catalog()
    blocks = [catalog.get(node.block_id) for one in all_graphs(graph) for node in one.nodes]
    return all(
        b is not None
        and not (b.placeholder or b.credentials or b.name in OUTSIDE or _brings_account(b))
        for b in blocks
    )


def _brings_account(block: BlockSpec) -> bool:
    """Say whether a pin of *block* brings with a file the account that may open it."""
    return any("auto_credentials" in pin for pin in block.input_schema.properties.values())


def file_of(agent: Agent) -> Path:
    path = PLACE / agent.file
    if not path.exists():
        pytest.skip(f"{agent.file} is somebody else's, and is not here")
    return path


@pytest.mark.parametrize(
    "agent", [one for one in AGENTS if not one.lacks], ids=lambda agent: agent.file
)
async def test_a_local_agent_of_somebody_else_runs_without_node_errors(agent: Agent) -> None:
    catalog = load_catalog()

    with place_to_run(None) as settings:
        outcome = await run_alone(settings, read(file_of(agent)), agent.inputs, durable=False)

    assert outcome.record.status is Status.COMPLETED
    assert {node.status for node in outcome.nodes} == {Status.COMPLETED}
    blocks = {node.id: catalog.get(node.block_id) for node in outcome.graph.nodes}
    for name, beginning in (agent.yields or {}).items():
        values = [
            str(value)
            for node in outcome.nodes
            if (block := blocks[node.node_id]) is not None and block.name == name
            for value in next(iter(node.outputs.values()))  # an output block tells its name, too
        ]
        assert values
        assert all(value.startswith(beginning) for value in values), values


@pytest.mark.parametrize(
    "agent", [one for one in AGENTS if one.lacks], ids=lambda agent: agent.file
)
async def test_an_agent_that_lacks_a_value_is_imported_and_says_which(agent: Agent) -> None:
    graph = read(file_of(agent))

    with place_to_run(None) as settings, pytest.raises(GraphInvalid) as refused:
        await run_alone(settings, graph, agent.inputs, durable=False)

    assert refused.value.problems
    assert set(refused.value.problems) <= {node.id for node in graph.nodes}
    assert {pin for pins in refused.value.problems.values() for pin in pins} == {agent.lacks}


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.file)
async def test_a_local_agent_is_imported_by_the_server(server: RestServer, agent: Agent) -> None:
    graph = read(file_of(agent))

    saved = await server.new_graph(to_file(graph))

    assert [node["block_id"] for node in saved["nodes"]] == [one.block_id for one in graph.nodes]
    assert saved["input_schema"]["properties"].keys() >= agent.inputs.keys()


def test_no_local_agent_is_forgotten() -> None:
    if not PLACE.exists():
        pytest.skip("the agents of other people are not here")

    local = {
        f"{path.parent.name}/{path.name}"
        for path in PLACE.glob("*/*.json")
        if _can_be_read(path) and is_local(read(path))
    }

    assert local == {agent.file for agent in AGENTS}


def _can_be_read(path: Path) -> bool:
    try:
        read(path)
    except GraphInvalid:
        return False
    return True
