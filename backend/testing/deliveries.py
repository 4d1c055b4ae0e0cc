"""What every store of deliveries promises: subclass it, and give the fixture of your adapter."""

from dataclasses import replace
from typing import Any, Final

import pytest

from backend.core.deliveries import (
    DeliveryId,
    DeliveryPlace,
    DeliveryRecord,
    DeliveryStatus,
    PresetStart,
    Refusal,
    Settled,
)
from backend.core.errors import NotFound
from backend.core.ids import ExecutionId, GraphId, PresetId, UserId, WebhookId
from backend.core.records import NewExecution
from backend.ports.deliveries import Deliveries

ANN: Final = UserId("ann")
BOB: Final = UserId("bob")
#: The fixture has saved this webhook of Ann's, and OTHER.
HOOK: Final = WebhookId("hook")
OTHER: Final = WebhookId("other")
DAY_US: Final = 24 * 3600 * 1_000_000
#: What the fixture's store must keep: deliveries, and likewise keys.
KEPT_DAYS: Final = 2
KEPT_PER_WEBHOOK: Final = 3
REFUSALS: Final = 20


def delivery(name: str, *, at_us: int = 0, **changes: Any) -> DeliveryRecord:
    """Return a delivery to HOOK."""
    made = DeliveryRecord(
        id=DeliveryId(name),
        webhook_id=HOOK,
        user_id=ANN,
        provider="generic_webhook",
        event="plain",
        received_us=at_us,
        key=f"key {name}",
        payload={"n": name},
        size_bytes=9,
        headers={"user-agent": "a"},
        address="1.2.3.4",
    )
    return replace(made, **changes)


async def listed(deliveries: Deliveries, webhook: WebhookId = HOOK) -> list[str]:
    """Return the ids of all that is kept of a webhook."""
    found = await deliveries.page(ANN, webhook, after=None, limit=100)
    return [one.id for one in found]


