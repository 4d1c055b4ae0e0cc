"""The menu of the visual builder (spec/contract.md 5, "Builder menu")."""

from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from backend.api.answers import answer
from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, Routes
from backend.api.wire import builder as wire
from backend.api.wire.executions import pagination
from backend.api.wire.text import Id, Name
from backend.core.block import wire_form
from backend.core.menu import BlockKind
from backend.services.builder import MAX_PAGE, SearchKind

_BUILDER: Final = f"{PREFIX}/builder"
_TAGS: Final = ("v2",)
_LAST_PAGE: Final = 10_000_000

Number = Annotated[int, Query(ge=1)]


def add_builder_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    for path, endpoint, operation, tags in (
        ("blocks", list_blocks, "getV2Get builder blocks", _TAGS),
        ("blocks/batch", get_blocks, "getV2Get specific blocks", _TAGS),
        ("categories", list_categories, "getV2Get builder block categories", _TAGS),
        ("counts", get_counts, "getV2Get builder item counts", _TAGS),
        ("providers", list_providers, "getV2Get builder integration providers", _TAGS),
        ("search", search, "getV2Builder search", (*_TAGS, "store", "private")),
        ("suggestions", get_suggestions, "getV2Get builder suggestions", _TAGS),
    ):
        routes.add("GET", f"{_BUILDER}/{path}", endpoint, operation=operation, tags=tags)


async def list_blocks(
    request: Request,
    category: Annotated[Name | None, Query()] = None,
    type: Annotated[BlockKind | None, Query()] = None,  # noqa: A002 - its name in the contract
    provider: Annotated[Name | None, Query()] = None,
    page: Number = 1,
    page_size: Number = 50,
) -> Response:
    """Return a page of blocks: of a category, of a type, or of a provider."""
    blocks = context_of(request).builder.blocks(kind=type, category=category, provider=provider)
    return _page(
        "blocks", [*map(wire_form, _shown(blocks, page, page_size))], blocks, page, page_size
    )


async def get_blocks(request: Request, block_ids: Annotated[list[str], Query()]) -> Response:
    """Return the blocks of these ids that there are."""
    return answer([wire_form(spec) for spec in context_of(request).builder.some(block_ids)])


async def list_categories(
    request: Request, blocks_per_category: Annotated[int, Query(ge=0)] = 3
) -> Response:
    """Return the categories, each with its first few blocks."""
    menu = context_of(request).builder.menu
    most = min(blocks_per_category, MAX_PAGE)
    return answer(
        [
            {
                "name": name,
                "total_blocks": total,
                "blocks": [wire_form(spec) for spec in islice(menu.of_category(name), most)],
            }
            for name, total in menu.categories.items()
        ]
    )


async def get_counts(request: Request) -> Response:
    """Return how much there is of everything."""
    builder = context_of(request).builder
    menu = builder.menu
    return answer(
        {
            "all_blocks": len(menu.blocks),
            "input_blocks": menu.kinds[BlockKind.INPUT],
            "action_blocks": menu.kinds[BlockKind.ACTION],
            "output_blocks": menu.kinds[BlockKind.OUTPUT],
            "integrations": len(menu.providers),
            # There is no marketplace here.
            "marketplace_agents": 0,
            "my_agents": await builder.agents(caller_of(request).user_id),
        }
    )


async def list_providers(request: Request, page: Number = 1, page_size: Number = 50) -> Response:
    """Return a page of providers, each with how many blocks work with it."""
    providers = list(context_of(request).builder.menu.providers.items())
    shown = [
        {"name": name, "description": "", "integration_count": count}
        for name, count in _shown(providers, page, page_size)
    ]
    return _page("providers", shown, providers, page, page_size)


async def search(
    request: Request,
    search_query: Annotated[str | None, Query()] = None,
    filter: Annotated[list[SearchKind] | None, Query()] = None,  # noqa: A002 - its name in the contract
    search_id: Annotated[Id | None, Query()] = None,
    by_creator: Annotated[list[Name] | None, Query(max_length=20)] = None,
    page: Number = 1,
    page_size: Number = 50,
) -> Response:
    """Return a page of the caller's agents and of blocks that fit what is searched for."""
    context = context_of(request)
    page, page_size = min(page, _LAST_PAGE), min(page_size, MAX_PAGE)
    found = await context.builder.search(
        caller_of(request).user_id,
        (search_query or "").replace("\x00", ""),
        kinds=set(filter or ()),
        creators=by_creator,
        search_id=search_id or "",
        page=page,
        page_size=page_size,
    )
    now_us = context.clock.now_us()
    return answer(
        {
            "items": [
                wire.search_item(item, context.catalog, now_us=now_us) for item in found.items
            ],
            "search_id": found.search_id,
            "total_items": {kind.value: total for kind, total in found.totals.items()},
            "pagination": pagination(
                total=sum(found.totals.values()), page=page, page_size=page_size
            ),
        }
    )


async def get_suggestions(request: Request) -> Response:
    """Return what the menu shows before anybody searches."""
    found = await context_of(request).builder.suggestions(caller_of(request).user_id)
    return answer(
        {
            "otto_suggestions": found.prompts,
            "recent_searches": [wire.search_entry(one) for one in found.searches],
            "providers": found.providers,
            "top_blocks": [wire_form(spec) for spec in found.blocks],
        }
    )


def _shown(all_of_them: Sequence[Any], page: int, page_size: int) -> Sequence[Any]:
    size = min(page_size, MAX_PAGE)
    return all_of_them[(page - 1) * size : page * size]


def _page(
    name: str, shown: Sequence[Any], all_of_them: Sequence[Any], page: int, page_size: int
) -> Response:
    size = min(page_size, MAX_PAGE)
    told = pagination(total=len(all_of_them), page=min(page, _LAST_PAGE), page_size=size)
    return answer({name: shown, "pagination": told})
