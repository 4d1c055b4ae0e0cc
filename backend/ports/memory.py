"""What agents remember between runs: values by key, for each user."""

from typing import Protocol

from backend.core.ids import UserId
from backend.core.json import Json


class UserMemory(Protocol):
    """What one user's agents remember."""

    async def remember(self, key: str, value: Json, *, now_us: int) -> None:
        """
        Keep *value* under *key*, instead of what was there. On disk when this returns.

        Raises:
            BadRequest: If *value* is None: that means that nothing is kept.
            TooLarge: If the key, the value or the number of keys is over its limit.
            Unavailable: If the database does not answer within its time limit.
        """

    async def recall(self, key: str) -> Json:
        """Return what is kept under *key*, as it was given; None if nothing is."""


class Memories(Protocol):
    """The memories of all users."""

    def of(self, user_id: UserId) -> UserMemory:
        """Return those of *user_id*."""
