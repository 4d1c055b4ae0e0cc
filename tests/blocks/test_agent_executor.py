"""AgentExecutor runs the other graph and hands on what comes."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from backend.blocks.flow.agent_executor import AgentExecutorBlock
from backend.sdk import make_inputs
from backend.testing.blocks import CONTEXT, yielded

NODE = {
    "user_id": "u",
    "graph_id": "g",
    "graph_version": 2,
    "inputs": {"a": None},
    "input_schema": {},
    "output_schema": {},
}


class OtherRuns:
    """Runs that yield what they were asked with."""

    async def run(
        self, graph_id: str, graph_version: int, inputs: Mapping[str, Any]
    ) -> AsyncIterator[tuple[str, Any]]:
        yield "asked", [graph_id, graph_version, dict(inputs)]
        yield "error", "an output of this name is the agent's own"


async def test_outputs_of_the_agent_are_handed_on() -> None:
    made = make_inputs(AgentExecutorBlock, NODE)
    context = replace(CONTEXT, agents=OtherRuns())

    outputs = [each async for each in yielded(AgentExecutorBlock(), made, context)]

    assert outputs == [
        ("asked", ["g", 2, {"a": None}]),
        ("error", "an output of this name is the agent's own"),
    ]


async def test_alone_it_says_that_it_needs_a_run() -> None:
    made = make_inputs(AgentExecutorBlock, NODE)

    with pytest.raises(ValueError, match="part of a run"):
        _ = [each async for each in yielded(AgentExecutorBlock(), made, CONTEXT)]
