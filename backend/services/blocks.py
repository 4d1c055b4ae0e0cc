"""Blocks: what there is, and running one alone."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from backend.core import alone
from backend.core.block import BlockSpec, BlockType
from backend.core.catalog import Catalog
from backend.core.errors import BlockInputError, NotAllowed, NotFound
from backend.core.execution import Output
from backend.core.graph import Graph, Node
from backend.core.graph_check import GraphReport
from backend.core.ids import BlockId, ExecutionId, GraphId, NodeId, UserId
from backend.core.plan import GraphPlan, Inputs, Refusal
from backend.ports.credentials import CredentialsStore
from backend.services.lent import with_lent


@dataclass(frozen=True, kw_only=True)
class Once:
    """
    What makes one run of a block, however often it is asked for.

    Attributes:
        key: The same is one run.
        asker: The run that asks. If it is stopped, so is this one; if it is only interrupted, it
            comes again, and this one goes on for it.
    """

    key: str
    asker: ExecutionId


class BlockRunner(Protocol):
    """Runs a block alone with its checked input, for a user; see `Once`."""

    async def __call__(
        self, spec: BlockSpec, inputs: Inputs, user_id: UserId, /, *, once: Once | None = None
    ) -> Sequence[Output]:
        """Return what the block gives, in order."""


#: Raises if a user cannot pay for a block with its checked input; takes nothing.
Payer: TypeAlias = Callable[[UserId, BlockSpec, Inputs], Awaitable[None]]

#: Blocks that mean something only inside a graph.
_ONLY_IN_GRAPHS = frozenset({BlockType.AGENT, BlockType.NOTE, BlockType.HUMAN_IN_THE_LOOP})


class BlockService:
    """The blocks of this installation."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        run: BlockRunner,
        require_pay: Payer | None = None,
        credentials: CredentialsStore | None = None,
    ) -> None:
        """Run blocks with *run*, with its user's *credentials*; None: nobody has any."""
        self._require_pay = require_pay
        self._catalog = catalog
        self._run = run
        self._credentials = credentials

    def listed(self) -> list[BlockSpec]:
        """Return the blocks that may be used, by name."""
        return self._catalog.listed()

    async def execute(
        self,
        user_id: UserId,
        block_id: BlockId,
        inputs: dict[str, Any],
        *,
        may_lend: bool = True,
        once: Once | None = None,
    ) -> dict[str, list[Any]]:
        """
        Run one block and return its outputs by pin, in order.

        Args:
            may_lend: False: credentials of the user may not be named.
            once: None: each time is another.

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
        await self._require_lent(user_id, block, prepared, may_lend=may_lend)
        if self._require_pay is not None:
            await self._require_pay(user_id, block, prepared)
        outputs: dict[str, list[Any]] = {}
        for pin, value in await self._run(block, prepared, user_id, once=once):
            outputs.setdefault(pin, []).append(value)
        return outputs

    def _prepared(self, block: BlockSpec, inputs: dict[str, Any]) -> Inputs:
        refused = _why_not_alone(block)
        if refused is None:
            node = GraphPlan(_graph_of(block), self._catalog).nodes[0]
            # As a mask: the sender may write `values_#_a` for a key of `values`.
            prepared = node.prepare({}, inputs)
            if not isinstance(prepared, Refusal):
                return prepared
            refused = prepared.reason
        raise BlockInputError(refused, block_name=block.name, block_id=block.id)

    async def _require_lent(
        self, user_id: UserId, block: BlockSpec, inputs: Inputs, *, may_lend: bool
    ) -> None:
        """Refuse credentials that are not the user's, or do not fit."""
        own = [pin for pin in block.credentials if self._is_own(inputs.get(pin))]
        if not own:
            return
        problem = f"{own[0]}: credentials of a user can be named only by who is signed in as them"
        if may_lend and self._credentials is not None:
            stored = self._credentials.of(user_id)
            masks: alone.Masks = {block.id: inputs}
            nothing = GraphReport(nodes={})
            report = await with_lent(nothing, _graph_of(block), self._catalog, masks, stored)
            problems = [f"{pin}: {said}" for pin, said in report.nodes.get(block.id, {}).items()]
            if not problems:
                return
            problem = "; ".join(problems)
        raise BlockInputError(problem, block_name=block.name, block_id=block.id)

    def _is_own(self, reference: Any) -> bool:
        """Say whether *reference* names credentials that are not the operator's."""
        if not isinstance(reference, Mapping) or not reference.get("id"):
            return False
        operators = self._catalog.operators
        return operators is None or not operators.covers(reference)


def _graph_of(block: BlockSpec) -> Graph:
    return Graph(
        id=GraphId(""),
        name="",
        description="",
        nodes=(Node(id=NodeId(block.id), block_id=block.id),),
    )


def _why_not_alone(block: BlockSpec) -> str | None:
    """Return why *block* cannot be run alone; None when it can."""
    if block.placeholder:
        return f"{block.name} is known but not built into this server yet"
    if block.block_type in _ONLY_IN_GRAPHS:
        return "this block works only inside a graph"
    return None
