"""Where each watch stands, what takes the items that watches find, and where they look."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from backend.core.ids import UserId, WebhookId
from backend.core.records import NoticeRecord, WebhookRecord
from backend.core.watches import Looked, Standing, Watch


class Watches(Protocol):
    """
    The state of all watches. A watch is there as long as its webhook is.

    Who has taken a watch holds it until a time; then another may take it, and what the first one
    says of it counts no more.
    """

    async def next_us(self) -> int | None:
        """Return when the next watch is due, or its holder's time is over; None: there is none."""

    async def take(self, holder: str, *, now_us: int, until_us: int, limit: int) -> list[Watch]:
        """Take at most *limit* watches that are due, longest due first."""

    async def hold_on(self, webhook_id: WebhookId, holder: str, *, until_us: int) -> bool:
        """Hold a watch longer; False if it is not held any more."""

    async def save(self, webhook_id: WebhookId, holder: str, state: Mapping[str, Any]) -> bool:
        """
        Keep *state* in the middle of a look; False, with nothing done, if it is not held any more.

        Raises:
            TooLarge: If the state is over `MAX_STATE_BYTES`.
        """

    async def finish(self, webhook_id: WebhookId, holder: str, looked: Looked) -> bool:
        """
        Note how a look ended and let the watch go; False if it was not held any more.

        If it was woken meanwhile, it is due at once. Raises TooLarge like `save`.
        """

    async def give_up(
        self, webhook_id: WebhookId, holder: str, looked: Looked, notices: Sequence[NoticeRecord]
    ) -> bool:
        """
        As `finish`, and let the webhook start nothing any more: its presets are made inactive.

        *notices* are queued with it, all or nothing.
        """

    async def wake(self, webhook_id: WebhookId, *, now_us: int) -> None:
        """Let a watch be due now, or right after the look that is under way."""

    async def standing(self, webhook_id: WebhookId) -> Standing | None:
        """Return how a watch does."""

    async def count(self, user_id: UserId) -> int:
        """Return how many watches a user has."""


class TriggerItems(Protocol):
    """Takes what a watch has found, as if somebody had delivered it."""

    async def take(
        self, webhook: WebhookRecord, event: str, payload: Mapping[str, Any], key: str
    ) -> object:
        """
        Keep an item, on disk when this returns, and start its runs: once for each *key*.

        Raises:
            TooLarge, NotJson: If it can never be kept.
            Unavailable: If it could not be kept; try again.
        """