class DeliveriesSpec:
    """The promises."""

    async def test_what_is_kept_is_read_back(self, deliveries: Deliveries) -> None:
        """Alone with its payload; in a list without."""
        made = delivery("a", at_us=5)

        assert await deliveries.add(made, ())

        assert await deliveries.get(ANN, HOOK, made.id) == made
        listed = await deliveries.page(ANN, HOOK, after=None, limit=9)
        assert listed == [replace(made, payload=None)]
        assert await deliveries.waiting(now_us=5, limit=9) == [made]
        assert await deliveries.waiting(now_us=4, limit=9) == []

    async def test_what_it_starts_is_kept_with_it_or_nothing_is(
        self, deliveries: Deliveries
    ) -> None:
        """There is no such agent here: its sender may send the same again."""
        run = NewExecution(
            id=ExecutionId("run"),
            user_id=ANN,
            graph_id=GraphId("none"),
            graph_version=1,
            inputs={},
            created_us=1,
        )

        with pytest.raises(NotFound):
            await deliveries.add(delivery("a"), ["key"], [run])

        assert await listed(deliveries) == []
        assert await deliveries.add(delivery("a"), ["key"])

    async def test_what_is_large_is_read_back_too(self, deliveries: Deliveries) -> None:
        """Also where it is not in its row."""
        made = delivery("large", payload={"text": "x" * 400_000})

        await deliveries.add(made, ())

        assert await deliveries.get(ANN, HOOK, made.id) == made
        assert await deliveries.waiting(now_us=0, limit=9) == [made]

    async def test_what_others_were_sent_does_not_exist(self, deliveries: Deliveries) -> None:
        """Nor does it at another webhook."""
        await deliveries.add(delivery("a"), ())

        assert await deliveries.page(BOB, HOOK, after=None, limit=9) == []
        assert await deliveries.get(BOB, HOOK, DeliveryId("a")) is None
        assert await deliveries.get(ANN, OTHER, DeliveryId("a")) is None

    async def test_a_key_is_taken_once_at_its_webhook(self, deliveries: Deliveries) -> None:
        """And of what comes again, nothing is kept."""
        assert await deliveries.add(delivery("a"), ("x", "y"))

        assert not await deliveries.add(delivery("b"), ("y",))
        assert not await deliveries.add(delivery("c"), ("z", "x"))
        assert await deliveries.add(delivery("d", webhook_id=OTHER), ("x",))
        assert await deliveries.add(delivery("e"), ())

        assert await listed(deliveries) == ["e", "a"]

    async def test_pages_go_from_the_newest_to_the_oldest(self, deliveries: Deliveries) -> None:
        """Also where two came at once."""
        for number, at_us in enumerate((1, 2, 2, 3)):
            await deliveries.add(delivery(str(number), at_us=at_us), ())

        first = await deliveries.page(ANN, HOOK, after=None, limit=2)
        place = DeliveryPlace(first[-1].received_us, first[-1].id)
        second = await deliveries.page(ANN, HOOK, after=place, limit=9)

        assert [one.id for one in (*first, *second)] == ["3", "2", "1", "0"]

    async def test_what_is_settled_waits_no_more_and_stays_so(self, deliveries: Deliveries) -> None:
        """Of two processes that start it, the first one says what became of it."""
        await deliveries.add(delivery("a"), ())
        start = PresetStart(preset_id=PresetId("p"), run_id=ExecutionId("r"))
        done = Settled(
            id=DeliveryId("a"), status=DeliveryStatus.STARTED, starts=[start], reason="why"
        )

        await deliveries.settle([done])
        await deliveries.settle([replace(done, status=DeliveryStatus.FAILED, starts=())])

        found = await deliveries.get(ANN, HOOK, DeliveryId("a"))
        assert found is not None
        assert (found.status, list(found.starts)) == (DeliveryStatus.STARTED, [start])
        assert (found.reason, found.tries) == ("why", 1)
        assert await deliveries.waiting(now_us=DAY_US, limit=9) == []

    async def test_what_is_put_off_comes_in_its_time_after_what_is_due(
        self, deliveries: Deliveries
    ) -> None:
        """So it does not stand in the way of the others."""
        await deliveries.add(delivery("a", at_us=1), ())
        await deliveries.add(delivery("b", at_us=2), ())
        later = Settled(
            id=DeliveryId("a"), status=DeliveryStatus.RECEIVED, reason="busy", next_us=7
        )

        await deliveries.settle([later])

        assert [one.id for one in await deliveries.waiting(now_us=6, limit=9)] == ["b"]
        assert [one.id for one in await deliveries.waiting(now_us=7, limit=9)] == ["b", "a"]

    async def test_an_event_that_came_is_known(self, deliveries: Deliveries) -> None:
        """So that somebody can wait for it."""
        done = DeliveryStatus.IGNORED
        await deliveries.add(delivery("a", at_us=5, event="ping", status=done), ())

        assert await deliveries.last_of(HOOK, "ping", since_us=5)
        assert not await deliveries.last_of(HOOK, "ping", since_us=6)
        assert not await deliveries.last_of(HOOK, "push", since_us=5)
        assert not await deliveries.last_of(OTHER, "ping", since_us=5)

    async def test_of_what_is_refused_the_newest_few_are_kept(self, deliveries: Deliveries) -> None:
        """Without a body; those of a webhook that is not there are forgotten."""
        refusals = [
            Refusal(id=DeliveryId(f"{n:03}"), webhook_id=HOOK, received_us=n, reason="wrong")
            for n in range(REFUSALS + 5)
        ]
        await deliveries.add(delivery("good"), ())
        unknown = replace(refusals[0], id=DeliveryId("u"), webhook_id=WebhookId("nobodys"))

        await deliveries.note_refusals([*refusals[:3], unknown])
        await deliveries.note_refusals(refusals[3:])

        found = await deliveries.page(ANN, HOOK, after=None, limit=100)
        assert [one.id for one in found] == [
            *(one.id for one in reversed(refusals[5:])),
            "good",
        ]
        assert {(one.status, one.reason) for one in found[:-1]} == {
            (DeliveryStatus.REFUSED, "wrong")
        }
        assert await deliveries.waiting(now_us=DAY_US, limit=100) == [delivery("good")]

    async def test_what_is_old_goes(self, deliveries: Deliveries) -> None:
        """And its key may be taken again."""
        await deliveries.add(delivery("old"), ("k",))
        await deliveries.add(delivery("young", at_us=1), ("l",))

        while await deliveries.expire(now_us=KEPT_DAYS * DAY_US + 1, limit=1):
            pass

        assert await listed(deliveries) == ["young"]
        assert await deliveries.add(delivery("again", at_us=2), ("k",))
        assert not await deliveries.add(delivery("more", at_us=2), ("l",))

    async def test_what_is_too_many_goes_but_what_still_waits(self, deliveries: Deliveries) -> None:
        """Its sender was told that it was taken."""
        done = DeliveryStatus.IGNORED
        await deliveries.add(delivery("0", at_us=0), ())
        for number in range(1, 6):
            made = delivery(str(number), at_us=number, status=done)
            await deliveries.add(made, (str(number),))
        await deliveries.add(delivery("o", webhook_id=OTHER, status=done), ())

        for _ in range(9):
            await deliveries.expire(now_us=9, limit=2)

        assert await listed(deliveries) == ["5", "4", "0"]
        assert await listed(deliveries, OTHER) == ["o"]
        assert await deliveries.add(delivery("again", at_us=9), ("1",))
        assert not await deliveries.add(delivery("more", at_us=9), ("5",))
