"""The ledger: who has how many credits, and why."""

from typing import Protocol

from backend.core.credits import Charge, Transaction, TransactionType
from backend.core.ids import UserId


class UserLedger(Protocol):
    """The part of one user."""

    async def balance(self, *, now_us: int) -> int:
        """Return how many credits there are, with this month's refill."""

    async def grant(self, amount: int, *, key: str, reason: str, now_us: int) -> int:
        """
        Add *amount*, which may be below zero, and return the balance. A key twice is once.

        Raises:
            InsufficientBalance: If it would be below zero.
            BadRequest: If it would be more than anybody can have.
        """

    async def history(
        self, *, before_us: int | None, kind: TransactionType | None, limit: int
    ) -> list[Transaction]:
        """Return the newest rows, newest first; the usage of one run is one of them."""


class Ledger(Protocol):
    """All of it."""

    def of(self, user_id: UserId) -> UserLedger:
        """Return the part of *user_id*."""

    async def charge(self, charge: Charge, *, now_us: int) -> None:
        """
        Take *charge*; on disk when this returns. A key that was taken before is not taken again.

        Its user is told when few credits are left, and, once for each graph until credits come
        in, when a node's charge is refused.

        Raises:
            InsufficientBalance: If there is not enough; nothing is taken then.
        """
