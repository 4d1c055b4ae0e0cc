"""What a call of a paid service costs that is no language model: by block, for budgets (pure).

The list beside this file has all built blocks that make such calls. Null there: what a call costs
depends on the account; it is counted as a call, and its price is 0 until the operator says more.
"""

from collections.abc import Mapping
from typing import Final

from backend.core import json
from backend.core.block import BlockSpec

_MICRO: Final = 1_000_000

#: Micro US dollars of one execution, by a block's id or name.
CallPrices = Mapping[str, int]


def known_prices(text: bytes, own: Mapping[str, float]) -> CallPrices:
    """Return the prices of the list in *text*, and before them the operator's *own*, US dollars."""
    listed: dict[str, float | None] = json.loads(text)
    return {
        name: round((price or 0) * _MICRO)
        for name, price in {**listed, **{name: max(0.0, usd) for name, usd in own.items()}}.items()
    }


def price_of_call(block: BlockSpec, prices: CallPrices) -> int | None:
    """Return what an execution of *block* may cost, micro US dollars; None: it makes no paid call."""
    if not prices:
        return None
    found = prices.get(block.id)
    return prices.get(block.name) if found is None else found
