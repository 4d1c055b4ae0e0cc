"""A tool of an MCP server in real runs: the engine, the journal, the memory, a question to people."""

from pathlib import Path
from typing import Any

from backend.core.graph import Graph, Node
from backend.core.ids import BlockId, GraphId, NodeId
from backend.core.status import Status
from backend.settings import Settings
from backend.wiring_run import Outcome, place_to_run, run_alone
from tests.blocks.test_mcp_tools import Tools, asked, tools

__all__ = ["tools"]


def graph_of(inputs: dict[str, Any]) -> Graph:
    node = Node(
        id=NodeId("11111111-1111-4111-8111-111111111111"),
        block_id=BlockId("a0a4b1c2-d3e4-4f56-a7b8-c9d0e1f2a3b4"),
        input_default=inputs,
    )
    return Graph(id=GraphId("g"), name="Sums", description="", nodes=(node,))


async def test_a_changed_tool_makes_a_run_wait_for_a_person(tools: Tools, tmp_path: Path) -> None:
    with place_to_run(tmp_path) as settings:
        opened = settings.model_copy(
            update={"trust_endpoints_for_requests": [f"http://127.0.0.1:{tools.port}"]}
        )
        first = await run(opened, tools, a=1, b=1)
        tools.describe("Something else.")
        second = await run(opened, tools, a=2, b=2)

    assert first.record.status is Status.COMPLETED, first.nodes
    assert second.record.status is Status.REVIEW, second.nodes
    assert tools.calls == [(1, 1)]


async def run(settings: Settings, tools: Tools, **arguments: int) -> Outcome:
    graph = graph_of(asked(tools, "add", **arguments))
    return await run_alone(settings, graph, {}, durable=True, limit_s=30)
