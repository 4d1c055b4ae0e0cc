"""What people want to be told by mail: they say it when they are in, or by the link in a letter."""

from backend.core.errors import BadRequest, NotConfigured
from backend.core.ids import UserId
from backend.core.preferences import (
    MAX_DAILY_LIMIT,
    UNSUBSCRIBED,
    PreferenceChanges,
    Preferences,
    unsubscribing,
)
from backend.ports.clock import Clock
from backend.ports.preferences import AllPreferences


class PreferenceService:
    """Preferences of all users; every method but one names the user whose they are."""

    def __init__(self, *, preferences: AllPreferences, clock: Clock, unsubscribe_key: str) -> None:
        self._preferences = preferences
        self._clock = clock
        self._unsubscribe_key = unsubscribe_key

    async def get(self, user_id: UserId) -> Preferences:
        """Return what an account that is there wants."""
        found = await self._preferences.of(user_id).get(now_us=self._clock.now_us())
        assert found is not None
        return found

    async def change(self, user_id: UserId, changes: PreferenceChanges) -> Preferences:
        """
        Change what *changes* names, and return what is wanted now.

        Raises:
            BadRequest: If the limit is out of bounds.
        """
        if changes.daily_limit is not None and not 0 <= changes.daily_limit <= MAX_DAILY_LIMIT:
            raise BadRequest(f"daily_limit is 0 to {MAX_DAILY_LIMIT}")
        return await self._preferences.of(user_id).change(changes, now_us=self._clock.now_us())

    def unsubscriber(self, token: str) -> UserId:
        """
        Return whose letters the *token* of a letter's link ends; nothing is changed.

        Raises:
            NotConfigured: If there is no key with which such tokens are made.
            BadRequest: If it is none.
        """
        if not self._unsubscribe_key:
            raise NotConfigured("UNSUBSCRIBE_SECRET_KEY is not set")
        user_id = unsubscribing(token, self._unsubscribe_key)
        if user_id is None:
            raise BadRequest("This unsubscribe link is not valid.")
        return user_id

    async def unsubscribe(self, token: str) -> UserId:
        """Send its owner no more of all that a letter's link ends; twice is harmless."""
        user_id = self.unsubscriber(token)
        changes = PreferenceChanges(said=dict.fromkeys(UNSUBSCRIBED, False))
        stored = self._preferences.of(user_id)
        # Of an account that is gone nothing needs to be kept, and nobody needs to know.
        if await stored.get(now_us=self._clock.now_us()) is not None:
            await stored.change(changes, now_us=self._clock.now_us())
        return user_id
