"""The agents in people's libraries. Owned things are reached through an object of their owner."""

from typing import Protocol

from backend.core.ids import GraphId, LibraryAgentId, UserId
from backend.core.library import LibraryAgent, LibraryChanges, LibrarySort


class UserLibrary(Protocol):
    """What one user has. Somebody else's id is answered like one that does not exist."""

    async def page(
        self,
        *,
        skip: int,
        most: int,
        sort: LibrarySort = LibrarySort.UPDATED,
        search: str = "",
        only_favorites: bool = False,
    ) -> tuple[list[LibraryAgent], int]:
        """
        Return what is not archived, after *skip* of it and at *most* so many, and how many in all.

        *search* is looked for in names and descriptions, whatever the case of its letters.
        """

    async def get(self, agent_id: LibraryAgentId) -> LibraryAgent | None:
        """Return an entry, archived or not."""

    async def of_graph(self, graph_id: GraphId, version: int | None = None) -> LibraryAgent | None:
        """Return a graph's entry, shown in *version*; None if there is no such version of it."""

    async def change(
        self, agent_id: LibraryAgentId, changes: LibraryChanges, *, now_us: int
    ) -> LibraryAgent:
        """
        Change an entry and return it, all or nothing.

        Raises:
            NotFound: If there is no such entry, or its graph has no such version.
        """

    async def remove(self, agent_id: LibraryAgentId, *, now_us: int) -> bool:
        """
        Take an agent out of the library; say whether there was one. Its graph and runs stay.

        Its schedules go, and nothing starts its presets any more.
        """


class Libraries(Protocol):
    """The libraries of all users."""

    def of(self, user_id: UserId) -> UserLibrary:
        """Return that of *user_id*."""
