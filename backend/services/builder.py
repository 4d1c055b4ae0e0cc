"""The builder's menu: blocks as they are offered, and a search over them and the user's agents."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from backend.core.block import BlockSpec
from backend.core.catalog import Catalog
from backend.core.errors import BadRequest
from backend.core.ids import UserId
from backend.core.library import LibraryAgent
from backend.core.menu import BlockKind, Menu, MenuBlock
from backend.ports.builder import Builders, Search
from backend.ports.clock import Clock
from backend.services.bounded import BoundedCache
from backend.services.library import LibraryService

#: Longer searches are cut (spec/contract.md 5).
MAX_QUERY: Final = 100
MAX_PAGE: Final = 200
MAX_IDS: Final = 500

_RECENT_SEARCHES: Final = 5
_TOP_PROVIDERS: Final = 6
_TOP_BLOCKS: Final = 5
_USED_FOR_US: Final = 30 * 24 * 3600 * 1_000_000
_LOOK_AGAIN_US: Final = 3600 * 1_000_000
_USERS_KEPT: Final = 1_000

#: What people may ask an assistant for; it is told what they clicked.
PROMPTS: Final = (
    "How do I let an agent run every morning?",
    "Which block asks a web service for data?",
    "How does one agent run another?",
)
#: What is shown as used most to who has run nothing yet.
_FIRST_BLOCKS: Final = (
    "AgentInputBlock",
    "AgentOutputBlock",
    "FillTextTemplateBlock",
    "SendWebRequestBlock",
    "ConditionBlock",
)


class SearchKind(StrEnum):
    """What a search looks through."""

    BLOCKS = "blocks"
    INTEGRATIONS = "integrations"
    MARKETPLACE_AGENTS = "marketplace_agents"  #: there is no marketplace: always none
    MY_AGENTS = "my_agents"


@dataclass(frozen=True, kw_only=True)
class Found:
    """
    A page of a search.

    Attributes:
        items: The user's agents first, then blocks, the nearest of each first.
        totals: Of each kind that was looked through.
        search_id: Empty if nothing was searched for, and so nothing kept.
    """

    items: Sequence[LibraryAgent | BlockSpec]
    totals: dict[SearchKind, int]
    search_id: str


@dataclass(frozen=True, kw_only=True)
class Suggestions:
    """What the menu shows before anybody searches."""

    prompts: Sequence[str]
    searches: Sequence[Search]
    providers: Sequence[str]
    blocks: Sequence[BlockSpec]


class BuilderService:
    """The menu for all users."""

    def __init__(
        self, *, catalog: Catalog, builders: Builders, library: LibraryService, clock: Clock
    ) -> None:
        self._catalog = catalog
        self._builders = builders
        self._library = library
        self._clock = clock
        self._made: Menu | None = None
        self._used: BoundedCache[UserId, tuple[int, list[BlockSpec]]] = BoundedCache(_USERS_KEPT)

    @property
    def menu(self) -> Menu:
        """All that is offered; made when somebody first asks, and then kept."""
        if self._made is None:
            self._made = Menu(self._catalog.listed())
        return self._made

    def blocks(
        self, *, kind: BlockKind | None, category: str | None, provider: str | None
    ) -> list[BlockSpec]:
        """
        Return blocks by name: of a kind, of a category, or of a provider.

        Raises:
            BadRequest: If more than one of them is named.
        """
        if sum(one is not None for one in (kind, category, provider)) > 1:
            raise BadRequest("Only one of category, type and provider can be given.")
        if category is not None:
            return self.menu.of_category(category)
        if provider is not None:
            return self.menu.of_provider(provider)
        return self.menu.of_kind(kind or BlockKind.ALL)

    def some(self, ids: Sequence[str]) -> list[BlockSpec]:
        """
        Return those of *ids* that are offered, in their order.

        Raises:
            BadRequest: If there are more than `MAX_IDS`.
        """
        if len(ids) > MAX_IDS:
            raise BadRequest(f"more than {MAX_IDS} block_ids")
        return self.menu.some(ids)

    async def agents(self, user_id: UserId) -> int:
        """Return how many agents the user has."""
        _, total = await self._library.listed(user_id, page=1, page_size=0)
        return total

    async def search(
        self,
        user_id: UserId,
        query: str,
        *,
        kinds: Collection[SearchKind],
        creators: Sequence[str] | None,
        search_id: str,
        page: int,
        page_size: int,
    ) -> Found:
        """
        Return a page (from 1) of what fits *query*, and keep the search for its user.

        Args:
            kinds: What is looked through; empty means all.
            creators: Of marketplace agents; kept, and of no effect.
            search_id: Of an earlier search of the same user that this one goes on with, or empty.
        """
        query = query.strip()[:MAX_QUERY]
        looked = frozenset(kinds) or frozenset(SearchKind)
        blocks = [block for block in self.menu.search(query) if _kind_of(block) in looked]
        totals = _totals(looked, blocks)
        skip = (page - 1) * page_size
        items: list[LibraryAgent | BlockSpec] = []
        if SearchKind.MY_AGENTS in looked:
            agents, total = await self._library.found(user_id, query, skip=skip, most=page_size)
            items.extend(agents)
            totals[SearchKind.MY_AGENTS] = total
            skip = max(0, skip - total)
        room = page_size - len(items)
        items.extend(block.spec for block in blocks[skip : skip + room])
        kept = Search(
            id=search_id,
            query=query,
            kinds=sorted(kinds) or None,
            creators=creators or None,
        )
        return Found(items=items, totals=totals, search_id=await self._note(user_id, kept))

    async def _note(self, user_id: UserId, search: Search) -> str:
        if not search.query:
            return search.id  # a menu that was only opened is no search
        return await self._builders.of(user_id).note_search(
            search, fresh_id=self._clock.new_id(), now_us=self._clock.now_us()
        )

    async def suggestions(self, user_id: UserId) -> Suggestions:
        """Return what the menu shows at first: to each user what they used, and nobody else's."""
        searches = await self._builders.of(user_id).recent_searches(limit=_RECENT_SEARCHES)
        by_use = sorted(self.menu.providers, key=lambda name: -self.menu.providers[name])
        return Suggestions(
            prompts=PROMPTS,
            searches=searches,
            providers=by_use[:_TOP_PROVIDERS],
            blocks=await self._top_blocks(user_id),
        )

    async def _top_blocks(self, user_id: UserId) -> list[BlockSpec]:
        now_us = self._clock.now_us()
        kept = self._used.get(user_id)
        if kept is not None and now_us - kept[0] < _LOOK_AGAIN_US:
            return kept[1]
        used = await self._builders.of(user_id).used_blocks(
            since_us=now_us - _USED_FOR_US, limit=_TOP_BLOCKS
        )
        first = [block.id for name in _FIRST_BLOCKS if (block := self._catalog.named(name))]
        found = self.menu.some([*used, *first])[:_TOP_BLOCKS]
        self._used.put(user_id, (now_us, found))
        return found


def _kind_of(block: MenuBlock) -> SearchKind:
    return SearchKind.INTEGRATIONS if block.is_integration else SearchKind.BLOCKS


def _totals(looked: Iterable[SearchKind], blocks: Iterable[MenuBlock]) -> dict[SearchKind, int]:
    totals = {kind: 0 for kind in SearchKind if kind in set(looked)}
    for block in blocks:
        totals[_kind_of(block)] += 1
    return totals
