"""What the builder's menu remembers of its users."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.core.ids import BlockId, UserId


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """A search that somebody made; *kinds* and *creators* are None where none were named."""

    id: str
    query: str
    kinds: Sequence[str] | None = None
    creators: Sequence[str] | None = None


class UserBuilder(Protocol):
    """What one user did. Somebody else's search is like one that does not exist."""

    async def note_search(self, search: Search, *, fresh_id: str, now_us: int) -> str:
        """
        Keep a search in place of the user's own of its id, and return its id.

        One of another id, or none of this user's, is kept under *fresh_id*. Only the newest few
        stay.
        """

    async def recent_searches(self, *, limit: int) -> list[Search]:
        """Return the newest searches, newest first, none twice."""

    async def used_blocks(self, *, since_us: int, limit: int) -> list[BlockId]:
        """Return the blocks that the user's newest runs executed most, of those since then."""


class Builders(Protocol):
    """Those of all users."""

    def of(self, user_id: UserId) -> UserBuilder:
        """Return that of *user_id*."""
