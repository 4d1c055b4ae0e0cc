"""Blocks: what there is, and running one alone."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from backend.core.block import BlockSpec, BlockType
from backend.core.catalog import Catalog
from backend.core.errors import BlockInputError, NotAllowed, NotFound
from backend.core.execution import Output
from backend.core.graph import Node
from backend.core.ids import BlockId, NodeId, UserId
from backend.core.plan import Inputs, NodePlan, Refusal

#: Runs a block with its checked input, for a user, outside of any run.
BlockRunner: TypeAlias = Callable[[BlockSpec, Inputs, UserId], Awaitable[Sequence[Output]]]

#: Takes what a block with its checked input costs a user, or raises.
Payer: TypeAlias = Callable[[UserId, BlockSpec, Inputs], Awaitable[None]]

#: Blocks that mean something only inside a graph.
_ONLY_IN_GRAPHS = frozenset({BlockType.AGENT, BlockType.NOTE})


class BlockService:
    """The blocks of this installation."""

    def __init__(self, *, catalog: Catalog, run: BlockRunner, pay: Payer | None = None) -> None:
        """Run blocks with *run*, when *pay* has taken what they cost."""
        self._pay = pay
        self._catalog = catalog
        self._run = run

    def listed(self) -> list[BlockSpec]:
        """Return the blocks that may be used, by name."""
        return self._catalog.listed()

    async def execute(
        self, user_id: UserId, block_id: BlockId, inputs: dict[str, Any]
    ) -> dict[str, list[Any]]:
        """
        Run one block and return its outputs by pin, in order. Nothing is kept of it.

        Raises:
            NotFound: If there is no such block.
            NotAllowed: If it is switched off.
            BlockError: If it refuses its input, or fails.
            InsufficientBalance: If the user cannot pay for it.
        """
        block = self._catalog.get(block_id)
        if block is None:
            raise NotFound(f"Block #{block_id} not found.")
        if block.disabled:
            raise NotAllowed(f"Block #{block_id} is disabled.")
        prepared = self._prepared(block, inputs)
        if self._pay is not None:
            await self._pay(user_id, block, prepared)
        outputs: dict[str, list[Any]] = {}
        for pin, value in await self._run(block, prepared, user_id):
            outputs.setdefault(pin, []).append(value)
        return outputs

    def _prepared(self, block: BlockSpec, inputs: dict[str, Any]) -> Inputs:
        refused = _why_not_alone(block)
        if refused is None:
            node = NodePlan(0, Node(id=NodeId(""), block_id=block.id), block)
            node.dynamic = True  # the sender may write `values_#_a` for a key of `values`
            prepared = node.prepare(inputs, None)
            if not isinstance(prepared, Refusal):
                return prepared
            refused = prepared.reason
        raise BlockInputError(refused, block_name=block.name, block_id=block.id)


def _why_not_alone(block: BlockSpec) -> str | None:
    """Return why *block* cannot be run alone; None when it can."""
    if block.placeholder:
        return f"{block.name} is known but not built into this server yet"
    if block.block_type in _ONLY_IN_GRAPHS:
        return "this block works only inside a graph"
    if block.credentials:
        return "this block needs credentials, which only a run of a graph can be given"
    return None
