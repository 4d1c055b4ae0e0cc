"""Credits: switched off, everybody always has enough; switched on, a ledger of this server's own."""

from collections.abc import Mapping
from typing import Any, Final

from backend.core.block import BlockSpec
from backend.core.credits import (
    DISABLED_BALANCE,
    Prices,
    Transaction,
    TransactionType,
    price_of,
)
from backend.core.errors import BadRequest, InsufficientBalance, NotConfigured, NotFound
from backend.core.ids import UserId
from backend.ports.clock import Clock
from backend.ports.credits import Ledger
from backend.ports.storage import SystemStorage

MAX_HISTORY: Final = 1_000
MAX_GRANT: Final = 1_000_000_000


class CreditService:
    """Credits of all users; every method names the user whose they are."""

    def __init__(
        self,
        *,
        ledger: Ledger | None,
        storage: SystemStorage,
        clock: Clock,
        prices: Prices | None = None,
    ) -> None:
        """Use *ledger*; None: credits are off. *prices* are the operator's."""
        self._prices = prices or {}
        self._ledger = ledger
        self._storage = storage
        self._clock = clock

    async def balance(self, user_id: UserId) -> int:
        """Return how many credits a user has."""
        if self._ledger is None:
            return DISABLED_BALANCE
        return await self._ledger.of(user_id).balance(now_us=self._clock.now_us())

    async def require_some(self, user_id: UserId) -> None:
        """Raise InsufficientBalance if nothing is left to start a run with."""
        if self._ledger is not None and await self.balance(user_id) <= 0:
            raise InsufficientBalance("Insufficient balance: there are no credits left.")

    async def require_price(
        self, user_id: UserId, block: BlockSpec, inputs: Mapping[str, Any]
    ) -> None:
        """Raise InsufficientBalance if a user cannot pay for a block; its run takes what it costs."""
        price = 0 if self._ledger is None else price_of(block, inputs, self._prices)
        if price and await self.balance(user_id) < price:
            raise InsufficientBalance(
                f"Insufficient balance: {block.name} costs {price} credits, and there are fewer."
            )

    async def history(
        self,
        user_id: UserId,
        *,
        before_us: int | None = None,
        kind: TransactionType | None = None,
        limit: int = 100,
    ) -> list[Transaction]:
        """Return what changed a balance, newest first; nothing while credits are off."""
        if not 1 <= limit <= MAX_HISTORY:
            raise BadRequest(f"transaction_count_limit is 1 to {MAX_HISTORY}")
        if self._ledger is None:
            return []
        mine = self._ledger.of(user_id)
        return await mine.history(before_us=before_us, kind=kind, limit=limit)

    async def grant(self, user_id: UserId, amount: int, *, reason: str) -> tuple[int, str]:
        """
        Give a user credits, or with an amount below zero take some; return the balance and the key.

        Raises:
            NotConfigured: If credits are off.
            NotFound: If there is no such user.
            BadRequest: If it is nothing, or too much.
            InsufficientBalance: If more is to be taken than there is.
        """
        if self._ledger is None:
            raise NotConfigured("Credits are off (setting ENABLE_CREDIT).")
        if not amount or abs(amount) > MAX_GRANT:
            raise BadRequest(f"an amount is at most {MAX_GRANT}, and not 0")
        if not await self._storage.user_exists(user_id):
            raise NotFound(f"User #{user_id} not found")
        key, now_us = f"GRANT-{self._clock.new_id()}", self._clock.now_us()
        mine = self._ledger.of(user_id)
        return await mine.grant(amount, key=key, reason=reason, now_us=now_us), key
