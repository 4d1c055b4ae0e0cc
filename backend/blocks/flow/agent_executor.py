"""AgentExecutor: a graph inside a graph."""

from collections.abc import AsyncIterator
from typing import Any

from backend.sdk import Block, BlockContext, BlockType, Category, Effect, pin, pins


class AgentExecutorBlock(Block):
    """Runs another agent as one step of this one, and hands on its outputs as they come."""

    id = "e189baac-8c20-45a1-94a7-55177ea42565"
    categories = (Category.AGENT,)
    block_type = BlockType.AGENT
    no_error_pin = True
    # The id of the child run is derived from this node execution: twice is the same run.
    effect = Effect.IDEMPOTENT
    time_limit_s = 0  # it takes as long as it takes

    @pins
    class Input:
        """Input pins."""

        user_id: str = pin(description="Whose run it is.")
        graph_id: str = pin(description="The agent.")
        graph_version: int = pin(description="Its version.")
        agent_name: str | None = pin(default=None, description="Shown on the node.")
        inputs: dict[str, Any] = pin(description="Values by the names of the agent's inputs.")
        input_schema: dict[str, Any] = pin(description="What the agent takes.")
        output_schema: dict[str, Any] = pin(description="What the agent gives.")
        nodes_input_masks: dict[str, Any] | None = pin(
            default=None,
            hidden=True,
            description="Values that stand before all others, by node.",
            schema={
                "anyOf": [
                    {
                        "type": "object",
                        "additionalProperties": {"type": "object", "additionalProperties": {}},
                    },
                    {"type": "null"},
                ]
            },
        )

    @pins
    class Output:
        """No pins of its own: the outputs are the agent's."""

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the outputs of the agent."""
        if context.agents is None:
            raise ValueError("an agent can only be run as part of a run")
        outputs = context.agents.run(inputs.graph_id, inputs.graph_version, inputs.inputs)
        async for name, value in outputs:
            yield name, value
