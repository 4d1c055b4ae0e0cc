"""People's libraries: their agents, as they are listed, marked, put away and copied."""

from dataclasses import replace
from typing import Final

from backend.core.errors import BadRequest, NotFound
from backend.core.ids import GraphId, LibraryAgentId, UserId
from backend.core.library import LibraryAgent, LibraryChanges, LibrarySort, name_of_copy
from backend.ports.clock import Clock
from backend.ports.library import Libraries
from backend.services.graphs import GraphService

MAX_PAGE: Final = 100
MAX_SEARCH: Final = 100
#: The longest name of a graph that a client may save.
_MAX_NAME: Final = 1_000


class LibraryService:
    """Libraries of all users; every method names the user whose they are."""

    def __init__(self, *, libraries: Libraries, graphs: GraphService, clock: Clock) -> None:
        self._libraries = libraries
        self._graphs = graphs
        self._clock = clock

    async def listed(
        self,
        user_id: UserId,
        *,
        page: int,
        page_size: int,
        search: str = "",
        sort: LibrarySort = LibrarySort.UPDATED,
        only_favorites: bool = False,
    ) -> tuple[list[LibraryAgent], int]:
        """
        Return a page (from 1) of agents that are not archived, and how many there are.

        Raises:
            BadRequest: If *search* is longer than `MAX_SEARCH`.
        """
        if len(search) > MAX_SEARCH:
            raise BadRequest(f"search_term is longer than {MAX_SEARCH} characters")
        return await self._libraries.of(user_id).page(
            skip=(page - 1) * page_size,
            most=page_size,
            sort=sort,
            search=search.strip(),
            only_favorites=only_favorites,
        )

    async def found(
        self, user_id: UserId, search: str, *, skip: int, most: int
    ) -> tuple[list[LibraryAgent], int]:
        """Return agents that fit *search* after *skip* of them, and how many fit in all."""
        return await self._libraries.of(user_id).page(skip=skip, most=most, search=search)

    async def get(self, user_id: UserId, agent_id: LibraryAgentId) -> LibraryAgent:
        """Return an agent."""
        found = await self._libraries.of(user_id).get(agent_id)
        if found is None:
            raise _unknown(agent_id)
        return found

    async def of_graph(
        self, user_id: UserId, graph_id: GraphId, version: int | None
    ) -> LibraryAgent:
        """Return the agent of a graph, in the entry's version or in *version*."""
        found = await self._libraries.of(user_id).of_graph(graph_id, version)
        if found is None:
            raise NotFound(f"Graph #{graph_id} is not in your library.")
        return found

    async def change(
        self, user_id: UserId, agent_id: LibraryAgentId, changes: LibraryChanges
    ) -> LibraryAgent:
        """
        Change what *changes* names, all of it, and return the agent.

        Raises:
            BadRequest: If it names nothing.
            NotFound: If there is no such agent, or no such version of it.
        """
        if changes == LibraryChanges():
            raise BadRequest("There is nothing to update.")
        return await self._libraries.of(user_id).change(
            agent_id, changes, now_us=self._clock.now_us()
        )

    async def remove(self, user_id: UserId, agent_id: LibraryAgentId) -> None:
        """Take an agent out of the library, with its schedules and the webhooks of its presets."""
        if not await self._libraries.of(user_id).remove(agent_id, now_us=self._clock.now_us()):
            raise _unknown(agent_id)

    async def fork(self, user_id: UserId, agent_id: LibraryAgentId) -> LibraryAgent:
        """
        Save a copy of an agent with the graphs it runs, under new ids and without secrets.

        What its owner has set about asking people holds for the copy too.
        """
        agent = await self.get(user_id, agent_id)
        origin = agent.graph
        graph = await self._graphs.get(user_id, origin.id, origin.version, for_export=True)
        copy = replace(
            graph,
            version=1,
            is_active=True,
            name=name_of_copy(graph.name, most=_MAX_NAME),
            forked_from_id=origin.id,
            forked_from_version=origin.version,
        )
        made = await self._graphs.create(user_id, copy, settings=agent.settings)
        return await self.of_graph(user_id, made.id, None)


def _unknown(agent_id: LibraryAgentId) -> NotFound:
    return NotFound(f"Library agent #{agent_id} not found.")
