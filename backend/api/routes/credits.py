"""Credits: how many there are, what became of them, and more of them (spec/contract.md 11)."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Depends, Query, Request, Response

from backend.api.answers import answer
from backend.api.auditing import Audited
from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, Routes
from backend.api.wire import credits as wire
from backend.api.wire.times import iso
from backend.core.credits import Transaction, TransactionType
from backend.core.errors import NotAllowed
from backend.core.ids import UserId
from backend.services.audit import name_object

_CREDITS: Final = f"{PREFIX}/credits"
_TAGS: Final = ("v1", "credits")


def add_credit_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add("GET", _CREDITS, get_credits, operation="getV1Get user credits", tags=_TAGS)
    routes.add(
        "GET",
        f"{_CREDITS}/transactions",
        list_transactions,
        operation="getV1Get credit history",
        tags=_TAGS,
    )
    routes.add(
        "POST",
        f"{_CREDITS}/admin/add_credits",
        add_credits,
        operation="postV2Add credits to user",
        tags=("v2", "admin", "credits", "admin"),
        audit=Audited("grant_credits", "user"),
    )


async def get_credits(request: Request) -> Response:
    """Return how many credits the caller has."""
    return answer(
        {"credits": await context_of(request).credits.balance(caller_of(request).user_id)}
    )


async def list_transactions(
    request: Request,
    transaction_time: Annotated[datetime | None, Query()] = None,
    transaction_type: Annotated[TransactionType | None, Query()] = None,
    transaction_count_limit: Annotated[int, Query()] = 100,
) -> Response:
    """Return what changed the caller's balance before a moment, newest first."""
    credits_, user_id = context_of(request).credits, caller_of(request).user_id
    found = await credits_.history(
        user_id,
        before_us=None if transaction_time is None else _us(transaction_time),
        kind=transaction_type,
        limit=transaction_count_limit,
    )
    balance = await credits_.balance(user_id)
    rows = sum(max(1, one.count) for one in found)
    more = found and rows >= transaction_count_limit
    return answer(
        {
            "transactions": [wire.transaction_form(one, user_id, balance) for one in found],
            "next_transaction_time": iso(min(_first_us(one) for one in found)) if more else None,
        }
    )


def _first_us(one: Transaction) -> int:
    return one.at_us if one.first_us is None else one.first_us


def _us(moment: datetime) -> int:
    # A moment without a zone is one of UTC, as all that we answer.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1_000_000)


async def _administrator(request: Request) -> None:
    if not caller_of(request).is_admin:
        raise NotAllowed("Admin access required")


async def add_credits(
    request: Request, body: wire.AddCreditsBody, _: Annotated[None, Depends(_administrator)]
) -> Response:
    """Give somebody credits, or take some."""
    name_object(body.user_id, amount=body.amount)
    balance, key = await context_of(request).credits.grant(
        UserId(body.user_id), body.amount, reason=body.comments
    )
    return answer({"new_balance": balance, "transaction_key": key})
