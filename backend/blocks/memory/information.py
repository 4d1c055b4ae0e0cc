"""PersistInformation and RetrieveInformation: values that outlive the run, by key."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class Scope(StrEnum):
    """Who shares a key."""

    WITHIN_AGENT = "within_agent"
    ACROSS_AGENTS = "across_agents"


class PersistInformationBlock(Block):
    """Keeps a value under a key, for later runs of this agent or of all your agents."""

    id = "1d055e55-a2b9-4547-8311-907d05b0304d"
    categories = (Category.DATA,)
    effect = Effect.IDEMPOTENT
    examples = (
        Example(inputs={"key": "last", "value": {"page": 3}}, outputs=[("value", {"page": 3})]),
        Example(inputs={"key": "count", "value": 0}, outputs=[("value", 0)]),
        Example(
            inputs={"key": "seen", "value": [], "scope": "across_agents"}, outputs=[("value", [])]
        ),
    )

    @pins
    class Input:
        """Input pins."""

        key: str = pin(description="The name under which the value is kept.")
        value: Any = pin(description="What to keep.")
        scope: Scope = pin(
            default=Scope.WITHIN_AGENT, description="This agent only, or all your agents."
        )

    @pins
    class Output:
        """Output pins."""

        value: Any = pin(description="What was kept.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Keep the value, then yield it."""
        now_us = int(context.now().timestamp() * 1_000_000)
        key = _key(inputs.key, inputs.scope, context)
        await context.own_memory().remember(key, inputs.value, now_us=now_us)
        yield "value", inputs.value


class RetrieveInformationBlock(Block):
    """Reads back the value that was kept under a key, or else the default."""

    id = "d8710fc9-6e29-481e-a7d5-165eb16f8471"
    categories = (Category.DATA,)
    static_output = True
    effect = Effect.READ
    examples = (
        Example(inputs={"key": "never kept"}, outputs=[("value", None)]),
        Example(inputs={"key": "never kept", "default_value": 0}, outputs=[("value", 0)]),
    )

    @pins
    class Input:
        """Input pins."""

        key: str = pin(description="The name under which the value was kept.")
        scope: Scope = pin(
            default=Scope.WITHIN_AGENT, description="This agent only, or all your agents."
        )
        default_value: Any = pin(default=None, description="Used when nothing was kept.")

    @pins
    class Output:
        """Output pins."""

        value: Any = pin(description="What was kept, or the default.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the value."""
        found = await context.own_memory().recall(_key(inputs.key, inputs.scope, context))
        yield "value", inputs.default_value if found is None else found


def _key(key: str, scope: Scope, context: BlockContext) -> str:
    if scope is Scope.ACROSS_AGENTS:
        return f"global#{key}"
    if not context.graph_id:
        raise ValueError("within_agent needs an agent: use this block in a graph")
    return f"agent#{context.graph_id}#{key}"
