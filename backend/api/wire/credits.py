"""Credits on the wire (spec/contract.md 11)."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from backend.api.wire.text import Id, LongText
from backend.api.wire.times import iso
from backend.core.credits import Transaction
from backend.core.ids import UserId
from backend.services.credits import MAX_GRANT

#: When the first usage in what has none was, as clients know it.
_NEVER = "9999-12-31T23:59:59.999999Z"


class AddCreditsBody(BaseModel):
    """Credits that somebody is to get."""

    model_config = ConfigDict(title="Body_postV2Add_credits_to_user")

    user_id: Id
    amount: Annotated[int, Field(ge=-MAX_GRANT, le=MAX_GRANT)]
    comments: LongText


def transaction_form(one: Transaction, user_id: UserId, balance: int) -> dict[str, Any]:
    """Return a row of the ledger: ``UserTransaction``."""
    return {
        "transaction_key": one.key,
        "transaction_time": iso(one.at_us),
        "transaction_type": one.type.value,
        "amount": one.amount,
        "running_balance": one.balance,
        "current_balance": balance,
        "description": one.reason,
        "usage_graph_id": one.graph_id,
        "usage_execution_id": one.run_id,
        "usage_node_count": one.count,
        "usage_start_time": _NEVER if one.first_us is None else iso(one.first_us),
        "user_id": user_id,
        "user_email": None,
        "reason": one.reason,
        "admin_email": None,
        "extra_data": None,
    }
