"""What a node costs."""

from typing import Any

import pytest

from backend.core.block import BlockSpec
from backend.core.credits import price_of, refill_key
from backend.core.ids import BlockId


def block(*costs: Any) -> BlockSpec:
    return BlockSpec(id=BlockId("id"), name="AskModelBlock", costs=costs)


def cost(amount: Any, kind: str = "run", **wanted: Any) -> dict[str, Any]:
    return {"cost_amount": amount, "cost_type": kind, "cost_filter": wanted}


OURS = {"id": "ours", "provider": "p"}


@pytest.mark.parametrize(
    ("costs", "inputs", "price"),
    [
        ((), {}, 0),
        ((cost(5),), {}, 5),
        ((cost(5, model="a"), cost(7, model="b")), {"model": "b"}, 7),
        ((cost(5, model="a"),), {"model": "c"}, 0),
        ((cost(5, credentials=OURS),), {"credentials": {**OURS, "title": "t"}}, 5),
        ((cost(5, credentials=OURS),), {"credentials": {"id": "mine", "provider": "p"}}, 0),
        ((cost(5, credentials=OURS),), {}, 0),
        ((cost(5, "second"), cost("7"), cost(-1), {"cost_amount": 3}), {}, 0),
    ],
)
def test_the_first_filter_that_fits_says_the_price(
    costs: Any, inputs: dict[str, Any], price: int
) -> None:
    assert price_of(block(*costs), inputs, {}) == price


def test_what_the_operator_says_stands_before() -> None:
    assert price_of(block(cost(5)), {}, {"AskModelBlock": 2}) == 2
    assert price_of(block(cost(5)), {}, {"id": 0, "AskModelBlock": 2}) == 0
    assert price_of(block(cost(5)), {}, {"OtherBlock": 2}) == 5


def test_a_refill_is_of_a_month() -> None:
    assert refill_key(0) == "MONTHLY-CREDIT-TOP-UP-1970-01-01"
    assert refill_key(31 * 24 * 3600 * 1_000_000) == "MONTHLY-CREDIT-TOP-UP-1970-02-01"
