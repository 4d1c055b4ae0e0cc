"""Credits, 1 of them a US cent: what a node costs, and the rows of the ledger (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from backend.core.block import BlockSpec
from backend.core.ids import ExecutionId, GraphId, UserId

#: What everybody has while credits are off (spec/contract.md 11).
DISABLED_BALANCE: Final = 100
MAX_BALANCE: Final = 2**31 - 1

#: Prices that the operator has set, by a block's id or name.
Prices = Mapping[str, int]


class TransactionType(StrEnum):
    """Kinds of rows in the ledger."""

    TOP_UP = "TOP_UP"
    USAGE = "USAGE"
    GRANT = "GRANT"
    REFUND = "REFUND"
    CARD_CHECK = "CARD_CHECK"


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """
    Something that is to be paid, once.

    Attributes:
        key: The same for the same work, however often it is begun again.
        amount: Above zero.
        agent_name: Of the graph, for who is told that there are no credits.
    """

    user_id: UserId
    key: str
    amount: int
    block: str
    graph_id: GraphId | None = None
    run_id: ExecutionId | None = None  #: None: the block is run alone
    agent_name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Transaction:
    """
    A row of the ledger, or all usage of one run in one.

    Attributes:
        amount: Below zero for what was spent.
        balance: After it.
    """

    key: str
    type: TransactionType
    amount: int
    balance: int
    at_us: int
    reason: str | None = None
    graph_id: str | None = None
    run_id: str | None = None
    count: int = 0  #: paid node executions in it
    first_us: int | None = None  #: of the first of them


def price_of(block: BlockSpec, inputs: Mapping[str, Any], prices: Prices) -> int:
    """
    Return what running *block* with *inputs* costs.

    What the operator says stands before what the block says itself. A block's own prices are those
    of the first filter that fits: they name keys of the server's own with which the work is done,
    so that who brings a key of their own pays nothing here.
    """
    for name in (block.id, block.name):
        if name in prices:
            return max(0, prices[name])
    for cost in block.costs:
        wanted, amount = cost.get("cost_filter"), cost.get("cost_amount")
        if cost.get("cost_type") != "run" or not isinstance(amount, int) or amount <= 0:
            continue
        if _fits(wanted, inputs):
            return amount
    return 0


def _fits(wanted: Any, given: Any) -> bool:
    """Say whether *given* has all that *wanted* names, at every depth."""
    if not isinstance(wanted, Mapping):
        return bool(wanted == given)
    return isinstance(given, Mapping) and all(
        _fits(value, given.get(name)) for name, value in wanted.items()
    )


def refill_key(at_us: int) -> str:
    """Return the key of the one refill of the month of a moment, UTC."""
    month = datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-01")
    return f"MONTHLY-CREDIT-TOP-UP-{month}"
