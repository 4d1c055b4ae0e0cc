"""The spec of preferences: what every adapter must do."""

from typing import Final

import pytest

from backend.core.errors import NotFound
from backend.core.ids import UserId
from backend.core.preferences import DAY_US, PreferenceChanges
from backend.ports.preferences import AllPreferences
from backend.ports.storage import Storage

ANN: Final = UserId("ann")
BOB: Final = UserId("bob")
NOON: Final = 100 * DAY_US + DAY_US // 2


class PreferencesSpec:
    """Give fixtures `storage`, empty, and `preferences` over it; every test must pass."""

    @pytest.fixture(autouse=True)
    async def _accounts(self, storage: Storage) -> None:
        for user in (ANN, BOB):
            await storage.of(user).save_user(email=f"{user}@example.com", name=None, now_us=1)

    async def test_at_first_everything_is_wanted(self, preferences: AllPreferences) -> None:
        found = await preferences.of(ANN).get(now_us=NOON)

        assert found is not None
        assert (found.email, found.said) == ("ann@example.com", {})
        assert (found.daily_limit, found.sent_today) == (3, 0)
        assert await preferences.of(UserId("nobody")).get(now_us=NOON) is None

    async def test_what_is_not_named_stays(self, preferences: AllPreferences) -> None:
        mine = preferences.of(ANN)
        await mine.change(PreferenceChanges(said={"A": False}, daily_limit=7), now_us=NOON)

        after = await mine.change(PreferenceChanges(said={"B": True}), now_us=NOON)

        assert (after.email, after.daily_limit) == ("ann@example.com", 7)
        assert after.said == {"A": False, "B": True}
        theirs = await preferences.of(BOB).get(now_us=NOON)
        assert theirs is not None
        assert (theirs.said, theirs.daily_limit) == ({}, 3)

    async def test_nobodys_cannot_be_changed(self, preferences: AllPreferences) -> None:
        with pytest.raises(NotFound):
            await preferences.of(UserId("nobody")).change(PreferenceChanges(), now_us=NOON)

    async def test_letters_are_counted_for_each_and_each_day_anew(
        self, preferences: AllPreferences
    ) -> None:
        await preferences.of(ANN).change(PreferenceChanges(daily_limit=2), now_us=NOON)
        for _ in range(2):
            await preferences.note_letter(ANN, now_us=NOON)

        today = await preferences.some([ANN, BOB], now_us=NOON)
        tomorrow = await preferences.some([ANN], now_us=NOON + DAY_US)

        assert (today[ANN].sent_today, today[ANN].has_room) == (2, False)
        assert (today[BOB].sent_today, today[BOB].has_room) == (0, True)
        assert (tomorrow[ANN].sent_today, tomorrow[ANN].daily_limit) == (0, 2)
        await preferences.note_letter(ANN, now_us=NOON + DAY_US)
        again = await preferences.some([ANN], now_us=NOON + DAY_US)
        assert again[ANN].sent_today == 1

    async def test_refusals_of_an_address_are_counted_until_it_takes_a_letter(
        self, preferences: AllPreferences
    ) -> None:
        await preferences.note_bounce("another@example.com", error="550 no", now_us=NOON)
        for _ in range(2):
            await preferences.note_bounce("ann@example.com", error="550 no", now_us=NOON)

        refused = (await preferences.some([ANN, BOB], now_us=NOON))[ANN]
        assert (refused.bounces, refused.bounce) == (2, "550 no")
        assert [await preferences.refusing(bounces=n) for n in (2, 3)] == [1, 0]
        mine, stray = await preferences.bounced(limit=9)
        assert (mine.address, mine.user_id, mine.count) == ("ann@example.com", ANN, 2)
        assert (mine.error, mine.last_us, mine.is_refused) == ("550 no", NOON, False)
        assert (stray.address, stray.user_id) == ("another@example.com", None)
        await preferences.note_letter(BOB, now_us=NOON)
        assert await preferences.refusing(bounces=1) == 1
        await preferences.note_letter(ANN, now_us=NOON)
        assert (await preferences.some([ANN], now_us=NOON))[ANN].bounces == 0
