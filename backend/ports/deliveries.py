"""Which deliveries to webhooks were taken already, so that none of them counts twice."""

from typing import Protocol

from backend.core.ids import WebhookId


class Deliveries(Protocol):
    """A bounded memory of deliveries, in which all processes look."""

    async def is_known(self, webhook_id: WebhookId, key: str) -> bool:
        """Say whether a delivery was noted, and is not forgotten."""

    async def note(self, webhook_id: WebhookId, key: str, *, now_us: int) -> None:
        """
        Note that a delivery was taken; twice is harmless.

        Old ones are forgotten with it, and of one webhook the oldest beyond a number.
        """
