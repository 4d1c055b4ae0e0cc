"""What every memory of deliveries promises: subclass it, and give the fixture of your adapter."""

from typing import Final

from backend.core.ids import WebhookId
from backend.ports.deliveries import Deliveries

HOOK: Final = WebhookId("hook")
OTHER: Final = WebhookId("other")
DAY_US: Final = 24 * 3600 * 1_000_000
#: What the fixture's memory must keep: of one webhook three, for two days.
KEPT_DAYS: Final = 2
KEPT_PER_WEBHOOK: Final = 3


class DeliveriesSpec:
    """The promises."""

    async def test_what_was_noted_is_known_at_its_webhook(self, deliveries: Deliveries) -> None:
        """And nowhere else."""
        assert not await deliveries.is_known(HOOK, "a")

        await deliveries.note(HOOK, "a", now_us=0)
        await deliveries.note(HOOK, "a", now_us=1)

        assert await deliveries.is_known(HOOK, "a")
        assert not await deliveries.is_known(HOOK, "b")
        assert not await deliveries.is_known(OTHER, "a")

    async def test_of_one_webhook_only_the_newest_are_kept(self, deliveries: Deliveries) -> None:
        """Another one's are not touched by it."""
        await deliveries.note(OTHER, "0", now_us=0)
        for number in range(5):
            await deliveries.note(HOOK, str(number), now_us=number)

        known = [await deliveries.is_known(HOOK, str(number)) for number in range(5)]

        assert known == [False, False, True, True, True]
        assert await deliveries.is_known(OTHER, "0")

    async def test_they_are_forgotten_in_time(self, deliveries: Deliveries) -> None:
        """Whosever the one is with which they go."""
        await deliveries.note(OTHER, "old", now_us=0)

        await deliveries.note(HOOK, "soon", now_us=KEPT_DAYS * DAY_US)
        before = await deliveries.is_known(OTHER, "old")
        await deliveries.note(HOOK, "late", now_us=KEPT_DAYS * DAY_US + 1)

        assert before
        assert not await deliveries.is_known(OTHER, "old")
