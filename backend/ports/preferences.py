"""What people want to be told by mail, and how many letters they got today."""

from collections.abc import Collection, Mapping
from typing import Protocol

from backend.core.ids import UserId
from backend.core.preferences import Bounced, PreferenceChanges, Preferences


class UserPreferences(Protocol):
    """Those of one user."""

    async def get(self, *, now_us: int) -> Preferences | None:
        """Return them; None if there is no such account."""

    async def change(self, changes: PreferenceChanges, *, now_us: int) -> Preferences:
        """
        Change what *changes* names, all of it, and return what is wanted now.

        Raises:
            NotFound: If there is no such account.
        """


class AllPreferences(Protocol):
    """Those of all users."""

    def of(self, user_id: UserId) -> UserPreferences:
        """Return those of *user_id*."""

    async def some(self, ids: Collection[UserId], *, now_us: int) -> Mapping[UserId, Preferences]:
        """Return those of *ids* that there are."""

    async def note_letter(self, user_id: UserId, *, now_us: int) -> None:
        """Count a letter that has left today; its address refuses nothing any more."""

    async def note_bounce(self, address: str, *, error: str, now_us: int) -> None:
        """
        Count a letter that *address* refused for good, and what was said.

        When it is one too many, its owner reads in the app that no more are sent.
        """

    async def bounced(self, *, limit: int) -> list[Bounced]:
        """Return addresses that have refused letters, the last refusal first."""

    async def refusing(self, *, bounces: int) -> int:
        """Return how many accounts have an address that has refused at least *bounces*."""
