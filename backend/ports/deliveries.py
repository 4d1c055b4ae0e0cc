"""What was sent to webhooks: kept before it is answered, started from there, shown to its owner."""

from collections.abc import Sequence
from typing import Protocol

from backend.core.deliveries import DeliveryId, DeliveryPlace, DeliveryRecord, Refusal, Settled
from backend.core.ids import UserId, WebhookId
from backend.core.records import NewExecution


class Deliveries(Protocol):
    """Deliveries, and a bounded memory of those that were taken, in which all processes look."""

    async def add(
        self, delivery: DeliveryRecord, keys: Sequence[str], runs: Sequence[NewExecution] = ()
    ) -> bool:
        """
        Keep *delivery* and note *keys*, by which it is known again; on disk when this returns.

        *runs*, which it has started, are added with it, all or nothing.

        Returns:
            False if one of *keys* was noted at its webhook before: nothing is kept then.

        Raises:
            NotFound, NotAllowed: As `Storage.submit` does, for one of *runs*.
            TooLarge: If an input of one of *runs* is over its limit.
        """

    async def waiting(self, *, now_us: int, limit: int) -> list[DeliveryRecord]:
        """Return deliveries that are to be started now, whosever they are, oldest first."""

    async def settle(self, settled: Sequence[Settled]) -> None:
        """Say where deliveries stand now. One that is not `RECEIVED` any more stays as it is."""

    async def page(
        self, user_id: UserId, webhook_id: WebhookId, *, after: DeliveryPlace | None, limit: int
    ) -> list[DeliveryRecord]:
        """Return deliveries of a webhook, newest first, those after *after*; without payloads."""

    async def get(
        self, user_id: UserId, webhook_id: WebhookId, delivery_id: DeliveryId
    ) -> DeliveryRecord | None:
        """Return a delivery with its payload."""

    async def last_of(self, webhook_id: WebhookId, event: str, *, since_us: int) -> bool:
        """Say whether a delivery of *event* has come since *since_us*."""

    async def note_refusals(self, refusals: Sequence[Refusal]) -> None:
        """
        Count *refusals* at their webhooks, and keep the newest few of each.

        What names no webhook that is there is forgotten.
        """

    async def expire(self, *, now_us: int, limit: int) -> int:
        """Delete deliveries and keys that are too old or too many, *limit* of each; say how many."""
