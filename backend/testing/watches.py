"""What every store of watches promises: subclass it, and give the fixtures of your adapter."""

from typing import Final

import pytest

from backend.core.errors import TooLarge
from backend.core.ids import UserId, WebhookId
from backend.core.records import NoticeRecord
from backend.core.watches import MAX_STATE_BYTES, Looked, Watch
from backend.ports.watches import Watches

ANN: Final = UserId("ann")
BOB: Final = UserId("bob")
#: Of what the store's fixture must be made: two of Ann's, due at 1 and 2, one of Bob's, at 3.
FIRST: Final = WebhookId("first")
SECOND: Final = WebhookId("second")
HIS: Final = WebhookId("his")
NOTICE: Final = NoticeRecord(
    id="n", user_id=ANN, type="CONTINUOUS_AGENT_ERROR", data={}, created_us=5, next_us=5
)


class WatchesSpec:
    """The promises."""

    async def test_what_is_due_is_taken_once_longest_due_first(self, watches: Watches) -> None:
        """Nobody else gets it while it is held."""
        assert await watches.next_us() == 1

        mine = await watches.take("a", now_us=2, until_us=50, limit=5)
        theirs = await watches.take("b", now_us=2, until_us=50, limit=5)

        assert mine == [Watch(webhook_id=FIRST, user_id=ANN), Watch(webhook_id=SECOND, user_id=ANN)]
        assert theirs == []
        assert await watches.next_us() == 3

    async def test_no_more_are_taken_than_asked_for(self, watches: Watches) -> None:
        """The others stay due."""
        [one] = await watches.take("a", now_us=9, until_us=50, limit=1)
        [other] = await watches.take("b", now_us=9, until_us=50, limit=1)

        assert (one.webhook_id, other.webhook_id) == (FIRST, SECOND)

    async def test_what_a_holder_leaves_lying_another_takes(self, watches: Watches) -> None:
        """And from then on the first one's words count no more."""
        await watches.take("a", now_us=1, until_us=10, limit=1)
        assert await watches.save(FIRST, "a", {"seen": 1})

        taken = await watches.take("b", now_us=10, until_us=20, limit=5)

        [again] = [watch for watch in taken if watch.webhook_id == FIRST]
        assert again.state == {"seen": 1}
        assert not await watches.save(FIRST, "a", {"seen": 2})
        assert not await watches.hold_on(FIRST, "a", until_us=99)
        assert not await watches.finish(FIRST, "a", Looked(next_us=99, looked_us=11))
        assert not await watches.give_up(FIRST, "a", Looked(next_us=99, looked_us=11), [NOTICE])
        assert await watches.finish(FIRST, "b", Looked(next_us=30, looked_us=12))

    async def test_who_says_so_holds_it_longer(self, watches: Watches) -> None:
        """As long as it is still theirs."""
        await watches.take("a", now_us=1, until_us=10, limit=1)

        assert await watches.hold_on(FIRST, "a", until_us=40)

        taken = await watches.take("b", now_us=39, until_us=50, limit=5)
        assert FIRST not in [watch.webhook_id for watch in taken]

    async def test_how_a_look_ended_is_there_at_the_next(self, watches: Watches) -> None:
        """Its owner is told, too."""
        await watches.take("a", now_us=1, until_us=10, limit=1)
        looked = Looked(next_us=5, looked_us=4, state={"n": 1}, failures=2, error="x" * 600)

        assert await watches.finish(FIRST, "a", looked)

        found = await watches.standing(FIRST)
        assert found is not None
        assert (found.looked_us, found.next_us, found.failures) == (4, 5, 2)
        assert found.error == "x" * 500
        taken = await watches.take("a", now_us=5, until_us=10, limit=5)
        assert [(one.state, one.failures) for one in taken if one.webhook_id == FIRST] == [
            ({"n": 1}, 2)
        ]

    async def test_a_watch_that_is_woken_is_due_at_once(self, watches: Watches) -> None:
        """One that is held, when it is let go."""
        await watches.take("a", now_us=1, until_us=90, limit=1)
        await watches.wake(FIRST, now_us=2)
        assert await watches.next_us() == 2  # the second's

        await watches.finish(FIRST, "a", Looked(next_us=80, looked_us=7))
        woken = await watches.standing(FIRST)
        await watches.take("a", now_us=7, until_us=90, limit=5)
        await watches.finish(FIRST, "a", Looked(next_us=80, looked_us=8))
        resting = await watches.standing(FIRST)
        await watches.wake(FIRST, now_us=9)
        again = await watches.standing(FIRST)

        assert woken is not None
        assert resting is not None
        assert again is not None
        assert (woken.next_us, resting.next_us, again.next_us) == (7, 80, 9)

    async def test_what_is_given_up_keeps_why(self, watches: Watches) -> None:
        """Until somebody mends it."""
        await watches.take("a", now_us=1, until_us=10, limit=1)

        looked = Looked(next_us=90, looked_us=5, failures=30, error="no such page")
        assert await watches.give_up(FIRST, "a", looked, [NOTICE])

        found = await watches.standing(FIRST)
        assert found is not None
        assert (found.error, found.failures) == ("no such page", 30)

    async def test_a_state_has_a_limit(self, watches: Watches) -> None:
        """Nothing is kept of what is over it."""
        await watches.take("a", now_us=1, until_us=10, limit=1)

        with pytest.raises(TooLarge):
            await watches.save(FIRST, "a", {"all": "x" * MAX_STATE_BYTES})

        assert await watches.save(FIRST, "a", {"all": "x"})

    async def test_each_user_has_their_own(self, watches: Watches) -> None:
        """Counted by user; one that nobody knows has no standing."""
        assert (await watches.count(ANN), await watches.count(BOB)) == (2, 1)
        assert await watches.standing(WebhookId("none")) is None
